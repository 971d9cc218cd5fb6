"""The Helm chart, as users install it, and the static manifest that is made from it.

``python -m tests.support.chart`` writes the static manifest (``make manifest``).
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from tests.support import toolchain

Object = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "lawflow"
MANIFEST = ROOT / "charts" / "lawflow.yaml"
NAMESPACE = "lawflow-system"

_HEADER = """\
# Made from charts/lawflow by `make manifest`: everything of the chart but its hooks, in lawflow-system.
# Install:   kubectl apply -f charts/lawflow.yaml && lawflow ready
# Uninstall: lawflow retire && kubectl delete --ignore-not-found -f charts/lawflow.yaml
#            (with it go the definitions, and every flow)
"""
_RESTRICTED = "pod-security.kubernetes.io/enforce"


def helm(*arguments: str, check: bool = True, seconds: float = 120.0) -> subprocess.CompletedProcess[str]:
    """Runs Helm. Raises AssertionError with what it complained about, unless ``check`` is False."""
    done = subprocess.run(
        [str(toolchain.helm()), *arguments], capture_output=True, text=True, check=False, timeout=seconds
    )
    if check and done.returncode:
        raise AssertionError(f"helm {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}")
    return done


def rendered(*flags: str) -> str:
    """What Helm makes of the chart, as text."""
    return helm("template", "lawflow", str(CHART), f"--namespace={NAMESPACE}", *flags).stdout


def objects(text: str) -> list[Object]:
    """The objects in a manifest."""
    return [found for found in yaml.safe_load_all(text) if found]


def of_kind(found: Sequence[Object], *kinds: str) -> list[Object]:
    """Those of some kinds."""
    return [each for each in found if each["kind"] in kinds]


def selector(component: str) -> str:
    """The flag by which kubectl finds the pods of a part of Lawflow."""
    return f"--selector=app.kubernetes.io/component={component}"


def static_manifest() -> str:
    """The text of charts/lawflow.yaml."""
    namespace: Object = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": {"app.kubernetes.io/part-of": "lawflow", _RESTRICTED: "restricted"}},
    }
    # Who deletes the manifest's objects deletes the definitions by name: kubectl knows no policy to keep them.
    return _HEADER + yaml.safe_dump(namespace, sort_keys=False) + rendered("--no-hooks", "--set=crds.keep=false")


if __name__ == "__main__":
    MANIFEST.write_text(static_manifest(), encoding="utf-8")
    sys.exit(0)
