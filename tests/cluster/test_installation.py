"""The chart installed on a real API server: what it does there, with the rights that it grants, and what is left."""

import base64
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from tests.support import chart, flows, gate, toolchain
from tests.support.chart import CHART, NAMESPACE, Object, helm
from tests.support.cluster import Cluster, User
from tests.support.control_plane import ControlPlane
from tests.support.gate import AdmissionServer, refusal, workload
from tests.support.ports import ReservedPort
from tests.support.server_process import ControllerProcess
from tests.support.waiting import eventually

from lawflow.model.trust_bundle import ISSUER_NAME
from lawflow.xds.world import KINDS as WATCHED_BY_XDS

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def control_plane() -> Iterator[Cluster]:
    """A control plane of this module's own: the chart is for the whole of a cluster."""
    cluster = ControlPlane(toolchain.control_plane())
    yield cluster
    cluster.close()


@dataclass
class Installed:
    """The chart, installed; its controller and admission server as processes on this host, with the chart's rights."""

    cluster: Cluster
    controller: ControllerProcess
    server: AdmissionServer

    def run(self, user: User, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``lawflow`` with a user's rights."""
        command = [sys.executable, "-m", "lawflow", *arguments, f"--kubeconfig={user.kubeconfig}"]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120.0)


@pytest.fixture(scope="module")
def installed(control_plane: Cluster) -> Iterator[Installed]:
    release = ("lawflow", str(CHART), f"--namespace={NAMESPACE}", f"--kubeconfig={control_plane.admin.kubeconfig}")
    told = helm("install", *release, "--create-namespace", "--no-hooks").stdout
    assert "WARNING" not in told
    with tempfile.TemporaryDirectory(prefix="lawflow-chart-") as directory:
        account = control_plane.service_account(NAMESPACE, "lawflow-controller")
        options = (f"--kubeconfig={account.kubeconfig}", "--today=2026-07-01")
        with ControllerProcess(control_plane, Path(directory), NAMESPACE, *options) as controller:
            account = control_plane.service_account(NAMESPACE, "lawflow-webhook")
            server = AdmissionServer(control_plane, [f"--kubeconfig={account.kubeconfig}"])
            try:
                server.start()
                yield Installed(control_plane, controller, server)
            finally:
                server.close()


@pytest.fixture(scope="module")
def gated(installed: Installed) -> Installed:
    """The API server asks the admission server on this host, by its URL."""
    server = installed.server
    values = (f"--set=webhook.url={server.url}", f"--set=webhook.caBundle={server.authority.bundle()}")
    # The controller owns caBundle by now; who brings a server of their own takes it over.
    upgrade(installed.cluster, "--force-conflicts", *values)
    return installed


def upgrade(cluster: Cluster, *flags: str) -> None:
    kubeconfig = f"--kubeconfig={cluster.admin.kubeconfig}"
    helm("upgrade", "lawflow", str(CHART), f"--namespace={NAMESPACE}", "--no-hooks", kubeconfig, *flags)


def test_nobody_may_pass_the_gate_by_default(installed: Installed) -> None:
    someone = installed.cluster.user("someone")
    for role, may_edit in (("view", False), ("edit", True), ("admin", True)):
        installed.cluster.kubectl(
            "create", "rolebinding", role, f"--clusterrole={role}", f"--user={someone.name}", "-n", "default"
        )
        eventually(
            lambda: installed.cluster.may(someone, "get", "dataflows.lawflow.dev", "default"), "the role is heeded"
        )
        if may_edit:
            eventually(
                lambda: installed.cluster.may(someone, "create", "dataflows.lawflow.dev", "default"), "edit is heeded"
            )
        assert not installed.cluster.may(someone, "bypass", "dataflows.lawflow.dev", "default")
        assert not installed.cluster.may(someone, "create", "flowindexes.lawflow.dev", "default")
        assert not installed.cluster.may(someone, "patch", "dataflows.lawflow.dev/status", "default")
        installed.cluster.kubectl("delete", "rolebinding", role, "-n", "default")


def roots(cluster: Cluster) -> set[str]:
    """What is in the caBundle of all webhooks; empty while one has none."""
    kinds = ("mutatingwebhookconfiguration", "validatingwebhookconfiguration")
    found = [webhook for kind in kinds for webhook in cluster.get(kind, "lawflow")["webhooks"]]
    known = {webhook["clientConfig"].get("caBundle", "") for webhook in found}
    return set() if "" in known else known


def test_the_controller_certifies_the_servers_and_tells_the_api_server_whom_to_trust(installed: Installed) -> None:
    cluster = installed.cluster
    found = eventually(lambda: roots(cluster), "caBundle in every webhook")
    serving = cluster.get("secret", "lawflow-webhook-serving", "-n", NAMESPACE)
    assert found == {serving["data"]["ca.crt"]}
    for server in ("xds", "standby"):
        assert cluster.find("secret", f"lawflow-{server}-serving", "-n", NAMESPACE)


