"""Pods in mode redirect that are not captured whole: what they show, what status says, and which are made again."""

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.controlling import Clock
from tests.support.pods import SETTINGS, container, pod

from lawflow.controller import network_rules
from lawflow.controller.affected import affected
from lawflow.controller.capture import MISSING, SHARED, UNSEEN, explained, failure, shortfall
from lawflow.controller.network_rules import PAUSE
from lawflow.controller.settings import Environment, Settings
from lawflow.controller.world import World
from lawflow.daemon.queue import Key
from lawflow.inject import IdentityData, Injected, inject_pod
from lawflow.model.kinds import EVENT, NAMESPACE, POD
from lawflow.model.sidecar import NETWORK_CONTAINER, USER_ID
from lawflow.store.folder import FolderStore
from lawflow.store.protocol import Object

pytestmark = pytest.mark.unit

RUNNING: Object = {"running": {}}


def redirected(user: int | None = 1000, **status: Any) -> dict[str, Any]:
    app = container()
    if user is not None:
        app["securityContext"]["runAsUser"] = user
    result = inject_pod(pod(containers=[app]), replace(SETTINGS, interception="redirect"), IdentityData())
    assert isinstance(result, Injected)
    return {**result.pod, "status": status}


def check(**state: Any) -> list[Object]:
    return [{"name": NETWORK_CONTAINER, **state}]


def ended(code: int) -> Object:
    return {"terminated": {"exitCode": code, "message": "they are not sent to its sidecar"}}


def app(user: int | None = None, state: Object = RUNNING) -> list[Object]:
    return [{"name": "app", "state": state, **({"user": {"linux": {"uid": user}}} if user is not None else {})}]


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (redirected(), ""),
        (redirected(initContainerStatuses=check(state=RUNNING)), ""),
        (redirected(initContainerStatuses=check(state=ended(0))), ""),
        (redirected(initContainerStatuses=check(state=ended(1))), MISSING),
        (redirected(initContainerStatuses=check(state={"waiting": {}}, lastState=ended(1))), MISSING),
        (redirected(containerStatuses=app()), ""),
        (redirected(None, containerStatuses=app()), UNSEEN),
        (redirected(None, containerStatuses=app(state={"waiting": {}})), ""),
        (redirected(None, containerStatuses=app(1000)), ""),
        (redirected(None, containerStatuses=app(USER_ID)), SHARED),
        (redirected(1000, containerStatuses=app(USER_ID)), SHARED),
    ],
)
def test_a_pod_shows_what_goes_past_its_sidecar(made: Any, reason: str) -> None:
    assert shortfall(made) == reason
    assert not reason or explained(reason, "1 of 2 pods of Deployment orders").count("1 of 2 pods") == 1


def test_the_container_that_misses_the_rules_says_so_itself() -> None:
    assert failure(redirected(initContainerStatuses=check(state=ended(1)))) == "they are not sent to its sidecar"
    assert (
        failure(redirected(initContainerStatuses=check(state={"terminated": {"exitCode": 1}}))) == "it gave no reason"
    )


@pytest.fixture
async def environment(tmp_path: Path) -> Environment:
    made = Environment(FolderStore(tmp_path), World(), Settings(), Clock(dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)))
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    made.world.observe(NAMESPACE, await made.store.create(NAMESPACE, namespace))
    return made


async def failing(
    environment: Environment, name: str, owner: str | None, node: str = "a", phase: str = "Pending"
) -> None:
    made = redirected(initContainerStatuses=check(state=ended(1)), phase=phase)
    references = [{"kind": "ReplicaSet", "name": owner, "uid": owner, "controller": True}] if owner else []
    made["metadata"] = {**made["metadata"], "name": name, "ownerReferences": references}
    made["spec"]["nodeName"] = node
    stored = {**await environment.store.create(POD, made), "status": made["status"]}
    keys: set[Key] = set()
    before = environment.world.observe(POD, stored)
    keys.update(affected(environment, POD, stored, before, deleted=False))
    assert (network_rules.KIND, "shop", name) in keys


async def left(environment: Environment) -> list[str]:
    return sorted(each["metadata"]["name"] for each in await environment.store.list(POD, "shop"))


async def told(environment: Environment) -> list[str]:
    return [each["message"] for each in await environment.store.list(EVENT, "shop")]


async def test_a_pod_that_somebody_makes_again_is_deleted_with_an_event(environment: Environment) -> None:
    await failing(environment, "one", "orders-1")
    assert await network_rules.reconcile(environment, "shop", "one") is None
    assert await left(environment) == []
    (message,) = await told(environment)
    assert "they are not sent to its sidecar" in message


async def test_pods_of_one_owner_on_one_node_are_not_turned_over_faster_than_that(environment: Environment) -> None:
    for name, node in (("one", "a"), ("two", "a"), ("three", "b")):
        await failing(environment, name, "orders-1", node)
    assert await network_rules.reconcile(environment, "shop", "one") is None
    assert await network_rules.reconcile(environment, "shop", "two") == environment.now + PAUSE
    assert await network_rules.reconcile(environment, "shop", "three") is None
    assert await left(environment) == ["two"]
    clock = environment.clock
    assert isinstance(clock, Clock)
    clock.advance(PAUSE)
    assert await network_rules.reconcile(environment, "shop", "two") is None
    assert await left(environment) == []


async def test_a_pod_that_nobody_makes_again_stays_and_is_told_of(environment: Environment) -> None:
    await failing(environment, "alone", None)
    assert await network_rules.reconcile(environment, "shop", "alone") is None
    assert await left(environment) == ["alone"]
    (message,) = await told(environment)
    assert "create it anew" in message


async def test_a_pod_that_is_not_started_again_is_its_owners_to_count(environment: Environment) -> None:
    await failing(environment, "job", "backup", phase="Failed")
    assert await network_rules.reconcile(environment, "shop", "job") is None
    assert await left(environment) == ["job"]
