"""``lawflow up`` and ``lawflow demo`` as processes: how they end, and that they leave nothing behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support import ctrl_c
from tests.support.shop import write_shop
from tests.support.waiting import eventually

pytestmark = pytest.mark.envoy

COMMAND = [sys.executable, "-m", "lawflow"]


class Up:
    """A running ``lawflow up --json``."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "up", "--json", *options, str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
            preexec_fn=ctrl_c.heard,
        )
        self.events: list[dict[str, Any]] = []

    def until_ready(self, count: int = 2) -> list[int]:
        """Process ids of the sidecars, once ``count`` are ready."""
        assert self.process.stdout is not None
        while len(ready := [each for each in self.events if each["event"] == "ready"]) < count:
            line = self.process.stdout.readline()
            assert line, (self.events, self.process.communicate(), self.process.returncode)
            self.events.append(json.loads(line))
        return [each["pid"] for each in ready]

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        self.process.communicate(timeout=60)
        return self.process.returncode


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    started: list[Up] = []

    def start(*options: str) -> Up:
        write_shop(tmp_path / "shop", 18080)
        started.append(Up(tmp_path / "shop", *options))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.communicate()


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def gone(pids: list[int]) -> None:
    eventually(lambda: not any(map(alive, pids)), "no Envoy is left")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_up_ends_cleanly_and_its_envoys_with_it(up: Callable[..., Up], number: int, code: int) -> None:
    running = up()
    sidecars = running.until_ready()
    assert running.end(number) == code
    assert not any(map(alive, sidecars))


def test_a_killed_up_leaves_no_envoy_and_runs_again(up: Callable[..., Up]) -> None:
    first = up()
    sidecars = first.until_ready()
    first.end(signal.SIGKILL)
    gone(sidecars)
    second = up()
    second.until_ready()
    assert second.end(signal.SIGTERM) == 0


def test_up_prints_the_gates_decision_and_where_destinations_are(up: Callable[..., Up]) -> None:
    running = up()
    running.until_ready()
    denied = [each for each in running.events if each["event"] == "denied"]
    assert [each["subject"] for each in denied] == ["Deployment shop/marketing"]
    assert "fix" in denied[0]["message"]
    (reachable,) = [each["reachable"] for each in running.events if each["subject"] == "shop/orders-lawflow"]
    assert reachable["billing.shop:8080"].startswith("127.")
    running.end(signal.SIGTERM)


def test_a_second_up_on_the_folder_says_why_it_cannot(up: Callable[..., Up]) -> None:
    first = up()
    first.until_ready()
    second = up()
    _, said = second.process.communicate(timeout=60)
    assert second.process.returncode == 1
    assert "is run by another process" in said
    first.end(signal.SIGTERM)


def test_a_port_that_is_taken_is_named(up: Callable[..., Up]) -> None:
    first = up("--xds-port", "18999")
    first.until_ready()
    folder = Path(first.process.args[-1]).parent / "other"  # type: ignore[index,arg-type]
    write_shop(folder, 18080)
    second = subprocess.run(
        [*COMMAND, "up", "--xds-port", "18999", str(folder)], capture_output=True, text=True, timeout=60, check=False
    )
    assert second.returncode == 1
    assert "cannot listen on 127.0.0.1:18999" in second.stderr
    assert "Traceback" not in second.stderr
    first.end(signal.SIGTERM)


def test_a_missing_envoy_is_said_with_the_fix(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    write_shop(folder, 18080)
    environment = {**os.environ, "LAWFLOW_ENVOY": "/nonexistent/envoy"}
    demo = subprocess.run([*COMMAND, "demo"], capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert demo.returncode == 1
    assert "LAWFLOW_ENVOY names /nonexistent/envoy" in demo.stderr
    assert "Traceback" not in demo.stderr


def test_the_demo_goes_as_promised_and_prints_it_as_data() -> None:
    demo = subprocess.run([*COMMAND, "demo", "--json"], capture_output=True, text=True, timeout=120, check=False)
    assert demo.returncode == 0, demo.stderr
    seen = json.loads(demo.stdout)
    assert {"denied", "allowed", "refused", "rotation"} <= seen.keys()
    assert seen["rotation"]["failed"] == 0
    assert seen["rotation"]["rotations"] >= 4
    assert seen["denied"]["workload"] == "Deployment shop/marketing"
    assert demo.stderr == ""