@contextmanager
def serving(cluster: Cluster, component: str, directory: Path, *options: str) -> Iterator[int]:
    """A server with the certificate that the controller issued, and the rights of its account; yields its port."""
    name = ("secret", f"lawflow-{component}-serving", "-n", NAMESPACE)
    files = eventually(lambda: cluster.find(*name), f"the certificate of {component}")["data"]
    for file, text in files.items():
        (directory / file).write_bytes(base64.b64decode(text))
    account = cluster.service_account(NAMESPACE, f"lawflow-{component}")
    port, health, log = ReservedPort(), ReservedPort(), directory / "server.log"
    command = [
        *(sys.executable, "-m", "lawflow", component, "--host=127.0.0.1"),
        *(f"--port={port.number}", f"--health-port={health.number}"),
        *(f"--certificate={directory / 'tls.crt'}", f"--key={directory / 'tls.key'}", *options),
    ]
    with log.open("wb") as output:
        environment = {**os.environ, "LAWFLOW_KUBECONFIG": str(account.kubeconfig)}
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)

    def ready() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return httpx.get(f"http://127.0.0.1:{health.number}/readyz", trust_env=False).is_success
        except httpx.TransportError:
            return False

    try:
        eventually(ready, f"{component} is ready")
        yield port.number
        process.terminate()
        assert process.wait(30.0) == 0
    finally:
        process.kill()
        process.wait()
        port.release()
        health.release()
    assert "forbidden" not in log.read_text().lower()


def connected(port: int) -> socket.socket | None:
    try:
        return socket.create_connection(("127.0.0.1", port))
    except ConnectionRefusedError:
        return None


def test_the_configuration_server_serves_with_its_certificate_and_its_rights(
    installed: Installed, tmp_path: Path
) -> None:
    cluster = installed.cluster
    with serving(cluster, "xds", tmp_path) as port:
        tls = ssl.create_default_context(cafile=tmp_path / "ca.crt")
        tls.set_alpn_protocols(["h2"])
        # It listens a moment after it is ready.
        connection = eventually(lambda: connected(port), "a connection")
        with tls.wrap_socket(connection, server_hostname=f"lawflow-xds.{NAMESPACE}.svc") as secured:
            certificate = secured.getpeercert() or {}
    identity = f"spiffe://cluster.local/ns/{NAMESPACE}/sa/lawflow-xds"
    assert ("URI", identity) in certificate["subjectAltName"]
    account = cluster.service_account(NAMESPACE, "lawflow-xds")
    watched = [f"{kind.plural}.{kind.group}".rstrip(".") for kind in WATCHED_BY_XDS]
    for resource, where in [*((each, None) for each in watched), ("configmaps", NAMESPACE)]:
        assert cluster.may(account, "list", resource, where)
        assert cluster.may(account, "watch", resource, where)
    assert cluster.may(account, "get", "pods", "shop")
    assert cluster.may(account, "patch", "pods", "shop")
    assert not cluster.may(account, "get", "secrets", NAMESPACE)


def test_the_standby_follows_the_configuration_server_with_its_certificate_and_its_rights(
    installed: Installed, tmp_path: Path
) -> None:
    cluster = installed.cluster
    (tmp_path / "xds").mkdir()
    (tmp_path / "standby").mkdir()
    roots = f"--roots={tmp_path / 'standby' / 'ca.crt'}"
    with (
        serving(cluster, "xds", tmp_path / "xds") as port,
        # It is ready once it follows one.
        serving(cluster, "standby", tmp_path / "standby", roots, f"--xds-replicas=127.0.0.1:{port}"),
    ):
        account = cluster.service_account(NAMESPACE, "lawflow-standby")
        assert not cluster.may(account, "get", "pods", "shop")
        assert not cluster.may(account, "get", "secrets", NAMESPACE)


