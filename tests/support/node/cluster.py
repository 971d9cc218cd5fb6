"""A real one-node Kubernetes in namespaces of its own, on a Linux machine with root and without a container engine.

This machine's network, mounts and rules stay as they are: the node shares with it the kernel, one directory, and one
port on the loopback address, at which API requests are passed in.
"""

import contextlib
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.support import component_flags
from tests.support.authority import Authority, KeyPair
from tests.support.builds import GO_MODULES, cache
from tests.support.cluster import Cluster, Object
from tests.support.node import configuration, dns, oci, orders
from tests.support.node.init import LET_GO
from tests.support.node.isolation import PID_FILE
from tests.support.node.keeper import KEEP, PLAN_FILE, START
from tests.support.node.plan import ADDRESS, ADDRESS_V6, NAME, Component, Plan
from tests.support.node.processes import kill_program
from tests.support.node.programs import containerd, programs
from tests.support.unavailable import UnavailableError
from tests.support.waiting import eventually

ROOT = GO_MODULES.parent
SERVICE_OF_THE_API = "10.96.0.1"
TOOLS = ("unshare", "nsenter", "mount", "hostname", "ip")
LONGEST_SOCKET = "running-cluster/containerd.sock.ttrpc"
LONGEST_SOCKET_PATH = 107
"""Bytes of the path of a unix socket (unix(7))."""
SECONDS_TO_END = 30.0
SECONDS_TO_OBEY = 180.0


def require_node() -> None:
    """Raises UnavailableError, with what is missing, where no node can run."""
    if not sys.platform.startswith("linux") or platform.machine() not in oci.ARCHITECTURES:
        raise UnavailableError(f"a node runs on Linux on x86-64 or arm64, and this is {sys.platform}")
    if os.geteuid() != 0:
        raise UnavailableError("a node needs root: namespaces with mounts and cgroups of their own")
    if lacking := [tool for tool in TOOLS if shutil.which(tool) is None]:
        raise UnavailableError(f"a node needs {', '.join(lacking)} (of util-linux, hostname and iproute2)")
    if len(os.fsencode(cache() / LONGEST_SOCKET)) > LONGEST_SOCKET_PATH:
        raise UnavailableError(
            f"{cache()} is too long a path for the sockets in it: set LAWFLOW_CACHE to a shorter one"
        )


