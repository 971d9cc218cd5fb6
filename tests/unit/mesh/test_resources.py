"""What Envoy is told for each input in testdata/in stands, for a reviewer to read, in testdata/out.

After a change that is meant, write the outputs anew with ``LAWFLOW_WRITE_GOLDEN=1 pytest tests/unit/mesh``.
"""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.mesh import golden_inputs, golden_output, network_of, resources_of

from lawflow.mesh.bootstrap import BootstrapSettings, bootstrap, installed_servers

pytestmark = pytest.mark.unit

WRITE = "LAWFLOW_WRITE_GOLDEN"


def compare(path: Path, document: Any) -> None:
    text = yaml.safe_dump(document, sort_keys=True, width=120, allow_unicode=True)
    if os.environ.get(WRITE):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert path.read_text() == text, f"{path.name} differs; if that is meant, write it anew with {WRITE}=1"


@pytest.mark.parametrize("path", golden_inputs(), ids=lambda path: path.stem)
def test_flows_become_these_resources(path: Path) -> None:
    compare(golden_output(path), resources_of(yaml.safe_load_all(path.read_text()), network_of(path)))


def test_a_pods_bootstrap_is_this() -> None:
    settings = BootstrapSettings(installed_servers("example.org", "lawflow-system"))
    compare(golden_output(Path("bootstrap.yaml")), bootstrap(settings))
