"""Whether there is a way to hosts outside, and which flows hear of its coming and going."""

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from tests.support import merchant

from lawflow.controller.affected import affected
from lawflow.controller.egress import no_way_out
from lawflow.controller.settings import Environment, Settings
from lawflow.controller.world import World
from lawflow.model import labels
from lawflow.model.dataflow import DataFlow
from lawflow.model.kinds import DATA_FLOW, POD
from lawflow.model.parse import parse
from lawflow.store.folder import FolderStore
from lawflow.store.protocol import Object

pytestmark = pytest.mark.unit

OUTSIDE = ("DataFlow", "shop", "orders-to-psp")


def typed(obj: Object) -> DataFlow:
    found = parse(obj)
    assert isinstance(found, DataFlow)
    return found


OUTSIDE_FLOW = typed(merchant.flow("shop"))


@pytest.fixture
def environment(tmp_path: Any) -> Environment:
    settings = Settings(egress=("lawflow-system", "lawflow-egress"))
    made = Environment(FolderStore(tmp_path), World(), settings, lambda: dt.datetime.now(dt.UTC))
    made.world.observe(DATA_FLOW, merchant.flow("shop"))
    made.world.observe(DATA_FLOW, merchant.flow("shop", "inside", destination=merchant.to_service(None, "billing")))
    return made


def pod(ready: str = "True", account: str = "lawflow-egress", namespace: str = "lawflow-system", **own: str) -> Object:
    annotations = {labels.INJECTED: "0.1.0", **own}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "egress-1", "namespace": namespace, "annotations": annotations},
        "spec": {"serviceAccountName": account, "containers": []},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]},
    }


def told(environment: Environment, obj: Object, *, deleted: bool = False) -> set[Any]:
    """The flows that are looked at again after a change of a pod."""
    before = environment.world.observe(POD, obj, deleted=deleted)
    return {key for key in affected(environment, POD, obj, before, deleted=deleted) if key[0] == "DataFlow"}


def trace(obj: Object) -> Object:
    """What a watch knows of an object that went while it was interrupted."""
    metadata = {name: obj["metadata"][name] for name in ("namespace", "name")}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}


def test_a_ready_gateway_is_a_way_out(environment: Environment) -> None:
    assert no_way_out(environment, OUTSIDE_FLOW)[0] == "NoEgress"
    environment.world.observe(POD, pod("False"))
    assert no_way_out(environment, OUTSIDE_FLOW)[0] == "EgressNotReady"
    environment.world.observe(POD, pod())
    assert no_way_out(environment, OUTSIDE_FLOW) == ("", "")


def test_a_gateway_that_rejects_its_configuration_is_none(environment: Environment) -> None:
    environment.world.observe(POD, pod(**{labels.POLICY_REJECTED: "no such field"}))
    reason, message = no_way_out(environment, OUTSIDE_FLOW)
    assert reason == "PolicyRejected"
    assert "no such field" in message


@pytest.mark.parametrize("other", [{"account": "other"}, {"namespace": "shop"}])
def test_another_pod_is_no_gateway(environment: Environment, other: dict[str, str]) -> None:
    environment.world.observe(POD, pod(**other))
    assert no_way_out(environment, OUTSIDE_FLOW)[0] == "NoEgress"


def test_where_sidecars_call_outside_themselves_no_gateway_is_missed(tmp_path: Any) -> None:
    alone = Environment(FolderStore(tmp_path), World(), Settings(), lambda: dt.datetime.now(dt.UTC))
    assert no_way_out(alone, OUTSIDE_FLOW) == ("", "")


def test_flows_to_hosts_outside_hear_of_what_changes_the_gateways_state_and_of_nothing_else(
    environment: Environment,
) -> None:
    assert told(environment, pod("False")) == {OUTSIDE}
    noted = pod("False", **{labels.TRUST_BUNDLE: "1"})
    assert told(environment, noted) == set()
    assert told(environment, pod()) == {OUTSIDE}
    assert told(environment, pod(), deleted=True) == {OUTSIDE}


def test_the_end_of_a_gateway_is_heard_of_where_the_watch_knows_its_name_alone(environment: Environment) -> None:
    assert told(environment, pod()) == {OUTSIDE}
    assert told(environment, trace(pod()), deleted=True) == {OUTSIDE}


def test_the_end_of_a_pod_that_was_never_known_concerns_nobody(environment: Environment) -> None:
    assert told(environment, trace(pod()), deleted=True) == set()


def test_tls_that_is_to_be_ended_is_served_where_the_installation_says_so(environment: Environment) -> None:
    environment.world.observe(POD, pod())
    external = {**merchant.flow("shop")["spec"]["destination"]["external"], "tls": "terminate"}
    destination = {**merchant.flow("shop")["spec"]["destination"], "external": external}
    ended = typed(merchant.flow("shop", destination=destination))
    assert no_way_out(environment, ended)[0] == "TlsTerminateOff"
    served = replace(environment, settings=replace(environment.settings, terminates=True))
    assert no_way_out(served, ended) == ("", "")
