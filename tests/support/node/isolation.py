"""Turns namespaces that are still like the host into a node's: mounts, cgroups and a network of its own.

Run as a program within new mount, network, host name, IPC and cgroup namespaces; goes on as tests.support.node.init
in a process namespace as well. Nothing done here is seen from outside: mounts are private, folders that a node writes
to lie in memory, and kernel settings that know no namespace are covered by plain files, so that a
kubelet that sets them sets nothing.
"""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.node import cgroups
from tests.support.node.plan import ADDRESS, NAME

OWN_FOLDERS = ("/var/lib", "/var/log", "/run")
"""Where etcd, kubelet, containerd and CNI plugins keep their files, some at paths that cannot be chosen.

In memory: what a node wrote is gone with it at once, where removing as many files from a disk can take half a minute.
"""
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
        "link set node up",
        "link set nowhere up",
        "route add default dev node",
    ):
        _run("ip", *command.split())


def protect_host_settings(directory: Path) -> None:
    """Covers kernel settings that know no namespace, and sets the ones that do; wants this node's /proc."""
    for name in HOST_SETTINGS:
        setting, cover = Path("/proc/sys", name), directory / "settings" / name
        cover.parent.mkdir(parents=True, exist_ok=True)
        cover.write_text(setting.read_text())
        _run("mount", "--bind", str(cover), str(setting))
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


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


def main(arguments: list[str]) -> None:
    """Isolate, and go on as the first process of a process namespace."""
    isolate()
    first = [sys.executable, "-m", "tests.support.node.init", *arguments]
    os.execvp("unshare", ["unshare", "--pid", "--fork", "--kill-child", *first])


if __name__ == "__main__":
    main(sys.argv[1:])
