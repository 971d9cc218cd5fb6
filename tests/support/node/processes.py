"""Processes on a node, seen from this machine: a node has a process namespace of its own, and ours sees into it."""

import os
import signal
from pathlib import Path


def kill_container(container_id: str) -> None:
    """Kills every process of a container, as an out-of-memory killer would.

    ``container_id`` is that of a pod's status, ``containerd://…``. Raises AssertionError where it has no process.
    """
    name = container_id.rpartition("/")[2]
    found = [int(pid) for pid in _pids() if name and name in _read(Path("/proc", pid, "cgroup"))]
    assert found, f"container {container_id} has no process"
    for process in found:
        os.kill(process, signal.SIGKILL)


def kill_program(*command: str) -> None:
    """Kills the process whose command line begins like this. Raises AssertionError unless there is exactly one."""
    wanted = "\0".join(command)
    found = [int(pid) for pid in _pids() if _read(Path("/proc", pid, "cmdline")).startswith(wanted)]
    assert len(found) == 1, f"{len(found)} processes run {' '.join(command)}"
    os.kill(found[0], signal.SIGKILL)


def _pids() -> list[str]:
    return [entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""  # it has ended
