"""`make cluster`: it comes up, and nothing of it stays, however the process that started it ends."""

import itertools
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from tests.e2e.conftest import NODE, ROOT
from tests.support import ctrl_c
from tests.support.node import cgroups
from tests.support.node.isolation import HOST_SETTINGS
from tests.support.node.programs import programs
from tests.support.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

SECONDS_TO_START = 180.0
"""Patience, and no promise: how long it takes is measured by `make bench`."""


def test_a_path_that_is_too_long_for_sockets_is_named(tmp_path: Path) -> None:
    environment = {**os.environ, "LAWFLOW_CACHE": str(tmp_path / ("x" * 80))}
    done = subprocess.run([*NODE, "up"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "set LAWFLOW_CACHE to a shorter one" in done.stderr
    assert "Traceback" not in done.stderr


def up(apart: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*NODE, "up"], cwd=ROOT, env=apart, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        start_new_session=True,
        preexec_fn=ctrl_c.heard,
    )  # fmt: skip


def until(process: subprocess.Popen[str], text: str) -> None:
    """Reads what the process tells, until it tells this."""
    assert process.stderr is not None
    told = []
    for line in process.stderr:
        told.append(line)
        if text in line:
            return
    raise AssertionError(f"it never said {text!r}: {''.join(told)}")


def traces(apart: dict[str, str]) -> list[str]:
    """Processes, cgroups, files and mounts of a node in that folder."""
    folder = apart["LAWFLOW_CACHE"] + "/running-cluster"
    # Unlike a glob, a walk does not mind what goes away meanwhile.
    found = [
        f"{parent}/{name}"
        for parent, names, _ in os.walk(cgroups.ROOT)
        for name in names
        if name.startswith("lawflow-running-cluster-")
    ]
    found += [line for line in Path("/proc/self/mounts").read_text().splitlines() if folder in line]
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            command = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if folder in command:
            found.append(command)
    return found + [folder] * Path(folder).exists()


def settings() -> dict[str, str]:
    """Of this machine: what a kubelet, kube-proxy and CNI plugins set where they are not kept from it."""
    names = (*HOST_SETTINGS, "net/ipv4/ip_forward", "net/ipv4/ip_local_reserved_ports")
    found = {name: Path("/proc/sys", name).read_text() for name in names}
    addresses = subprocess.run(["ip", "--brief", "address"], capture_output=True, text=True, check=True).stdout
    routes = subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout
    rules = subprocess.run(
        [str(programs().nft), "--stateless", "list", "ruleset"], capture_output=True, text=True, check=True
    ).stdout
    mounts = Path("/proc/self/mounts").read_text()
    return {**found, "addresses": addresses, "routes": routes, "rules": rules, "mounts": mounts}


def test_up_and_down_leave_this_machine_as_it_was(apart: dict[str, str]) -> None:
    before = settings()
    process = up(apart)
    told, said = process.communicate(timeout=SECONDS_TO_START)
    assert process.returncode == 0, said
    kubeconfig = re.findall(r"^export KUBECONFIG=(.+)$", told, re.MULTILINE)
    assert kubeconfig == [apart["LAWFLOW_CACHE"] + "/running-cluster/kubeconfig"]
    assert Path(kubeconfig[0]).exists()
    assert settings() == before, "a running node changed this machine"
    assert traces(apart)
    subprocess.run([*NODE, "down"], cwd=ROOT, env=apart, check=True)
    # The keeper gives its lock up with its last act, and ends a moment later.
    eventually(lambda: not traces(apart), "nothing left")
    assert settings() == before


MOMENTS = ("starting a Kubernetes node", "kube-apiserver answers", "kubelet answers")
SIGNALS = (signal.SIGTERM, signal.SIGKILL, signal.SIGINT)


@pytest.mark.parametrize(
    ("after", "number"),
    [
        # Each moment and each signal once; how they combine in the long run.
        pytest.param(after, number, marks=() if MOMENTS.index(after) == SIGNALS.index(number) else pytest.mark.soak)
        for after, number in itertools.product(MOMENTS, SIGNALS)
    ],
)
def test_nothing_stays_of_a_start_that_was_ended(apart: dict[str, str], after: str, number: signal.Signals) -> None:
    process = up(apart)
    until(process, after)
    process.send_signal(number)
    process.communicate(timeout=SECONDS_TO_START)
    eventually(lambda: not traces(apart), f"nothing left: {traces(apart)}")


def test_nothing_runs_on_where_the_keeper_is_killed(apart: dict[str, str]) -> None:
    process = up(apart)
    process.communicate(timeout=SECONDS_TO_START)
    assert process.returncode == 0
    folder = Path(apart["LAWFLOW_CACHE"])
    os.kill(int((folder / "running-cluster.lock").read_text()), signal.SIGKILL)
    eventually(lambda: not [each for each in traces(apart) if "tests.support" in each], "no process of the node")
    subprocess.run([*NODE, "down"], cwd=ROOT, env=apart, check=True)
    assert traces(apart) == []