def test_the_api_server_trusts_the_admission_server_behind_its_service(installed: Installed, tmp_path: Path) -> None:
    cluster = installed.cluster
    (roots_now,) = eventually(lambda: roots(cluster), "caBundle in every webhook")
    with serving(cluster, "webhook", tmp_path, "--drain-seconds=0") as port:
        # The API server calls a Service of this type by the name in it, and expects a certificate for the Service's.
        cluster.kubectl("delete", "service", "lawflow-webhook", "-n", NAMESPACE)
        metadata = {"name": "lawflow-webhook", "namespace": NAMESPACE}
        spec = {"type": "ExternalName", "externalName": "localhost"}
        cluster.apply({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
        found = cluster.get("validatingwebhookconfiguration", "lawflow")
        for webhook in found["webhooks"]:
            assert webhook["clientConfig"]["caBundle"] == roots_now
            webhook["clientConfig"]["service"]["port"] = port
        cluster.apply({**found, "metadata": {"name": "lawflow-at-this-port"}})
        asked = installed.run(cluster.admin, "ready", "--timeout=20", "--no-backstop")
        cluster.kubectl("delete", "validatingwebhookconfiguration", "lawflow-at-this-port")
        cluster.kubectl("delete", "service", "lawflow-webhook", "-n", NAMESPACE)
    upgrade(cluster)
    assert asked.returncode == 0, asked.stdout + asked.stderr


def test_an_upgrade_leaves_the_roots_where_they_are(installed: Installed) -> None:
    cluster = installed.cluster
    before = eventually(lambda: roots(cluster), "caBundle in every webhook")
    upgrade(cluster, "--set=webhook.timeoutSeconds=3")
    assert cluster.get("validatingwebhookconfiguration", "lawflow")["webhooks"][0]["timeoutSeconds"] == 3
    assert roots(cluster) == before


def test_the_controller_owns_nothing_of_a_webhook_but_its_roots(installed: Installed) -> None:
    cluster = installed.cluster

    def owned() -> Object | None:
        configuration = cluster.get("validatingwebhookconfiguration", "lawflow", "--show-managed-fields")
        managers = {each["manager"]: each["fieldsV1"] for each in configuration["metadata"]["managedFields"]}
        return managers.get("lawflow-serving")

    fields = eventually(owned, "the controller among the field managers")
    for webhook in fields["f:webhooks"].values():
        assert set(webhook) == {".", "f:name", "f:clientConfig"}
        assert webhook["f:clientConfig"] == {"f:caBundle": {}}


def refused_with(cluster: Cluster, obj: Object, expected: str) -> str:
    """What the API server says if it refuses an object in these words; empty otherwise."""
    said = refusal(cluster, obj, "--dry-run=server")
    return said if expected in said else ""


def test_an_unlawful_workload_is_refused_in_words_and_with_every_server_dead_by_the_api_server(
    gated: Installed,
) -> None:
    cluster, shop = gated.cluster, "shop"
    cluster.apply(gate.namespace(shop, **{"lawflow.dev/inject": "enabled", "lawflow.dev/enforce": "warn"}))
    cluster.apply(flows.unlawful_flow("orders-to-psp", shop))
    cluster.kubectl("label", "namespace", shop, "lawflow.dev/enforce=deny", "--overwrite")
    orders = workload("orders", shop)
    said = eventually(lambda: refused_with(cluster, orders, "GDPR-28"), "a refusal by the webhook")
    assert 'admission webhook "workloads.lawflow.dev" denied the request' in said
    assert "DataFlow orders-to-psp" in said
    assert "fix  " in said
    gated.server.end(signal.SIGKILL)
    said = eventually(lambda: refused_with(cluster, orders, "ValidatingAdmissionPolicy"), "a refusal by the policies")
    assert "orders-to-psp" in said
    assert refusal(cluster, workload("orders", "default"), "--dry-run=server") == ""
    gated.server.start()


PLUGIN_ON_NODES = "--set=network.enabled=true"


def with_rights_of_a_hook(cluster: Cluster, template: str, account: str, *flags: str) -> User:
    """The service account of a hook's Job, with all its rights; the Job itself would wait for a kubelet."""
    made = chart.objects(chart.rendered(f"--show-only=templates/{template}.yaml", *flags))
    cluster.apply(*(each for each in made if each["kind"] != "Job"))
    return cluster.service_account(NAMESPACE, account)


def remove_hook(cluster: Cluster, template: str, *flags: str) -> None:
    """What Helm does once a hook has succeeded."""
    for each in chart.objects(chart.rendered(f"--show-only=templates/{template}.yaml", *flags)):
        metadata = each["metadata"]
        where = metadata.get("namespace", NAMESPACE)
        cluster.kubectl("delete", each["kind"], metadata["name"], "-n", where, "--ignore-not-found")


def test_the_start_up_check_succeeds_once_the_gate_answers_and_says_what_it_lacks(gated: Installed) -> None:
    checker = with_rights_of_a_hook(gated.cluster, "startup-check", "lawflow-startup-check")
    eventually(lambda: gated.run(checker, "ready", "--timeout=5").returncode == 0, "the gate is ready")
    gated.server.end(signal.SIGKILL)
    lacking = gated.run(checker, "ready", "--timeout=0")
    gated.server.start()
    assert lacking.returncode == 1
    assert "the policies answered" in lacking.stdout
    assert "waiting for the webhook: the API server got no answer from it" in lacking.stdout
    assert gated.cluster.find("dataflow", "lawflow-ready", "-n", "default") is None


def test_no_process_lacks_a_right(gated: Installed) -> None:
    for log in gated.controller.log, gated.server.log:
        text = log.read_text(errors="replace")
        assert "forbidden" not in text.lower()


def sidecars(cluster: Cluster, where: str) -> list[bool]:
    """Of each pod, whether it has a sidecar."""
    pods = cluster.get("pods", "-n", where)["items"]
    return ["lawflow.dev/injected" in pod["metadata"].get("annotations", {}) for pod in pods]


def test_uninstalling_takes_the_gate_down_first_and_leaves_the_definitions_alone(gated: Installed) -> None:
    cluster = gated.cluster
    kubeconfig = f"--kubeconfig={cluster.admin.kubeconfig}"
    cluster.apply(gate.namespace("leaving", **{"lawflow.dev/inject": "enabled"}))
    eventually(
        lambda: "lawflow.dev/index-ready" in cluster.get("namespace", "leaving")["metadata"]["labels"], "an index"
    )
    cluster.apply(flows.flow("kept", "leaving"), workload("app", "leaving", service_account="default"))
    eventually(lambda: sidecars(cluster, "leaving") == [True], "a pod with a sidecar")
    eventually(lambda: cluster.find("secret", ISSUER_NAME, "-n", NAMESPACE), "what the signer signs with")
    # What takes scaling their Deployments down in a real cluster.
    gated.controller.end()
    gated.server.end()
    for name, ours_by_label in ("lawflow-orders", {"app.kubernetes.io/managed-by": "lawflow"}), ("lawflow-own", {}):
        metadata = {"name": name, "namespace": "leaving", "labels": ours_by_label}
        cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata})
    cluster.apply(*chart.objects(chart.rendered("--show-only=templates/network.yaml", PLUGIN_ON_NODES)))
    flags = ("--set=sidecar.delivery=secret", PLUGIN_ON_NODES)
    retiree = with_rights_of_a_hook(cluster, "retirement", "lawflow-retirement", *flags)
    for _ in range(2):
        retired = gated.run(retiree, "retire", f"--namespace={NAMESPACE}")
        assert retired.returncode == 0, retired.stderr
        assert "took the CNI plugin off 0 nodes" in retired.stdout
        (container,) = cluster.get("daemonset", "lawflow-network", "-n", NAMESPACE)["spec"]["template"]["spec"][
            "containers"
        ]
        for arguments in container["args"], container["readinessProbe"]["exec"]["command"]:
            assert arguments.count("--remove") == 1
    assert not cluster.find("secret", ISSUER_NAME, "-n", NAMESPACE)
    assert "lawflow.dev/index-ready" not in cluster.get("namespace", "leaving")["metadata"]["labels"]
    eventually(lambda: False in sidecars(cluster, "leaving"), "a pod without a sidecar")
    assert cluster.get("flowindexes", "--all-namespaces")["items"] == []
    assert [each["metadata"]["name"] for each in cluster.get("secrets", "-n", "leaving")["items"]] == ["lawflow-own"]
    ours = "--selector=app.kubernetes.io/part-of=lawflow"
    gone = "validatingadmissionpolicybindings,mutatingwebhookconfigurations,validatingwebhookconfigurations"
    assert cluster.get(gone, ours)["items"] == []
    replicas = {
        each["metadata"]["name"]: each["spec"]["replicas"]
        for each in cluster.get("deployments", "-n", NAMESPACE)["items"]
    }
    assert replicas["lawflow-controller"] == replicas["lawflow-webhook"] == 0

    for template in "retirement", "startup-check", "network":
        remove_hook(cluster, template, PLUGIN_ON_NODES)
    helm("uninstall", "lawflow", f"--namespace={NAMESPACE}", "--no-hooks", kubeconfig)
    kinds = sorted({each["kind"] for each in chart.objects(chart.rendered())} - {"CustomResourceDefinition"})
    eventually(
        lambda: not cluster.get(",".join(kinds), "--all-namespaces", ours)["items"], "nothing left but definitions"
    )
    assert len(cluster.get("customresourcedefinitions", ours)["items"]) == 5
    assert cluster.find("dataflow", "kept", "-n", "leaving")


def test_a_chart_that_is_not_to_keep_definitions_takes_them_with_it(control_plane: Cluster) -> None:
    release = ("lawflow", f"--namespace={NAMESPACE}", f"--kubeconfig={control_plane.admin.kubeconfig}", "--no-hooks")
    helm("install", *release, str(CHART), "--create-namespace", "--set=crds.keep=false")
    assert control_plane.get("customresourcedefinitions")["items"]
    helm("uninstall", *release)
    eventually(lambda: control_plane.get("customresourcedefinitions")["items"] == [], "no definitions")
