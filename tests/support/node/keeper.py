"""Keeps a node no longer than it is wanted, and removes every trace of it: processes, cgroups, files.

It is there before anything else of a node, makes its folder, and starts the rest on the order START. It stands outside
the node's namespaces, in a session of its own that no Ctrl-C of a terminal reaches, and holds a lock as long as the
node is there. The node ends when whoever started it closes this process's standard input (as the kernel does for a
process that is killed), unless KEEP was written there first; when this process is asked to end (SIGTERM); and when the
node's first process ends. If this process itself is killed, its node ends with it, and the next ``remove_leftovers``
does what was left to do.
"""

import contextlib
import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.support.node import cgroups

START, KEEP = b"s", b"k"
SECONDS_TO_REMOVE_FILES = 10.0
CGROUPS_FILE = "cgroups"
PLAN_FILE = "plan.json"


def keep(lock: Path, directory: Path, listening: int, report: int) -> None:
    """Be the keeper of a node in that directory, which is made here; returns when nothing of it is left."""
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    asked, asking = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: os.write(asking, b"."))
    with lock.open("a+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.truncate(0)
        held.write(str(os.getpid()))
        held.flush()
        made: list[Path] = []
        child: subprocess.Popen[bytes] | None = None
        watched = [sys.stdin.fileno(), asked]
        try:
            directory.mkdir()
            _log_to(directory / "keeper.log")
            os.write(report, b'{"step": "a folder is there, and a keeper that will remove every trace"}\n')
            while not {asked, *watched[2:]} & set(select.select(watched, [], [])[0]):
                order = os.read(sys.stdin.fileno(), 1)
                if order == START:
                    made = cgroups.make(f"lawflow-{directory.name}-{os.getpid()}")
                    (directory / CGROUPS_FILE).write_text("\n".join(map(str, made)))
                    child = _start(directory, made, listening, report)
                    os.close(listening)
                    os.close(report)
                    watched.append(os.pidfd_open(child.pid))
                elif order == KEEP:
                    watched[0] = asked
                else:
                    return
        finally:
            if child is not None:
                child.kill()
                child.wait()
            cgroups.remove(made)
            _remove(directory)
            lock.unlink(missing_ok=True)


def remove_leftovers(directory: Path) -> None:
    """Removes what a node has left whose keeper was killed."""
    with contextlib.suppress(FileNotFoundError):
        cgroups.remove([Path(line) for line in (directory / CGROUPS_FILE).read_text().splitlines()])
    _remove(directory)


def _start(directory: Path, made: list[Path], listening: int, report: int) -> subprocess.Popen[bytes]:
    plan = directory / PLAN_FILE
    isolation = [sys.executable, "-m", "tests.support.node.isolation", str(plan), str(listening), str(report)]
    return subprocess.Popen(
        ["unshare", "--mount", "--net", "--uts", "--ipc", "--cgroup", *isolation],
        stdin=subprocess.PIPE,
        pass_fds=(listening, report),
        preexec_fn=lambda: cgroups.join(made),
    )


def _log_to(file: Path) -> None:
    with file.open("ab") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())


def _remove(directory: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_REMOVE_FILES
    while directory.exists() and time.monotonic() < deadline:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    keep(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
