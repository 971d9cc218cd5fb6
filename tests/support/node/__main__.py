"""``python -m tests.support.node up`` brings up a real one-node Kubernetes and prints where its kubeconfig is;
``down`` ends it and removes every trace. With a Docker engine at hand it is kind's, else one in namespaces of its own.

Exit 0: done. 1: it could not be done here. 2: bad usage.
"""

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, NoReturn

from tests.support import kind, toolchain
from tests.support.builds import BuildError, cache
from tests.support.node.cluster import NodeCluster, require_node
from tests.support.node.keeper import remove_leftovers
from tests.support.node.programs import programs
from tests.support.unavailable import UnavailableError

NAME = "lawflow"
SECONDS_TO_END = 30.0
SECONDS_BETWEEN_LOOKS = 0.05


def up() -> None:
    """Bring the cluster up, unless it is."""
    directory = _directory()
    directory.parent.mkdir(parents=True, exist_ok=True)
    if _docker():
        directory.mkdir(exist_ok=True)
        flags = [f"--name={NAME}", f"--kubeconfig={directory / 'kubeconfig'}"]
        command = [str(toolchain.kind()), "create", "cluster", *flags, f"--image={kind.NODE_IMAGE}", "--wait=120s"]
        subprocess.run(command, check=True)
        _tell("a kind cluster is up", directory)
        return
    require_node()
    programs()
    with _lock().open("a+") as lock:
        if not _taken(lock):
            _tell("a cluster is up already; `make cluster-down` ends it", directory)
            return
        remove_leftovers(directory)
    _say(
        "starting a Kubernetes node in namespaces of its own; this machine's network, mounts and rules stay as they are"
    )
    began = time.monotonic()
    cluster = NodeCluster(directory, _lock(), _say)
    (directory / "kubeconfig").hardlink_to(cluster.admin.kubeconfig)
    cluster.hand_over()
    _tell(f"up after {time.monotonic() - began:.0f} s; `make cluster-down` ends it", directory)


def down() -> None:
    """End the cluster, if there is one."""
    directory = _directory()
    if _docker():
        subprocess.run([str(toolchain.kind()), "delete", "cluster", f"--name={NAME}"], check=True)
        remove_leftovers(directory)
        return
    if not _lock().exists():
        _say("there is no cluster")
        return
    with _lock().open("a+") as lock:
        deadline = time.monotonic() + SECONDS_TO_END
        while not _taken(lock):
            if time.monotonic() > deadline:
                raise UnavailableError(f"the cluster's keeper did not end within {SECONDS_TO_END:.0f} s")
            lock.seek(0)
            if keeper := lock.read():
                os.kill(int(keeper), signal.SIGTERM)
            time.sleep(SECONDS_BETWEEN_LOOKS)
        remove_leftovers(directory)
        _lock().unlink(missing_ok=True)
    _say("the cluster is gone: its processes, cgroups and files")


def _directory() -> Path:
    return cache() / "cluster"


def _lock() -> Path:
    return cache() / "cluster.lock"


def _taken(lock: IO[str]) -> bool:
    """Whether nobody held the lock, so that it is held by this process now."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _docker() -> bool:
    try:
        kind.docker()
    except UnavailableError:
        return False
    return True


def _tell(what: str, directory: Path) -> None:
    _say(what)
    print(f"export KUBECONFIG={directory / 'kubeconfig'}", flush=True)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _interrupted(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def main(arguments: list[str]) -> int:
    """Do as told."""
    commands = {"up": up, "down": down}
    if len(arguments) != 1 or arguments[0] not in commands:
        _say("usage: python -m tests.support.node up|down")
        return 2
    signal.signal(signal.SIGTERM, _interrupted)
    try:
        commands[arguments[0]]()
    except (UnavailableError, BuildError, RuntimeError, AssertionError) as reason:
        _say(f"{arguments[0]}: {reason}")
        return 1
    except KeyboardInterrupt:
        _say("interrupted; nothing is left behind")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
