"""A real Kubernetes control plane on the loopback address: etcd, kube-apiserver, kube-controller-manager.

There is no kubelet and no scheduler: Pods are made, and tests.support.kubelet does with them what a node would.
"""

import os
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
from tests.support import component_flags, toolchain
from tests.support.authority import Authority, KeyPair
from tests.support.cluster import BorrowedCluster, Cluster, Object
from tests.support.leash import Leash
from tests.support.ports import ReservedPort
from tests.support.waiting import eventually

SECONDS_TO_READY = 180.0
SECONDS_TO_STOP = 30.0
LOG_LINES_TO_SHOW = 15


def open_cluster() -> Cluster:
    """The cluster for the tests: the one that LAWFLOW_TEST_KUBECONFIG names, else a control plane of our own."""
    borrowed = os.environ.get("LAWFLOW_TEST_KUBECONFIG")
    return BorrowedCluster(Path(borrowed)) if borrowed else ControlPlane(toolchain.control_plane())


class ControlPlane(Cluster):
    """A control plane that lasts until it is closed or this process ends, whichever comes first.

    Requests are authorized as in production (Node and RBAC), controllers act as service accounts of their own, and
    users have client certificates. Data outlive the components, not the control plane.
    """

    def __init__(
        self,
        components: toolchain.Components,
        apiserver_flags: Sequence[str] = (),
        controller_manager_flags: Sequence[str] = (),
    ) -> None:
        """Starts everything. The flags are added to our own, so that they can override them."""
        root = Path(tempfile.mkdtemp(prefix="lawflow-control-plane-"))
        self._leash = Leash(root)
        self._ports = {name: ReservedPort() for name in (*toolchain.COMPONENTS, "etcd-peer")}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        try:
            self._authority = Authority(root, "ca")
            self.certificate_authority = self._authority.certificate
            connection = {
                "server": self._url("kube-apiserver"),
                "certificate-authority": str(self.certificate_authority),
            }
            administrator = self._authority.client("admin", ["system:masters"])
            super().__init__(root, connection, _user_entry(administrator))
            self._commands = {
                "etcd": [str(components.etcd), *self._etcd_flags()],
                "kube-apiserver": [str(components.kube_apiserver), *self._apiserver_flags(), *apiserver_flags],
                "kube-controller-manager": [
                    str(components.kube_controller_manager),
                    *self._controller_manager_flags(),
                    *controller_manager_flags,
                ],
            }
            tls = ssl.create_default_context(cafile=self.certificate_authority)
            tls.load_cert_chain(administrator.certificate, administrator.key)
            self._http = httpx.Client(verify=tls, trust_env=False, timeout=5.0)
            for component in toolchain.COMPONENTS:
                self.start(component)
            self.await_namespace("default")
        except BaseException:
            self.close()
            raise

    def start(self, component: str) -> None:
        assert component not in self._processes, f"{component} is running already"
        environment = {"HOME": str(self._directory), "PATH": os.defpath}
        self._processes[component] = self._leash.start(self._commands[component], self.log(component), environment)
        for name in self._processes:  # a new etcd has to be found by the API server that ran on without it
            eventually(self._readiness(name), f"{name} ready after {component} was started", SECONDS_TO_READY)

    def stop(self, component: str) -> None:
        process = self._processes.pop(component)
        process.terminate()
        process.wait(SECONDS_TO_STOP)

    def kill(self, component: str) -> None:
        process = self._processes.pop(component)
        process.kill()
        process.wait()

    def mend(self) -> None:
        for component in toolchain.COMPONENTS:
            process = self._processes.get(component)
            if process is not None and process.poll() is not None:
                del self._processes[component]
        for component in toolchain.COMPONENTS:
            if component not in self._processes:
                self.start(component)

    def close(self) -> None:
        if hasattr(self, "_http"):
            self._http.close()
        self._leash.close()
        for port in self._ports.values():
            port.release()

    def pid(self, component: str) -> int:
        """Process id of a component that runs."""
        return self._processes[component].pid

    def log(self, component: str) -> Path:
        """What the component printed so far, over all its lives."""
        return self._directory / f"{component}.log"

    def _credentials(self, name: str, groups: Sequence[str]) -> Object:
        return _user_entry(self._authority.client(name, groups))

    def _url(self, component: str) -> str:
        scheme = "http" if component.startswith("etcd") else "https"
        return f"{scheme}://127.0.0.1:{self._ports[component].number}"

    def _readiness(self, component: str) -> Callable[[], bool]:
        url = self._url(component) + ("/healthz" if component == "kube-controller-manager" else "/readyz")

        def ready() -> bool:
            process = self._processes[component]
            if process.poll() is not None:
                last = self.log(component).read_text(errors="replace").splitlines()[-LOG_LINES_TO_SHOW:]
                raise RuntimeError("\n".join([f"{component} ended with {process.returncode}:", *last]))
            try:
                return self._http.get(url).status_code == httpx.codes.OK
            except httpx.TransportError:
                return False

        return ready

    def _etcd_flags(self) -> list[str]:
        return component_flags.etcd(self._directory / "etcd", self._url("etcd"), self._url("etcd-peer"))

    def _apiserver_flags(self) -> list[str]:
        serving = self._authority.server("localhost", "kubernetes.default.svc")
        return [
            *component_flags.apiserver(self._directory, self._url("etcd"), serving, self.certificate_authority),
            "--bind-address=127.0.0.1",
            "--endpoint-reconciler-type=none",  # it would refuse to publish a loopback address
            f"--secure-port={self._ports['kube-apiserver'].number}",
        ]

    def _controller_manager_flags(self) -> list[str]:
        serving, user = self._authority.server("localhost"), self.user("system:kube-controller-manager")
        return [
            *component_flags.controller_manager(self._directory, user.kubeconfig, serving, self.certificate_authority),
            "--bind-address=127.0.0.1",
            f"--secure-port={self._ports['kube-controller-manager'].number}",
            # The nodes of these tests send no heartbeat: the lifecycle controller would declare them dead.
            "--controllers=*,-node-lifecycle-controller",
        ]


def _user_entry(pair: KeyPair) -> Object:
    return {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}
