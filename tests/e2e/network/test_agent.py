"""The process that keeps the plugin on a node, in folders of a test's own: no cluster is needed."""

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.support.pod_network import program
from tests.support.waiting import eventually

from lawflow.model import sidecar

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

PLUGIN = "lawflow-network"
LIST = '{\n  "cniVersion": "0.3.1", "name": "pods",\n  "plugins": [\n    {"type": "ptp",  "mtu": 1400}\n  ]\n}\n'
SINGLE = '{"cniVersion": "0.3.1", "name": "single", "type": "bridge"}'
ENTRY = {
    "type": PLUGIN,
    "capabilities": {"io.kubernetes.cri.pod-annotations": True},
    "sidecarUser": sidecar.USER_ID,
    "outboundPort": sidecar.OUTBOUND_PORT,
    "peerPort": sidecar.PEER_PORT,
    "healthPort": sidecar.HEALTH_PORT,
}
"""What the program writes by default, told by the constants that everything else goes by."""


@dataclass
class Node:
    """The two folders of a node, and the processes that look after them."""

    programs: Path
    configurations: Path
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *options: str) -> subprocess.Popen[str]:
        command = [str(program()), "node", *self._folders(), *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.running.append(process)
        return process

    def ready(self, *options: str) -> bool:
        command = [str(program()), "ready", *self._folders(), *options]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def until_ready(self, *options: str) -> None:
        eventually(lambda: self.ready(*options), "the agent to be ready")

    def plugins(self, name: str) -> list[dict[str, object]]:
        found: list[dict[str, object]] = json.loads((self.configurations / name).read_text())["plugins"]
        return found

    def files(self) -> dict[str, bytes]:
        folders = (self.programs, self.configurations)
        return {f"{folder.name}/{path.name}": path.read_bytes() for folder in folders for path in folder.iterdir()}

    def _folders(self) -> list[str]:
        return [f"--cni-bin-dir={self.programs}", f"--cni-conf-dir={self.configurations}"]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path / "bin", tmp_path / "net.d")
    made.programs.mkdir()
    made.configurations.mkdir()
    (made.programs / "ptp").write_text("another plugin")
    yield made
    for process in made.running:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=60)
    return process.returncode, error


def test_it_installs_what_the_other_parts_expect_and_an_end_leaves_it(node: Node) -> None:
    (node.configurations / "10-pods.conflist").write_text(LIST)
    assert not node.ready()
    agent = node.start()
    node.until_ready()
    assert node.plugins("10-pods.conflist") == [{"type": "ptp", "mtu": 1400}, ENTRY]
    assert (node.programs / PLUGIN).read_bytes() == program().read_bytes()
    assert (node.programs / PLUGIN).stat().st_mode & 0o777 == 0o755
    installed = node.files()
    assert ended(agent) == (0, "")
    assert node.files() == installed
    node.start()
    node.until_ready()
    assert node.files() == installed, "a second agent finds nothing to do"


@pytest.mark.parametrize(
    "before",
    [
        {"10-pods.conflist": LIST},
        {"10-pods.conflist": LIST, "20-others.conflist": LIST.replace("ptp", "bridge")},
        {"10-single.conf": SINGLE, "20-others.conflist": LIST},
        {"10-single.json": SINGLE, "README": "not a configuration"},
    ],
    ids=["a list", "two lists", "a single one before a list", "JSON"],
)
def test_nothing_of_it_stays_once_it_is_removed(node: Node, before: dict[str, str]) -> None:
    for name, text in before.items():
        (node.configurations / name).write_text(text)
    untouched = node.files()
    agent = node.start()
    node.until_ready()
    first = min(path for path in node.configurations.iterdir() if path.suffix in (".conf", ".conflist", ".json"))
    assert node.plugins(first.name)[-1] == ENTRY
    assert sum(PLUGIN.encode() in content for content in node.files().values()) == 2, "the program, and one list"
    assert ended(agent) == (0, "")
    assert not node.ready("--remove")
    remover = node.start("--remove")
    node.until_ready("--remove")
    eventually(lambda: node.files() == untouched, "the folders as they were")
    assert remover.poll() is None, "it stays, idle"
    assert ended(remover) == (0, "")
    assert node.files() == untouched


