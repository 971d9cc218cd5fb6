"""Cgroups of a node's own: below this process's in each hierarchy of version 1, below the root in version 2."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

SECONDS_TO_REMOVE = 10.0
ROOT = Path("/sys/fs/cgroup")
LEAF = "init"


def unified() -> bool:
    """Whether this machine has cgroup version 2 alone."""
    return (ROOT / "cgroup.controllers").exists()


def make(name: str) -> list[Path]:
    """Makes a cgroup of that name in each hierarchy."""
    made = [directory / name for directory in ([ROOT] if unified() else _own())]
    for cgroup in made:
        cgroup.mkdir()
        for setting in ("cpuset.cpus", "cpuset.mems"):  # version 1 leaves them empty, and then nothing may enter
            if not unified() and (cgroup / setting).exists():
                (cgroup / setting).write_text((cgroup.parent / setting).read_text())
    return made


def join(cgroups: list[Path]) -> None:
    """Puts this process into them."""
    for cgroup in cgroups:
        (cgroup / "cgroup.procs").write_text("0")


def delegate() -> None:
    """Within a cgroup namespace of version 2: hands all controllers on, which takes a root without processes."""
    (ROOT / LEAF).mkdir()
    (ROOT / LEAF / "cgroup.procs").write_text("0")
    controllers = (ROOT / "cgroup.controllers").read_text().split()
    (ROOT / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in controllers))


def remove(cgroups: list[Path]) -> None:
    """Kills what is left in them and removes them. Raises OSError where one does not go within ten seconds."""
    deadline = time.monotonic() + SECONDS_TO_REMOVE
    for cgroup in cgroups:
        while cgroup.exists():
            for directory in [*sorted(cgroup.glob("**/"), reverse=True), cgroup]:
                try:
                    directory.rmdir()
                except FileNotFoundError:
                    continue
                except OSError:
                    _kill(directory)
                    if time.monotonic() > deadline:
                        raise
            time.sleep(0.01)


def version_one() -> Iterator[str]:
    """The controllers of each hierarchy, as mount(8) takes them."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, _ = line.split(":", 2)
        if controllers:
            yield controllers


def _own() -> Iterator[Path]:
    """This process's cgroup in each hierarchy of version 1."""
    mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        wanted = set(controllers.split(","))
        for fields in mounts:
            root, point, dash = fields[3], fields[4], fields.index("-")
            if fields[dash + 1] == "cgroup" and controllers and wanted <= set(fields[dash + 3].split(",")):
                yield Path(point) / os.path.relpath(path, root)
                break


def _kill(cgroup: Path) -> None:
    with contextlib.suppress(FileNotFoundError, OSError):
        for pid in (cgroup / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
