"""Interception redirect between real pods: whatever an app calls, by whatever name, goes through its sidecar."""

import copy
from ipaddress import ip_address

import pytest
from tests.e2e.redirect.conftest import APP_USER, NAMESPACE, PORT, Captured, Early, Object, flow, workload
from tests.support.waiting import eventually

from lawflow.model.sidecar import CONTAINER, NETWORK_CONTAINER, USER_ID

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

API_SERVER, DNS = ("10.96.0.1", 443), ("10.96.0.10", 53)
DNS_QUESTION = "001c0000010000000000010a6b756265726e65746573"


def test_pods_without_rules_never_start_are_made_again_and_run_once_the_plugin_is_there(
    captured: Captured, early: Early
) -> None:
    assert "outbound connections of this pod are not sent to its sidecar" in early.events[0]
    (pod,) = captured.pods("early")
    assert pod["status"]["phase"] == "Running"


def test_an_init_container_puts_the_rules_where_no_plugin_does(early: Early) -> None:
    """The pod became ready by the node's probe, too."""
    assert (early.applied.status, early.applied.type) == (403, "application/problem+json")
    assert early.applied.document["type"].endswith("/undeclared-destination")


def test_pods_of_both_modes_run_side_by_side_under_one_service_account(captured: Captured) -> None:
    (veteran,) = captured.pods("veteran")
    assert [each["name"] for each in veteran["spec"]["initContainers"]] == [CONTAINER]
    assert veteran["spec"]["hostAliases"]
    assert captured.call("billing", workload="deploy/veteran").status == 200
    assert captured.call("billing").status == 200


def test_pods_begin_with_the_proof_and_run_under_pod_security_restricted(captured: Captured) -> None:
    for app in ("orders", "billing", "store"):
        for pod in captured.pods(app):
            names = [each["name"] for each in pod["spec"]["initContainers"]]
            assert names == [NETWORK_CONTAINER, CONTAINER]
            assert "hostAliases" not in pod["spec"]
    (billing,) = captured.pods("billing")
    assert billing["metadata"]["annotations"]["lawflow.dev/probe-ports"] == "8080,9000"


def test_the_nodes_probes_of_every_kind_reach_the_app(captured: Captured) -> None:
    (billing,) = captured.pods("billing")
    statuses = billing["status"]["containerStatuses"]
    assert all(each["ready"] and not each["restartCount"] for each in statuses)


@pytest.mark.parametrize(
    "host",
    [
        "billing",
        "billing.captured",
        "billing.captured.svc",
        "billing.captured.svc.cluster.local",
        "billing.captured.svc.cluster.local.",
    ],
)
def test_a_declared_service_is_reached_by_each_of_its_names(captured: Captured, host: str) -> None:
    answer = captured.call(host)
    assert answer.status == 200
    assert "spiffe://cluster.local/ns/captured/sa/orders" in answer.document["caller"]


def test_it_is_reached_by_its_addresses_and_by_those_of_its_pod(captured: Captured) -> None:
    (pod,) = captured.pods("billing")
    addresses = [*captured.get("service", "billing")["spec"]["clusterIPs"], *all_addresses(pod)]
    assert [ip_address(each).version for each in addresses] == [4, 6, 4, 6]
    for address in addresses:
        answer = captured.call(literal(address))
        assert (answer.status, answer.document["name"]) == (200, pod["metadata"]["name"])


def test_who_calls_one_pod_of_a_stateful_set_reaches_that_one(captured: Captured) -> None:
    for pod in captured.pods("store"):
        name = pod["metadata"]["name"]
        for host in (f"{name}.store", f"{name}.store.{NAMESPACE}.svc.cluster.local.", pod["status"]["podIP"]):
            for _ in range(2):
                answer = captured.call(host)
                assert (answer.status, answer.document["name"]) == (200, name)


def test_a_headless_service_is_reached_by_its_name(captured: Captured) -> None:
    assert captured.call("store").document["name"].startswith("store-")


def test_what_no_operation_declares_is_refused(captured: Captured) -> None:
    answer = captured.call("billing", "/admin")
    assert (answer.status, answer.type) == (403, "application/problem+json")


