"""The DaemonSet of the chart on a real node: which pods get rules, what still reaches them, and what it leaves."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from tests.e2e.network.conftest import NAMESPACE, RESTRICTED, check, container, pod
from tests.support import chart
from tests.support.node.cluster import NodeCluster
from tests.support.node.configuration import AT_ONCE
from tests.support.waiting import eventually

from lawflow.cli import network_plugin
from lawflow.model.sidecar import HEALTH_PORT, OUTBOUND_PORT, PEER_PORT, USER_ID
from lawflow.store.kubernetes import KubernetesStore

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

Object = dict[str, Any]

SYSTEM = "kube-system"
PLUGIN = "lawflow-network"
APP_USER = 1000
PROBED, UNPROBED = 8080, 7000
ELSEWHERE = 6999
API_SERVER = ("10.96.0.1", 443)
ANYWHERE = "0.0.0.0"
MADE = ("early", "captured", "outside", "on-node", "unasked", "self-made", "repaired", "late")


def folders(cluster: NodeCluster) -> dict[str, bytes]:
    """What is in the node's two folders."""
    paths = [*cluster.plugins.iterdir(), *cluster.networks.iterdir()]
    return {str(path): path.read_bytes() for path in paths}


def failure_of_check(cluster: NodeCluster, name: str) -> str:
    """What the kubelet reports of the first container of a pod that failed; empty until it did."""
    status = cluster.get("pod", name, f"--namespace={NAMESPACE}")["status"]
    found = (status.get("initContainerStatuses") or [{}])[0].get("state", {}).get("terminated")
    if not found:
        return ""
    assert found["exitCode"] == 1, found
    assert status["phase"] == "Failed", "an app started beside a check that failed"
    message: str = found["message"]
    return message


def await_failed_check(cluster: NodeCluster, name: str, **annotations: str) -> None:
    """A pod with these annotations does not start, and says why."""
    idle = container("app", APP_USER, "listen", "tcp", ANYWHERE, str(PROBED))
    cluster.apply(pod(name, idle, first=check(), **annotations))
    told = eventually(lambda: failure_of_check(cluster, name), f"a failed check in {name}", seconds=60.0)
    assert "outbound connections of this pod are not sent to its sidecar" in told


def call(cluster: NodeCluster, caller: str, address: str, port: int, name: str = "app") -> str:
    """What becomes of a call from within a pod."""
    command = ["exec", caller, f"--namespace={NAMESPACE}", f"--container={name}", "--", "/usr/bin/python3"]
    return cluster.kubectl(*command, "/app/pod_peer.py", "call", "tcp", address, str(port)).stdout.strip()


def rendered(cluster: NodeCluster, *flags: str) -> list[Object]:
    """The objects of the chart's template, for this node."""
    paths = f"network.cniBinDir={cluster.plugins},network.cniConfDir={cluster.networks}"
    values = (f"--set=network.enabled=true,network.namespace={SYSTEM},{paths}", *flags)
    return chart.objects(chart.rendered("--show-only=templates/network.yaml", *values))


def roll_out(cluster: NodeCluster, *flags: str) -> None:
    cluster.apply(*rendered(cluster, *flags))
    cluster.kubectl(
        "rollout", "status", f"daemonset/{PLUGIN}", f"--namespace={SYSTEM}", "--timeout=120s", seconds=150.0
    )


@pytest.fixture(scope="module")
def before(peers: NodeCluster) -> dict[str, bytes]:
    """The node's folders before anything was installed."""
    return folders(peers)


@pytest.fixture(scope="module")
def early(peers: NodeCluster, before: dict[str, bytes]) -> str:
    """A pod that asked for rules when there was nobody to put them."""
    await_failed_check(peers, "early", interception="redirect")
    return "early"


@pytest.fixture(scope="module")
def installed(peers: NodeCluster, early: str) -> Iterator[NodeCluster]:
    roll_out(peers)
    yield peers
    peers.kubectl("delete", "daemonset,serviceaccount", PLUGIN, f"--namespace={SYSTEM}", "--ignore-not-found")


@pytest.fixture(scope="module")
def captured(installed: NodeCluster) -> str:
    """The address of a pod with rules, in which listeners stand for the sidecar; it starts and becomes ready."""
    probe = {"tcpSocket": {"port": PROBED}, "periodSeconds": 1}
    health = {"tcpSocket": {"port": HEALTH_PORT}, "periodSeconds": 1}
    made = pod(
        "captured",
        container("app", APP_USER, "listen", "tcp", ANYWHERE, str(PROBED), readinessProbe=probe),
        container("unprobed", APP_USER, "listen", "tcp", ANYWHERE, str(UNPROBED)),
        container("outbound", USER_ID, "listen", "tcp", "127.0.0.1", str(OUTBOUND_PORT)),
        container("peers", USER_ID, "listen", "tcp", ANYWHERE, str(PEER_PORT)),
        container("health", USER_ID, "listen", "tcp", ANYWHERE, str(HEALTH_PORT), readinessProbe=health),
        first=check(),
        interception="redirect",
        probe_ports=str(PROBED),
    )
    installed.apply(made)
    installed.kubectl("wait", "--for=condition=Ready", "pod/captured", "--timeout=120s", seconds=150.0)
    address: str = installed.get("pod", "captured")["status"]["podIP"]
    return address


