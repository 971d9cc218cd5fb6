"""Turns namespaces that are still like the host into a node's: mounts, cgroups and a network of its own.

Run as a program within new mount, network, host name, IPC and cgroup namespaces; starts tests.support.node.init in a
process namespace as well, once more for each time that it ends to be restarted. Nothing done here is seen from outside:
mounts are private, folders that a node writes to lie in memory, and kernel settings that know no namespace are covered
by plain files, so that a kubelet that sets them sets nothing.
"""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.node import cgroups
from tests.support.node.orders import RESTART_STATUS
from tests.support.node.plan import ADDRESS, ADDRESS_V6, NAME, Plan

OWN_FOLDERS = ("/var/lib", "/var/log", "/run")
"""Where etcd, kubelet, containerd and CNI plugins keep their files, some at paths that cannot be chosen.

In memory: what a node wrote is gone with it at once, where removing as many files from a disk can take half a minute.
"""
PID_FILE = "node.pid"
"""In the node's folder: the process that is in all its namespaces but that of processes."""
_DETACH = 2
_SIGNAL_AT_PARENTS_DEATH = 1
HOST_SETTINGS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
"""What a kubelet sets at its start for the whole machine, below /proc/sys."""


def isolate() -> None:
    """Everything but the process namespace."""
    _run("mount", "--make-rprivate", "/")
    for folder in OWN_FOLDERS:
        _run("mount", "-t", "tmpfs", "tmpfs", folder, "-o", "mode=755")
    _run("mount", "-t", "sysfs", "sysfs", "/sys")
    _mount_cgroups()
    _run("hostname", NAME)
    for command in (
        "link set lo up",
        "link add node type veth peer name nowhere",
        f"address add {ADDRESS}/24 dev node",
        f"address add {ADDRESS_V6}/64 dev node nodad",
        "link set node up",
        "link set nowhere up",
        "route add default dev node",
        "-6 route add default dev node",
    ):
        _run("ip", *command.split())


def protect_host_settings(directory: Path) -> None:
    """Covers kernel settings that know no namespace, and sets the ones that do; wants this node's /proc."""
    for name in HOST_SETTINGS:
        setting, cover = Path("/proc/sys", name), directory / "settings" / name
        cover.parent.mkdir(parents=True, exist_ok=True)
        cover.write_text(setting.read_text())
        _run("mount", "--bind", str(cover), str(setting))
    for forwarding in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        Path("/proc/sys/net", forwarding).write_text("1")


def mount_processes() -> None:
    """This process namespace's /proc; then mounts propagate, as a kubelet wants it."""
    _run("mount", "-t", "proc", "proc", "/proc")
    _run("mount", "--make-rshared", "/")


def _mount_cgroups() -> None:
    if cgroups.unified():
        _run("mount", "-t", "cgroup2", "cgroup2", str(cgroups.ROOT))
        cgroups.delegate()
        return
    _run("mount", "-t", "tmpfs", "tmpfs", str(cgroups.ROOT), "-o", "mode=755")
    for controllers in cgroups.version_one():
        point = cgroups.ROOT / controllers.removeprefix("name=")
        point.mkdir()
        options = f"none,{controllers}" if controllers.startswith("name=") else controllers
        _run("mount", "-t", "cgroup", "cgroup", str(point), "-o", options)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")


def forget_what_ran(path: str) -> None:
    """What a machine's memory held before it was started again: mounts, /run, rules of the packet filter."""
    library = ctypes.CDLL(None, use_errno=True)
    library.umount2(b"/proc", _DETACH)  # of the process namespace that is gone, and what covers its settings
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for point in reversed(mounted):
        if point.startswith(tuple(f"{folder}/" for folder in OWN_FOLDERS)):
            library.umount2(point.encode().decode("unicode_escape").encode(), _DETACH)
    library.umount2(b"/run", _DETACH)
    _run("mount", "-t", "tmpfs", "tmpfs", "/run", "-o", "mode=755")
    subprocess.run(["nft", "flush", "ruleset"], env={"PATH": path}, check=True)


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_SIGNAL_AT_PARENTS_DEATH, signal.SIGKILL)


def main(plan_file: str, listening: str, report: str) -> int:
    """Isolate, and be the parent of the first process of a process namespace."""
    plan = Plan.read(Path(plan_file))
    isolate()
    (plan.directory / PID_FILE).write_text(str(os.getpid()))
    first = [sys.executable, "-m", "tests.support.node.init", plan_file, listening, report]
    while True:
        ended = subprocess.run(
            ["unshare", "--pid", "--fork", "--kill-child", *first],
            pass_fds=(int(listening), int(report)), preexec_fn=_end_with_parent, check=False,
        ).returncode  # fmt: skip
        if ended != RESTART_STATUS:
            return ended
        forget_what_ran(plan.path)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