def test_what_no_flow_declares_is_refused_and_the_answer_names_the_flow(captured: Captured) -> None:
    (outsider,) = captured.cluster.get("pods", "--namespace=default", "--selector=app=outsider")["items"]
    address = outsider["status"]["podIP"]
    for host in (*all_addresses(outsider), "203.0.113.9", "2001:db8::9"):
        answer = captured.call(literal(host))
        assert (answer.status, answer.type) == (403, "application/problem+json")
        assert answer.document["type"].endswith("/undeclared-destination")
        assert f"namespace {NAMESPACE} with the source serviceAccountName orders" in answer.document["detail"]
    assert captured.connect(address, 5432, "0000000804d2162f") in ("closed", "answered")


def test_the_api_server_and_dns_are_reached_as_they_are(captured: Captured) -> None:
    # A plain request to a TLS port is told so by the API server itself.
    question = b"GET / HTTP/1.1\r\nhost: kubernetes\r\n\r\n".hex()
    done = captured.execute(
        "-c",
        "import socket, sys\n"
        "with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as connection:\n"
        "    connection.sendall(bytes.fromhex(sys.argv[3]))\n"
        "    print(connection.recv(200))",
        API_SERVER[0], str(API_SERVER[1]), question,
    )  # fmt: skip
    assert "HTTP request to an HTTPS server" in done
    name = b"\x0akubernetes\x07default\x03svc\x07cluster\x05local\0\0\1\0\1"
    query = b"\0\7\1\0\0\1\0\0\0\0\0\0" + name
    assert captured.connect(*DNS, said=(len(query).to_bytes(2) + query).hex()) == "answered"


def test_a_pod_without_a_sidecar_reaches_the_app_of_none_that_has_one(captured: Captured) -> None:
    (billing,) = captured.pods("billing")
    for address in all_addresses(billing):
        done = captured.execute(
            "-c",
            "import socket, sys\n"
            "for port in sys.argv[2:]:\n"
            "    try:\n"
            "        socket.create_connection((sys.argv[1], int(port)), 5).close()\n"
            "        print(port, 'open')\n"
            "    except OSError:\n"
            "        print(port, 'refused')",
            address, "8080", "9000", "15443",
            workload="deploy/outsider", namespace="default",
        )  # fmt: skip
        assert done.splitlines() == ["8080 refused", "9000 refused", "15443 open"]


def all_addresses(pod: Object) -> list[str]:
    """Of both families, IPv4 first."""
    return [each["ip"] for each in pod["status"]["podIPs"]]


def literal(address: str) -> str:
    """An address as the host of a URL (RFC 3986, section 3.2.2)."""
    return f"[{address}]" if ip_address(address).version == 6 else address


def test_a_flow_that_is_added_works_in_the_pods_that_run(captured: Captured) -> None:
    before = [pod["metadata"]["uid"] for pod in captured.pods("orders")]
    assert captured.call("ledger").status == 403
    captured.cluster.apply(flow("ledger"))
    captured.lawful("orders-to-ledger")
    captured.cluster.apply(workload("ledger", "serve", str(PORT)))
    captured.rolled_out("deployment/ledger")
    answer = eventually(
        lambda: found if (found := captured.call("ledger")).status == 200 else None, "an answer of ledger", seconds=60.0
    )
    assert answer.document["name"].startswith("ledger-")

    def enforced() -> bool | None:
        states = captured.get("dataflow", "orders-to-ledger")["status"]["workloads"]
        found = {each["name"]: each for each in states}
        # Only the workload in mode explicit has to be rolled out again.
        assert {"veteran", "orders", "ledger"} <= found.keys()
        assert found["veteran"]["reason"] == "RestartRequired"
        return bool(found["orders"]["enforced"] and found["ledger"]["enforced"])

    eventually(enforced, "the flow in force at both its ends", seconds=60.0)
    assert [pod["metadata"]["uid"] for pod in captured.pods("orders")] == before


def test_an_app_that_runs_as_the_sidecars_user_is_refused(captured: Captured) -> None:
    template = copy.deepcopy(workload("orders", "wait"))["spec"]["template"]
    template["spec"]["containers"][0]["securityContext"] = {
        **template["spec"]["containers"][0]["securityContext"], "runAsUser": USER_ID,
    }  # fmt: skip
    pod = {"apiVersion": "v1", "kind": "Pod", **template, "metadata": {"name": "twin", "namespace": NAMESPACE}}
    done = captured.cluster.kubectl("create", "--dry-run=server", "--filename=-", input=pod, check=False)
    assert done.returncode != 0
    assert f"user id {USER_ID} belongs to the sidecar" in done.stderr
    assert USER_ID != APP_USER
