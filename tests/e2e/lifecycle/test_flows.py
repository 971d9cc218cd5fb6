"""A DataFlow is created, changed and deleted while pods run: the wire follows, and status says where it cannot."""

import time

import pytest
from tests.e2e.lifecycle.market import Market, Object, account, charging, flow, workload
from tests.support.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

SECONDS_TO_FOLLOW = 60.0
READ = {
    "name": "read",
    "methods": ["GET"],
    "path": "/charges/{customer}",
    "subject": {"in": "path", "name": "customer"},
    "response": {"fields": [{"pointer": "/caller", "category": "none"}]},
}


@pytest.fixture(scope="module")
def walker(market: Market) -> Object:
    """A pod that may charge at ``neighbour``; returns the flow."""
    lawful = flow(market.namespace, "walker-to-neighbour", "walker", "neighbour")
    market.apply(account(market.namespace, "walker"), lawful)
    market.kubectl("wait", "--for=condition=Lawful", "dataflow/walker-to-neighbour", "--timeout=60s", seconds=90.0)
    market.apply(workload(market.namespace, "walker", "wait"))
    market.rolled_out("deployment/walker")
    market.ready("walker-to-neighbour")
    return lawful


def followed(market: Market, request: tuple[str, ...], *, status: int, received: list[str] | None = None) -> str:
    """Waits until a request of the walker is answered like this; returns how long it took, for a reader."""
    began = time.monotonic()

    def look() -> bool:
        answer = market.call("deploy/walker", *request)
        return answer["status"] == status and received in (None, answer["document"].get("received"))

    eventually(look, f"{status} for {request[0]}", seconds=SECONDS_TO_FOLLOW)
    return f"{time.monotonic() - began:.1f} s"


def test_the_wire_follows_a_flow_that_is_created_changed_and_deleted(market: Market, walker: Object) -> None:
    method, url, body = charging(market.namespace, "neighbour")
    read, charge = ("GET", url), (method, url, body)
    assert market.call("deploy/walker", *read)["status"] == 403
    assert market.answered("deploy/walker", *charge)["document"]["received"] == ["/customer/id", "/amount"]

    market.apply(flow(market.namespace, "walker-reads", "walker", "neighbour", operations=[READ]))
    print("created:", followed(market, read, status=200))

    (operation,) = walker["spec"]["operations"]
    fewer = operation | {"request": {"fields": [{"pointer": "/amount", "category": "none"}]}}
    market.apply(walker | {"spec": walker["spec"] | {"operations": [fewer]}})
    print("changed:", followed(market, charge, status=200, received=["/amount"]))
    assert market.call("deploy/walker", *read)["status"] == 200, "the other flow stands"

    market.kubectl("delete", "dataflow/walker-reads")
    print("deleted:", followed(market, read, status=403))
    assert market.call("deploy/walker", *charge)["status"] == 200, "the other flow stands"


def test_a_flow_to_a_new_destination_says_that_pods_must_be_restarted_and_works_then(
    market: Market, walker: Object
) -> None:
    charge = charging(market.namespace, "server")
    market.apply(flow(market.namespace, "walker-to-server", "walker", "server"))
    wanted = 'jsonpath={.status.conditions[?(@.type=="Enforced")].reason}=RestartRequired'
    market.kubectl("wait", f"--for={wanted}", "dataflow/walker-to-server", "--timeout=60s", seconds=90.0)
    enforced = next(
        each
        for each in market.get("dataflow", "walker-to-server")["status"]["conditions"]
        if each["type"] == "Enforced"
    )
    assert enforced["status"] == "False"
    assert "roll the workload out again" in enforced["message"]
    market.kubectl("rollout", "restart", "deployment/walker")
    market.rolled_out("deployment/walker")
    market.ready("walker-to-server")
    answer = market.answered("deploy/walker", *charge)
    assert "spiffe://cluster.local/ns/market/sa/walker" in answer["document"]["caller"]


def test_without_its_last_flow_a_destination_is_not_reached_at_all(market: Market, walker: Object) -> None:
    charge = charging(market.namespace, "neighbour")
    market.apply(walker)
    followed(market, charge, status=200)
    market.kubectl("delete", "dataflow/walker-to-neighbour")
    command = ["exec", "deploy/walker", f"--namespace={market.namespace}", "--container=app", "--"]

    def refused() -> bool:
        tried = market.cluster.kubectl(*command, "/usr/bin/python3", "/app/peer.py", "call", *charge, check=False)
        return "Connection refused" in tried.stderr

    eventually(refused, "no connection from the pod's loopback, and none past it", seconds=SECONDS_TO_FOLLOW)
