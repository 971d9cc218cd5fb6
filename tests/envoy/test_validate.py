"""Envoy itself accepts every configuration that stands in the mesh's golden files."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.mesh import golden_inputs, golden_output

from lawflow.mesh import tls
from lawflow.mesh.resources import CLUSTER, LISTENER, ROUTE
from lawflow.model import sidecar as contract
from lawflow.standalone.delivery import deliver
from lawflow.standalone.envoy import envoy_binary

pytestmark = pytest.mark.envoy


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    directory = tmp_path / "certificate"
    answers = {
        contract.CERTIFICATE_SECRET_FILE: json.dumps(tls.certificate_secret_file(str(directory))),
        contract.TRUST_SECRET_FILE: json.dumps(tls.trust_secret_file(str(directory))),
    }
    deliver(directory, answers)
    return directory


async def validate(document: dict[str, Any], certificates: Path) -> None:
    text = json.dumps(document).replace(contract.CERTIFICATE_DIRECTORY, str(certificates))
    text = text.replace("$(POD_ADDRESS)", "127.0.0.1")
    file = certificates.parent / "envoy.json"
    await asyncio.to_thread(file.write_text, text)
    process = await asyncio.create_subprocess_exec(
        envoy_binary(), "--mode", "validate", "--config-path", file, "--log-level", "error",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env={**os.environ},
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


def static(resources: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A sidecar's resources as a static configuration, with routes in place where RDS would bring them."""
    bootstrap = yaml.safe_load(golden_output(Path("bootstrap.yaml")).read_text())
    part = bootstrap["static_resources"]
    # Envoy 1.40 crashes when it only validates a cluster of that type; tests of running Envoys have them.
    part["clusters"] += [each for each in resources[CLUSTER].values() if each.get("type") != "ORIGINAL_DST"]
    for listener in resources[LISTENER].values():
        for chain in listener["filter_chains"]:
            for each in chain["filters"]:
                if source := each["typed_config"].pop("rds", None):
                    each["typed_config"]["route_config"] = resources[ROUTE][source["route_config_name"]]
        part["listeners"].append(listener)
    return {"node": {"id": "x", "cluster": "x"}, **bootstrap}


async def test_envoy_accepts_the_bootstrap(certificates: Path) -> None:
    await validate(yaml.safe_load(golden_output(Path("bootstrap.yaml")).read_text()), certificates)


@pytest.mark.parametrize("path", golden_inputs(), ids=lambda path: path.stem)
async def test_envoy_accepts_the_resources(path: Path, certificates: Path) -> None:
    for resources in yaml.safe_load(golden_output(path).read_text()).values():
        await validate(static(resources), certificates)
