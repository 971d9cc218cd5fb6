"""Installations from their beginning to their end, one after the other on one node, while a client keeps calling.

The tests stand in the order in which they run: each goes on with what the one before has left.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.e2e.conftest import install, node_with
from tests.e2e.lifecycle import installation
from tests.e2e.lifecycle.installation import Name, labelled, marks, name_of
from tests.e2e.lifecycle.market import (
    Market,
    Object,
    account,
    charging,
    flow,
    has_sidecar,
    place,
    server,
    service,
    workload,
)  # fmt: skip
from tests.support import chart
from tests.support.node.cluster import NodeCluster
from tests.support.waiting import eventually

from lawflow.model.sidecar import PEER_PORT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

NAMESPACE = "market"
CONTROLLER = "lawflow-controller"
CERTIFICATE_SECONDS = 40
ROTATIONS = 3
FLOW = "client-to-server"
ONE_OF_EACH = "--set=" + ",".join(f"{name}.replicas=1" for name in ("controller", "webhook", "xds", "signer"))
"""What comes and goes so often here is as small as can be."""
SERIAL = """
import hashlib, socket, ssl, sys

context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)
with context.wrap_socket(connection, server_hostname="p8080.server.market.svc") as peer:
    print(hashlib.sha256(peer.getpeercert(binary_form=True)).hexdigest())
"""


@dataclass
class Own:
    """A node whose installation comes and goes."""

    cluster: NodeCluster
    market: Market
    bare: dict[Name, Object]
    """What was there before anything was installed."""
    installed: set[Name] = field(default_factory=set)
    """What Helm has installed."""

    def certificate(self) -> str:
        """A digest of the certificate that peers of the server see."""
        address = self.market.address("server")
        stranger = ["exec", "stranger", "--namespace=default", "--", "/usr/bin/python3", "-c", SERIAL]
        return self.cluster.kubectl(*stranger, address, str(PEER_PORT)).stdout.strip()

    def left(self) -> dict[Name, Object]:
        """What is there now beside what was before, and beside the market's own and the cluster's."""
        found = installation.objects(self.cluster)
        others = ("kube-node-lease", "kube-system", NAMESPACE)
        return {name: each for name, each in found.items() if name not in self.bare and name[1] not in others}

    def lawflow(self, *arguments: str) -> str:
        """What the command line prints, as the administrator runs it."""
        command = [sys.executable, "-m", "lawflow", *arguments, f"--kubeconfig={self.cluster.admin.kubeconfig}"]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=300.0).stdout

    def helm_uninstall(self) -> None:
        chart.helm(
            *("uninstall", "lawflow", f"--namespace={chart.NAMESPACE}", "--wait", "--timeout=240s"),
            f"--kubeconfig={self.cluster.admin.kubeconfig}",
            seconds=300.0,
        )


@pytest.fixture(scope="module")
def own(archives: list[Path]) -> Iterator[Own]:
    """A node without an installation, and with a pod that belongs to nobody."""
    with node_with(archives) as cluster:
        stranger = workload("default", "stranger", "wait")["spec"]["template"]["spec"] | {
            "serviceAccountName": "default"
        }
        metadata = {"name": "stranger", "namespace": "default"}
        cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": stranger})
        cluster.kubectl("wait", "--for=condition=Ready", "pod/stranger", "--namespace=default", "--timeout=60s")
        yield Own(cluster, Market(cluster, NAMESPACE), installation.objects(cluster))


def open_market(own: Own) -> None:
    """A client that keeps calling a server, with sidecars."""
    market = own.market
    market.apply(*place(NAMESPACE), account(NAMESPACE, "client"), account(NAMESPACE, "server"))
    market.apply(service(NAMESPACE, "server"), flow(NAMESPACE, FLOW, "client", "server"))
    market.kubectl("wait", "--for=condition=Lawful", f"dataflow/{FLOW}", "--timeout=60s", seconds=90.0)
    market.apply(server(NAMESPACE, "server"))
    market.rolled_out("deployment/server")
    market.apply(workload(NAMESPACE, "client", "load", *charging(NAMESPACE, "server")))
    market.rolled_out("deployment/client")
    market.ready(FLOW)
    market.heals("client")


def wait_for(own: Own, certificates: int, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Waits until peers have seen so many certificates of the server."""
    seen: set[str] = set()

    def look() -> bool:
        meanwhile()
        seen.add(own.certificate())
        return len(seen) >= certificates

    eventually(look, f"{certificates} certificates", seconds=240.0)


def gone(own: Own) -> bool:
    """Whether all of the installation is gone that was labelled."""
    return not labelled(own.cluster) - {name for name in own.installed if name[0] == "CustomResourceDefinition"}


def test_traffic_flows_with_certificates_from_secrets(own: Own) -> None:
    install(own.cluster, "--set=sidecar.delivery=secret", ONE_OF_EACH)
    own.installed = labelled(own.cluster)
    open_market(own)
    secrets = {each["metadata"]["name"] for each in own.market.get("secrets")["items"]}
    assert secrets == {"lawflow-client", "lawflow-server"}
    assert own.cluster.get("podcertificaterequests", "--all-namespaces")["items"] == []
    with own.market.undisturbed("client"):
        own.market.more_requests("client")