class NodeCluster(Cluster):
    """A control plane and a node that last until they are closed, or this process ends and did not hand them over.

    ``say`` is told in plain words what was done, and after how many seconds.
    """

    def __init__(self, directory: Path, lock: Path, say: Callable[[str], None]) -> None:
        """Starts everything in a directory that is not there yet; the keeper holds ``lock`` meanwhile. Needs root."""
        self._programs = programs()
        self._began, self._say_to = time.monotonic(), say
        self._directory = directory
        self._keeper: subprocess.Popen[bytes] | None = None
        self._ended: set[str] = set()
        """Components that were ended and not started again."""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._port: int = self._listening.getsockname()[1]
        self._reports = os.fdopen(self._start_keeper(lock))
        try:
            self._follow(until="a folder")
            self._authority = Authority(directory, "ca")
            connection = {
                "server": f"https://127.0.0.1:{self._port}",
                "certificate-authority-data": self._authority.bundle(),
            }
            administrator = self._authority.client("admin", ["system:masters"])
            super().__init__(directory, connection, _user_entry(administrator))
            self._write_configuration()
            self._order(START)
            self._follow(until="kube-apiserver")
            self.kubectl("apply", "--server-side", "--filename=-", input=dns.objects())
            self._follow(until="coredns")
            self._settle()
        except BaseException:
            self.close()
            raise

    def load(self, archive: Path) -> None:
        """Puts the images of an OCI archive onto the node."""
        load(self._directory, archive)

    @property
    def plugins(self) -> Path:
        """The node's folder of CNI plugins."""
        return configuration.plugins(self._directory)

    @property
    def networks(self) -> Path:
        """The node's folder of network configurations."""
        return configuration.networks(self._directory)

    def log(self, component: str) -> Path:
        """What a component of the node printed so far."""
        return self._directory / f"{component}.log"

    def kill_kubelet(self) -> None:
        """Kills it; it is started again. Pods run on meanwhile, and get new certificates afterwards."""
        kill_program(str(self._programs.node / "kubelet"), f"--config={self._directory / 'kubelet.yaml'}")

    def hand_over(self) -> None:
        """Lets the cluster outlive this process; its keeper ends it when asked to."""
        self._order(KEEP)
        assert self._keeper is not None
        self._keeper.returncode = 0  # no longer this process's to wait for
        self._keeper = None
        self._reports.close()

    def close(self) -> None:
        """Ends it; tells why where it had ended by itself."""
        self._listening.close()
        if self._keeper is not None:
            self._keeper.communicate(timeout=SECONDS_TO_END)
        with self._reports:
            for said in map(json.loads, self._reports):
                if (reason := said.get("failed", LET_GO)) != LET_GO:
                    self._say(f"the node had ended: {reason}")

    def start(self, component: str) -> None:
        orders.give(self._directory, "start", SECONDS_TO_OBEY, component=component)
        self._ended.discard(component)

    def stop(self, component: str) -> None:
        self._end(component, signal.SIGTERM)

    def kill(self, component: str) -> None:
        self._end(component, signal.SIGKILL)

    def mend(self) -> None:
        for component in sorted(self._ended):  # etcd first
            self.start(component)

    def restart(self) -> None:
        """Ends the node as a power failure would, and starts it again with what its disk holds."""
        with contextlib.suppress(AssertionError):  # who gets the order gives no answer
            orders.give(self._directory, "restart", SECONDS_TO_OBEY)
        self._ended.clear()
        orders.give(self._directory, "settle", SECONDS_TO_OBEY)

    def on_node(self, *command: str) -> str:
        """Runs a program of this machine among the node's files and in its network; returns what it printed."""
        pid = (self._directory / PID_FILE).read_text()
        done = subprocess.run(
            ["nsenter", f"--target={pid}", "--mount", "--net", "--", *command],
            capture_output=True, text=True, check=False, timeout=SECONDS_TO_OBEY,
        )  # fmt: skip
        assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}"
        return done.stdout

    def _end(self, component: str, number: signal.Signals) -> None:
        orders.give(self._directory, "end", SECONDS_TO_OBEY, component=component, signal=int(number))
        self._ended.add(component)

    def _credentials(self, name: str, groups: Sequence[str]) -> Object:
        return _user_entry(self._authority.client(name, groups))

    def _say(self, text: str) -> None:
        self._say_to(f"{time.monotonic() - self._began:5.1f} s  {text}")

    def _start_keeper(self, lock: Path) -> int:
        """Returns the pipe to read reports from."""
        reports, report = os.pipe()
        handed = (self._listening.fileno(), report)
        self._keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.support.node.keeper", str(lock), str(self._directory), *map(str, handed)],
            stdin=subprocess.PIPE,
            pass_fds=handed,
            cwd=ROOT,
            env={"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": f"{ROOT}:{ROOT / 'operator'}"},
            start_new_session=True,
        )
        os.close(report)
        self._listening.close()
        return reports

    def _order(self, order: bytes) -> None:
        assert self._keeper is not None
        assert self._keeper.stdin is not None
        self._keeper.stdin.write(order)
        self._keeper.stdin.flush()

    def _follow(self, until: str) -> None:
        """Tells on what keeper and node report, up to the step that begins like this."""
        for line in self._reports:
            said = json.loads(line)
            if "failed" in said:
                raise RuntimeError(said["failed"])
            self._say(said["step"])
            if said["step"].startswith(until):
                return
        log = self._directory / "keeper.log"
        raise RuntimeError(f"the node did not start: {log.read_text() if log.exists() else 'its files are gone'}")

    def _settle(self) -> None:
        with tempfile.TemporaryDirectory(prefix="lawflow-pause-") as folder:
            self.load(pause_image(self._programs.busybox, Path(folder)))
        self.kubectl("wait", "--for=condition=Ready", f"node/{NAME}", "--timeout=60s")
        self._say("the node is Ready")
        eventually(lambda: "taints" not in self.get("node", NAME)["spec"], "a node that takes pods")
        self.await_namespace("default")
        self._say("pods can be scheduled")

    def _write_configuration(self) -> None:
        directory, made = self._directory, self._programs
        paths = (made.containerd, made.runc.parent, made.nft.parent, made.busybox.parent)
        path = ":".join([*map(str, paths), "/usr/local/sbin", "/usr/sbin", "/sbin", os.defpath])
        serving = self._authority.server(
            "localhost", "kubernetes.default.svc", NAME, others=[ADDRESS, SERVICE_OF_THE_API]
        )
        configuration.networks(directory).mkdir(parents=True)
        configuration.plugins(directory).mkdir(parents=True)
        for plugin in made.plugins.iterdir():
            (configuration.plugins(directory) / plugin.name).symlink_to(plugin)
        at_once = configuration.plugins(directory) / configuration.AT_ONCE
        at_once.write_text(configuration.ADDRESSES_AT_ONCE, encoding="utf-8")
        at_once.chmod(0o755)
        (directory / "resolv.conf").touch()
        kubelet_user = self.user(f"system:node:{NAME}", "system:nodes").kubeconfig
        proxy_user = self.user("system:kube-proxy").kubeconfig
        dns_user = self.user(dns.USER).kubeconfig
        for name, text in {
            "containerd.toml": configuration.containerd(directory, made),
            f"{configuration.networks(directory)}/pods.conflist": configuration.network(),
            "kubelet.yaml": configuration.kubelet(directory, serving, self._authority.certificate),
            "kube-proxy.yaml": configuration.proxy(proxy_user),
            "Corefile": configuration.dns(dns_user),
        }.items():
            (directory / name).write_text(text, encoding="utf-8")
        Plan(
            directory,
            self._authority.certificate,
            path,
            self._port,
            [
                *self._control_plane(serving),
                Component(
                    "kubelet",
                    [
                        str(made.node / "kubelet"),
                        f"--config={directory / 'kubelet.yaml'}",
                        f"--kubeconfig={kubelet_user}",
                        f"--node-ip={ADDRESS},{ADDRESS_V6}",
                        f"--hostname-override={NAME}",
                    ],
                    "http://127.0.0.1:10248/healthz",
                    restarts=True,
                ),
                Component(
                    "kube-proxy",
                    [str(made.node / "kube-proxy"), f"--config={directory / 'kube-proxy.yaml'}"],
                    "http://127.0.0.1:10256/healthz",
                ),
                Component(
                    "coredns", [str(made.coredns), "-conf", str(directory / "Corefile")], "http://127.0.0.1:8181/ready"
                ),
            ],
        ).write(directory / PLAN_FILE)

    def _control_plane(self, serving: KeyPair) -> list[Component]:
        directory, made, authority = self._directory, self._programs, self._authority
        to_kubelets = authority.client("kube-apiserver", ["system:masters"])
        manager_user = self.user("system:kube-controller-manager").kubeconfig
        scheduler_user = self.user("system:kube-scheduler").kubeconfig
        etcd = configuration.ETCD_CLIENTS
        return [
            Component(
                "etcd",
                [
                    str(made.control_plane.etcd),
                    *component_flags.etcd(configuration.ETCD_DATA, etcd, configuration.ETCD_PEERS),
                ],
                f"{etcd}/readyz",
            ),
            Component(
                "containerd",
                [str(made.containerd / "containerd"), f"--config={directory / 'containerd.toml'}"],
                f"unix:{configuration.containerd_socket(directory)}",
            ),
            Component(
                "kube-apiserver",
                [
                    str(made.control_plane.kube_apiserver),
                    *component_flags.apiserver(directory, etcd, serving, authority.certificate),
                    "--bind-address=0.0.0.0",
                    f"--advertise-address={ADDRESS}",
                    f"--secure-port={self._port}",
                    f"--kubelet-certificate-authority={authority.certificate}",
                    f"--kubelet-client-certificate={to_kubelets.certificate}",
                    f"--kubelet-client-key={to_kubelets.key}",
                    "--kubelet-preferred-address-types=InternalIP",
                ],
                f"https://127.0.0.1:{self._port}/readyz",
            ),
            Component(
                "kube-controller-manager",
                [
                    str(made.control_plane.kube_controller_manager),
                    *component_flags.controller_manager(directory, manager_user, serving, authority.certificate),
                    "--node-monitor-period=1s",
                ],
            ),
            Component(
                "kube-scheduler",
                [str(made.node / "kube-scheduler"), f"--kubeconfig={scheduler_user}", "--leader-elect=false"],
            ),
        ]