def test_it_repairs_what_others_rewrite_or_delete(node: Node) -> None:
    listed = node.configurations / "10-pods.conflist"
    listed.write_text(LIST)
    node.start()
    node.until_ready()
    listed.write_text(LIST.replace("1400", "9000"))
    eventually(lambda: node.plugins(listed.name)[1:] == [ENTRY], "the entry in the list that was rewritten")
    assert node.plugins(listed.name)[0]["mtu"] == 9000
    (node.programs / PLUGIN).unlink()
    node.until_ready()
    (node.programs / PLUGIN).chmod(0o600)
    node.until_ready()
    (node.configurations / "05-pods.conflist").write_text(LIST)
    eventually(lambda: node.plugins("05-pods.conflist")[1:] == [ENTRY], "the entry in the list that is the first now")


def test_it_waits_for_a_configuration_that_comes_later_or_is_half_written(node: Node) -> None:
    agent = node.start()
    assert agent.stderr is not None
    assert "no network configuration yet" in agent.stderr.readline()
    assert not node.ready()
    (node.configurations / "10-pods.conflist").write_text(LIST[:30])
    assert "10-pods.conflist does not take the plugin: it is no JSON object" in agent.stderr.readline()
    (node.configurations / "10-pods.conflist").write_text(LIST)
    node.until_ready()


def test_a_list_that_would_be_refused_with_the_plugin_is_left_alone(node: Node) -> None:
    old = LIST.replace("0.3.1", "0.2.0")
    (node.configurations / "10-pods.conflist").write_text(old)
    agent = node.start()
    assert agent.stderr is not None
    assert '"0.2.0"' in agent.stderr.readline()
    assert (node.configurations / "10-pods.conflist").read_text() == old


def test_a_new_release_replaces_program_and_entry_and_a_call_that_runs_goes_on(node: Node) -> None:
    (node.configurations / "10-pods.conflist").write_text(LIST)
    old = node.programs / PLUGIN
    old.write_text("#!/bin/sh\necho began\nread line\necho ended\n")
    old.chmod(0o755)
    call = subprocess.Popen([str(old)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert call.stdout is not None
    assert call.stdout.readline() == "began\n"
    first = node.start("--outbound-port=15002")
    node.until_ready("--outbound-port=15002")
    assert old.read_bytes() == program().read_bytes()
    assert call.communicate("go on\n")[0] == "ended\n"
    assert node.plugins("10-pods.conflist")[-1]["outboundPort"] == 15002
    assert ended(first) == (0, "")
    node.start()
    node.until_ready()
    assert node.plugins("10-pods.conflist")[1:] == [ENTRY]


def test_it_tells_of_a_folder_that_it_cannot_write_to(node: Node, read_only: Callable[[Path], None]) -> None:
    (node.configurations / "10-pods.conflist").write_text(LIST)
    read_only(node.programs)
    agent = node.start()
    assert agent.stderr is not None
    told = agent.stderr.readline()
    assert f"{node.programs}/{PLUGIN} cannot be written" in told
    assert "network.cniBinDir" in told
    assert (node.configurations / "10-pods.conflist").read_text() == LIST, "no list names a program that is not there"


@pytest.fixture
def read_only() -> Iterator[Callable[[Path], None]]:
    """Covers a folder with itself, not to be written; root can write to any other."""
    covered: list[Path] = []

    def cover(folder: Path) -> None:
        subprocess.run(["mount", "--bind", str(folder), str(folder)], check=True)
        covered.append(folder)
        subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)

    yield cover
    for folder in covered:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "a command is missing"),
        (["play"], "no command"),
        (["apply", "--node-address=x"], "node-address"),
        (["check", "--peer-port=99999"], "peer-port"),
        (["node", "--colour=red"], "--colour"),
    ],
)
def test_wrong_use_is_told(arguments: list[str], told: str) -> None:
    done = subprocess.run([str(program()), *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, told in done.stderr) == (2, True), done.stderr
