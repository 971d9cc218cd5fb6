"""A real one-node Kubernetes for people: kind's where a Docker engine is, else one in namespaces of its own.

``python -m tests.support.node up`` brings it up and prints, for ``eval``, what a shell needs to reach it;
``load ARCHIVE…`` puts images of OCI archives onto it; ``down`` ends it and removes every trace.

Exit 0: done. 1: it could not be done here. 2: bad usage.
"""

import fcntl
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, NoReturn

from tests.support import kind, toolchain
from tests.support.builds import BuildError, cache
from tests.support.node.cluster import NodeCluster, require_node
from tests.support.node.cluster import load as put_onto_node
from tests.support.node.keeper import remove_leftovers
from tests.support.node.programs import programs
from tests.support.unavailable import UnavailableError

NAME = "lawflow"
SECONDS_TO_END = 30.0
SECONDS_BETWEEN_LOOKS = 0.05


def up() -> None:
    """Bring the cluster up, unless it is."""
    _directory().parent.mkdir(parents=True, exist_ok=True)
    if _docker():
        _kind_up()
    else:
        _node_up()
    print(f"export KUBECONFIG={shlex.quote(str(_directory() / 'kubeconfig'))}", flush=True)
    if folder := _missing_programs():
        print(f'export PATH="$PATH":{shlex.quote(str(folder))}', flush=True)


def down() -> None:
    """End the cluster, if there is one."""
    if _docker():
        _kind("delete", "cluster")
        remove_leftovers(_directory())
    elif _lock().exists():
        _node_down()
        _say("the cluster is gone: its processes, cgroups and files")
    else:
        _say("there is no cluster")


def load(*archives: str) -> None:
    """Put images onto the cluster."""
    if not (_directory() / "kubeconfig").exists():
        raise UnavailableError("there is no cluster; `make cluster` brings one up")
    for archive in archives:
        if _docker():
            _kind("load", "image-archive", archive)
        else:
            put_onto_node(_directory(), Path(archive))
        _say(f"{archive} is on the node")


def _node_up() -> None:
    require_node()
    programs()
    with _lock().open("a+") as lock:
        if not _taken(lock):
            _say("a cluster is up already; `make cluster-down` ends it")
            return
        remove_leftovers(_directory())
    _say(
        "starting a Kubernetes node in namespaces of its own; this machine's network, mounts and rules stay as they are"
    )
    began = time.monotonic()
    cluster = NodeCluster(_directory(), _lock(), _say)
    (_directory() / "kubeconfig").hardlink_to(cluster.admin.kubeconfig)
    cluster.hand_over()
    _say(f"up after {time.monotonic() - began:.0f} s; `make cluster-down` ends it")


def _node_down() -> None:
    deadline = time.monotonic() + SECONDS_TO_END
    with _lock().open("a+") as lock:
        while not _taken(lock):
            if time.monotonic() > deadline:
                raise UnavailableError(f"the cluster's keeper did not end within {SECONDS_TO_END:.0f} s")
            lock.seek(0)
            if keeper := lock.read():
                os.kill(int(keeper), signal.SIGTERM)
            time.sleep(SECONDS_BETWEEN_LOOKS)
        remove_leftovers(_directory())
        _lock().unlink(missing_ok=True)


def _kind_up() -> None:
    asked = [str(toolchain.kind()), "get", "clusters", "--quiet"]
    if NAME in subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split():
        _say("a kind cluster is up already; `make cluster-down` ends it")
        return
    _directory().mkdir(exist_ok=True)
    kubeconfig = f"--kubeconfig={_directory() / 'kubeconfig'}"
    _kind("create", "cluster", kubeconfig, f"--image={kind.NODE_IMAGE}", "--wait=120s")


def _kind(*arguments: str) -> None:
    done = subprocess.run([str(toolchain.kind()), *arguments, f"--name={NAME}"], check=False)
    if done.returncode:
        raise UnavailableError(f"kind {arguments[0]} {arguments[1]} ended with {done.returncode}; it said why above")


def _directory() -> Path:
    return cache() / "running-cluster"


def _lock() -> Path:
    return cache() / "running-cluster.lock"


def _taken(lock: IO[str]) -> bool:
    """Whether nobody held the lock, so that it is held by this process now."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _missing_programs() -> Path | None:
    """A folder with those of kubectl and Helm that are not on PATH; None where both are, or cannot be had."""
    folder = _directory() / "bin"
    for name, find in {"kubectl": toolchain.kubectl, "helm": toolchain.helm}.items():
        if shutil.which(name) or (folder / name).exists():
            continue
        try:
            program = find()
        except UnavailableError as reason:
            _say(f"{name} is not on PATH, and cannot be had here: {reason}")
            continue
        folder.mkdir(exist_ok=True)
        (folder / name).symlink_to(program)
    return folder if folder.is_dir() else None


def _docker() -> bool:
    try:
        kind.docker()
    except UnavailableError:
        return False
    return True


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _interrupted(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def main(arguments: list[str]) -> int:
    """Do as told."""
    commands: dict[str, Callable[..., None]] = {"up": up, "down": down, "load": load}
    if not arguments or arguments[0] not in commands or (len(arguments) > 1) != (arguments[0] == "load"):
        _say("usage: python -m tests.support.node up|down|load ARCHIVE…")
        return 2
    signal.signal(signal.SIGTERM, _interrupted)
    try:
        commands[arguments[0]](*arguments[1:])
    except (UnavailableError, BuildError, RuntimeError, AssertionError) as reason:
        _say(f"{arguments[0]}: {reason}")
        return 1
    except KeyboardInterrupt:
        _say("interrupted; nothing is left behind")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