def pause_image(busybox: Path, folder: Path) -> Path:
    """The image of the process that holds a pod's namespaces open: a busybox that sleeps."""
    root = folder / "root"
    (root / "bin").mkdir(parents=True)
    shutil.copy(busybox, root / "bin" / "busybox")
    archive = folder / "pause.tar"
    oci.write(oci.Image(configuration.PAUSE_IMAGE, [oci.layer(root)], ["/bin/busybox", "sleep", "2147483647"]), archive)
    return archive


def open_node(say: Callable[[str], None]) -> NodeCluster:
    """A cluster for tests, in a directory of its own. Raises UnavailableError where it cannot run."""
    require_node()
    cache().mkdir(parents=True, exist_ok=True)
    directory = cache() / f"node-{uuid.uuid4().hex[:8]}"
    return NodeCluster(directory, directory.with_suffix(".lock"), say)


def load(directory: Path, archive: Path) -> None:
    """Puts the images of an OCI archive onto the node in that directory. Raises AssertionError where it cannot."""
    address = f"--address={configuration.containerd_socket(directory)}"
    ctr = [str(containerd() / "ctr"), address, "--namespace=k8s.io"]
    done = subprocess.run([*ctr, "images", "import", str(archive)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"{archive} could not be loaded: {done.stderr.strip()}")


def _user_entry(pair: KeyPair) -> Object:
    return {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}
