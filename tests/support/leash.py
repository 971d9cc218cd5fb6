"""Keeps the processes of a test from outliving it, even if the test runner is killed with signal 9.

A leash is a small process of its own (this file, run as a script) that waits for the test runner to let go of a pipe
or to die. Then it kills every process on the leash and removes their directory. The ordinary end of a test takes the
same way, so that it is walked in each run and not only after an accident.

The processes share a process group that the terminal's Ctrl-C does not reach: the test runner alone hears that, and
may still talk to them while it tidies up. The parent-death signal of prctl(2) would not do instead: it is sent when
the thread ends that started the process, and it removes no files.
"""

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

SECONDS_TO_REMOVE_FILES = 10.0


class Leash:
    """Starts processes that end, and whose directory is removed, no later than this process ends."""

    def __init__(self, directory: Path) -> None:
        command = [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(directory)]
        self._keeper = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0)
        assert self._keeper.stdout is not None
        self._group = int(self._keeper.stdout.readline())
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Starts a process on the leash; what it prints goes to the end of the file ``log``."""
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                process_group=self._group,
            )
        self._processes.append(process)
        return process

    def close(self) -> None:
        """Kills all processes on the leash, removes the directory, and returns when both is done."""
        self._keeper.communicate()
        for process in self._processes:
            process.kill()
            process.wait()


def _keep(holder: int, directory: Path) -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    group = _new_process_group()
    print(group, flush=True)
    _wait_for_the_end_of(holder)
    os.killpg(group, signal.SIGKILL)
    deadline = time.monotonic() + SECONDS_TO_REMOVE_FILES
    while directory.exists() and time.monotonic() < deadline:
        shutil.rmtree(directory, ignore_errors=True)  # a dying process may still add a file: then once more


def _new_process_group() -> int:
    """A group that lasts: its first member only waits, so that the group's number is not given to another."""
    reading, writing = os.pipe()
    member = os.fork()
    if member == 0:
        os.setpgid(0, 0)
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    os.setpgid(member, member)
    return member


def _wait_for_the_end_of(holder: int) -> None:
    """Returns when standard input is closed, or when the holder is gone though a child of its keeps the pipe open."""
    try:
        holder_ends = os.pidfd_open(holder)
    except ProcessLookupError:
        return
    if os.getppid() == holder:
        select.select([sys.stdin, holder_ends], [], [])


if __name__ == "__main__":
    _keep(int(sys.argv[1]), Path(sys.argv[2]))