def test_the_plugin_is_the_programs_own_file_and_comes_after_the_nodes(installed: NodeCluster) -> None:
    changed = {path.name for path in installed.plugins.iterdir()} - {AT_ONCE, "ptp", "host-local"}
    assert changed == {PLUGIN}
    (configuration,) = installed.networks.iterdir()
    assert '"lawflow-network"' in configuration.read_text()


@pytest.fixture(scope="module")
def outside(installed: NodeCluster) -> str:
    """The address of a pod without rules; another, on the node's network, stands for the node."""
    listens = ("listen", "tcp", ANYWHERE, str(ELSEWHERE))
    on_node = pod("on-node", container("app", APP_USER, *listens))
    on_node["spec"]["hostNetwork"] = True
    installed.apply(pod("outside", container("app", APP_USER, *listens)), on_node)
    installed.kubectl("wait", "--for=condition=Ready", "pod/outside", "pod/on-node", "--timeout=60s", seconds=90.0)
    address: str = installed.get("pod", "outside")["status"]["podIP"]
    return address


def test_what_an_app_calls_by_any_address_arrives_at_the_sidecar_and_what_that_calls_where_it_should(
    installed: NodeCluster, captured: str, outside: str
) -> None:
    for address, port in (("203.0.113.7", 80), API_SERVER, (outside, ELSEWHERE)):
        assert call(installed, "captured", address, port) == f"met {OUTBOUND_PORT} {address} {port}"
    assert call(installed, "captured", outside, ELSEWHERE, name="outbound") == f"met {ELSEWHERE}"


def test_other_pods_reach_the_sidecar_alone_and_the_node_its_probes_too(
    installed: NodeCluster, captured: str, outside: str
) -> None:
    for port, from_pod, from_node in (
        (PROBED, False, True), (UNPROBED, False, False), (PEER_PORT, True, True), (HEALTH_PORT, True, True),
    ):  # fmt: skip
        for caller, met in (("outside", from_pod), ("on-node", from_node)):
            answer = call(installed, caller, captured, port)
            assert answer == (f"met {port}" if met else "refused"), (caller, port)


def test_a_pod_that_does_not_ask_has_no_rules(installed: NodeCluster) -> None:
    await_failed_check(installed, "unasked")


def test_an_init_container_with_one_right_puts_the_rules_where_no_plugin_may(peers: NodeCluster) -> None:
    context = {
        **RESTRICTED, "runAsNonRoot": False, "runAsUser": 0, "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]},
    }  # fmt: skip
    addresses = {"name": "NODE_ADDRESSES", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIPs"}}}
    applies = {
        **check(),
        "command": ["lawflow-network", "apply", "--node-address=$(NODE_ADDRESSES)", f"--probe-ports={PROBED}"],
        "env": [addresses],
        "securityContext": context,
    }
    probe = {"tcpSocket": {"port": PROBED}, "periodSeconds": 1}
    app = container("app", APP_USER, "listen", "tcp", ANYWHERE, str(PROBED), readinessProbe=probe)
    made = pod("self-made", app, container("outbound", USER_ID, "listen", "tcp", "127.0.0.1", str(OUTBOUND_PORT)))
    made["spec"]["initContainers"] = [applies, {**check(), "name": "check"}]
    peers.apply(made)
    peers.kubectl("wait", "--for=condition=Ready", "pod/self-made", "--timeout=60s", seconds=90.0)
    assert call(peers, "self-made", *API_SERVER) == f"met {OUTBOUND_PORT} {API_SERVER[0]} {API_SERVER[1]}"


def test_a_configuration_that_the_node_writes_anew_has_the_plugin_before_the_next_pod(
    installed: NodeCluster, before: dict[str, bytes]
) -> None:
    (configuration,) = installed.networks.iterdir()
    configuration.write_bytes(before[str(configuration)])
    eventually(lambda: PLUGIN in configuration.read_text(), "the plugin in the list")
    idle = container("app", APP_USER, "listen", "tcp", ANYWHERE, str(PROBED))
    installed.apply(pod("repaired", idle, first=check(), interception="redirect"))
    installed.kubectl("wait", "--for=condition=Ready", "pod/repaired", "--timeout=60s", seconds=90.0)


def test_retirement_leaves_the_node_as_it_was_and_pods_with_rules_end_as_others(
    installed: NodeCluster, captured: str, before: dict[str, bytes]
) -> None:
    async def remove() -> None:
        async with await KubernetesStore.connect(installed.admin.kubeconfig) as store:
            await network_plugin.remove(store, timeout=120.0)

    asyncio.run(remove())
    assert folders(installed) == before
    assert call(installed, "captured", "203.0.113.7", 80) == f"met {OUTBOUND_PORT} 203.0.113.7 80"
    await_failed_check(installed, "late", interception="redirect")
    names = [each["metadata"]["name"] for each in installed.get("pods", f"--namespace={NAMESPACE}")["items"]]
    mine = [
        name for name in names if name in ("early", "captured", "outside", "on-node", "unasked", "repaired", "late")
    ]
    installed.kubectl("delete", "pod", *mine, f"--namespace={NAMESPACE}", "--timeout=60s", seconds=90.0)