def test_with_certificates_from_secrets_new_pods_start_while_the_controller_is_away(own: Own) -> None:
    system = Market(own.cluster, chart.NAMESPACE)
    replicas = system.get(f"deployment/{CONTROLLER}")["spec"]["replicas"]
    system.kubectl("scale", f"deployment/{CONTROLLER}", "--replicas=0")
    system.kubectl("wait", "--for=delete", "pod", chart.selector("controller"), "--timeout=60s")
    with own.market.undisturbed("client"):
        old = own.market.pods("server")
        own.market.kubectl("rollout", "restart", "deployment/server")
        own.market.rolled_out("deployment/server")
        assert not {pod["metadata"]["name"] for pod in old} & {
            pod["metadata"]["name"] for pod in own.market.pods("server")
        }
    system.kubectl("scale", f"deployment/{CONTROLLER}", f"--replicas={replicas}")
    system.rolled_out(f"deployment/{CONTROLLER}")


def test_certificates_from_secrets_rotate_under_load_without_a_failed_request(own: Own) -> None:
    def hurry() -> None:
        # The kubelet looks at Secrets once a minute, and when a pod changes.
        own.market.kubectl("annotate", "pods", "--all", "--overwrite", f"example.com/tick={len(ticks)}")
        ticks.append(None)

    ticks: list[None] = []
    lifetime = f"LAWFLOW_CREDENTIAL_SECONDS={CERTIFICATE_SECONDS}"
    own.cluster.kubectl("set", "env", f"deployment/{CONTROLLER}", lifetime, f"--namespace={chart.NAMESPACE}")
    system = Market(own.cluster, chart.NAMESPACE)
    system.rolled_out(f"deployment/{CONTROLLER}")
    # The one before must not be the one that issues them again.
    one = (chart.selector("controller"), "--output=name")
    eventually(lambda: len(system.kubectl("get", "pods", *one).split()) == 1, "one controller alone", seconds=60.0)
    # Those there are would be due in half an hour.
    own.market.kubectl("delete", "secret", "lawflow-client", "lawflow-server")
    with own.market.undisturbed("client"):
        wait_for(own, 1 + ROTATIONS, hurry)


def test_an_uninstalled_chart_leaves_workloads_running_and_nothing_of_its_own_behind(own: Own) -> None:
    market = own.market
    own.helm_uninstall()
    market.rolled_out("deployment/server", "deployment/client")
    eventually(lambda: not any(map(has_sidecar, market.get("pods")["items"])), "pods without sidecars", seconds=120.0)
    market.heals("client")
    eventually(lambda: gone(own), "nothing labelled but the definitions", seconds=60.0)
    kept = own.left()
    system = {("Namespace", "", chart.NAMESPACE), ("ServiceAccount", chart.NAMESPACE, "default"),
              ("ConfigMap", chart.NAMESPACE, "kube-root-ca.crt")}  # fmt: skip
    protection = ("Secret", chart.NAMESPACE, "lawflow-protection")
    definitions = {name for name in own.installed if name[0] == "CustomResourceDefinition"}
    assert len(definitions) == 5
    users = {("Namespace", "", NAMESPACE), ("DataController", "", "acme")}
    assert set(kept) == {*system, *definitions, *users, protection}
    assert list(marks(installation.objects(own.cluster).values())) == []
    assert own.cluster.find("dataflow", FLOW, f"--namespace={NAMESPACE}"), "users' flows stay"
    assert {each["metadata"]["name"] for each in market.get("secrets,networkpolicies,flowindexes")["items"]} == set()


def test_the_static_manifest_installs_what_the_chart_does_and_works(own: Own) -> None:
    own.cluster.kubectl("apply", "--server-side", f"--filename={chart.MANIFEST}", seconds=120.0)
    own.lawflow("ready", "--timeout=240")
    assert labelled(own.cluster) == {name_of(each) for each in chart.objects(chart.rendered("--no-hooks"))}
    for name in ("deployment/server", "deployment/client"):
        own.market.kubectl("rollout", "restart", name)
        own.market.rolled_out(name)
    own.market.ready(FLOW)
    assert all(map(has_sidecar, own.market.pods("server") + own.market.pods("client")))
    answer = own.market.answered("deploy/client", *charging(NAMESPACE, "server"))
    assert "spiffe://cluster.local/ns/market/sa/client" in answer["document"]["caller"]
    assert own.cluster.get("podcertificaterequests", "--all-namespaces")["items"], "certificates by the default way"


def test_pod_certificates_are_replaced_under_load_without_a_failed_request(own: Own) -> None:
    # A kubelet that starts again asks for new certificates. It also takes pods for unready until it has probed them,
    # with or without Lawflow.
    lenient = {"spec": {"publishNotReadyAddresses": True}}
    own.cluster.patch("service", "server", lenient, f"--namespace={NAMESPACE}")
    with own.market.undisturbed("client"):
        before = own.certificate()
        own.cluster.kill_kubelet()
        eventually(lambda: own.certificate() != before, "another certificate", seconds=240.0)


def test_what_was_applied_is_retired_and_deleted_with_all_that_it_made(own: Own) -> None:
    own.lawflow("retire")
    own.market.rolled_out("deployment/server", "deployment/client")
    own.cluster.kubectl("delete", "--ignore-not-found", f"--filename={chart.MANIFEST}", "--wait", seconds=180.0)
    own.market.heals("client")
    eventually(lambda: set(own.left()) == {("Namespace", "", NAMESPACE)}, "nothing but the market", seconds=120.0)
    assert list(marks(installation.objects(own.cluster).values())) == []


@pytest.mark.soak
def test_a_chart_that_is_not_to_keep_definitions_takes_them_with_it(own: Own) -> None:
    install(own.cluster, "--set=crds.keep=false", ONE_OF_EACH)
    assert own.cluster.get("customresourcedefinitions")["items"]
    own.helm_uninstall()
    eventually(lambda: gone(own), "nothing labelled", seconds=60.0)
    assert own.cluster.get("customresourcedefinitions")["items"] == []
    assert list(marks(installation.objects(own.cluster).values())) == []
