"""DataFlow: its verdict, where it is in force, and when to look again."""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from lawflow import law
from lawflow.controller.conditions import Observation, condition
from lawflow.controller.flow_index import indexed
from lawflow.controller.references import references
from lawflow.controller.settings import Environment
from lawflow.controller.status import CREDENTIALS_UNKNOWN, WorkloadState, flow_status, invalid_status
from lawflow.controller.status_writer import write_status
from lawflow.controller.workload import grants_of
from lawflow.law.context import Context
from lawflow.model.dataflow import DataFlow
from lawflow.model.flow_index import MAXIMUM_FLOWS
from lawflow.model.kinds import DATA_FLOW
from lawflow.model.labels import INJECTED
from lawflow.resolve import resolve_flow
from lawflow.store.protocol import Object

TOLD = frozenset({"Lawful", "CredentialsReady", "Enforced"})
"""Conditions whose transitions become events; Ready follows from them."""


async def reconcile(environment: Environment, namespace: str, name: str) -> dt.datetime | None:
    """Judge one flow and write its status; returns when a date that the verdict rests on passes."""
    world = environment.world
    key = DATA_FLOW.name, namespace, name
    stored = world.get(DATA_FLOW, namespace, name)
    if stored is None:
        environment.referrers.remember(key, set())
        return None
    previous = stored.get("status")
    flow = world.flow(namespace, name)
    if flow is None:
        generation = stored["metadata"].get("generation", 0)
        problems = world.problems(DATA_FLOW, namespace, name)
        status = invalid_status(problems, generation, previous, environment.now)
        await write_status(environment, DATA_FLOW, stored, status, TOLD)
        return None
    environment.referrers.remember(key, references(flow, world.references))
    context = law_context(environment)
    assessment = law.assess(flow, context, environment.today)
    review = assessment.next_review
    status = flow_status(
        resolve_flow(flow, world.references),
        assessment.findings,
        sorted(workload_states(environment, flow), key=lambda state: (state.side != "source", state.kind, state.name)),
        previous,
        environment.now,
        credentials=credentials_of(environment, flow, previous),
        next_review=review,
        grants=grants_of(world, flow),
        indexed=_indexed(environment, stored),
    )
    await write_status(environment, DATA_FLOW, stored, status, TOLD)
    return midnight(review) if review and environment.settings.judged_on is None else None


def _indexed(environment: Environment, stored: Object) -> bool:
    flows = list(environment.world.all(DATA_FLOW, stored["metadata"]["namespace"]))
    return len(flows) <= MAXIMUM_FLOWS or stored in indexed(flows)


def law_context(environment: Environment) -> Context:
    """What the rules may look at."""
    settings = environment.settings
    return Context(environment.world.references, settings.legal, settings.disabled_rules)


def midnight(day: dt.date) -> dt.datetime:
    """The first moment of a day in UTC."""
    return dt.datetime.combine(day, dt.time.min, dt.UTC)


def credentials_of(environment: Environment, flow: DataFlow, previous: Mapping[str, Any] | None) -> Observation:
    """CredentialsReady for a flow: that of its source's service account, or of the authority where it is in trouble.

    A controller that has just started and not looked yet stays with what its predecessor said.
    """
    before = condition(previous, "CredentialsReady")
    said = Observation("CredentialsReady", before["status"], before["reason"], before["message"]) if before else None
    held = environment.credentials
    authority = held.get(("", ""), said or CREDENTIALS_UNKNOWN)
    if authority.status != "True" or environment.settings.delivery != "secret":
        return authority
    own = held.get((flow.metadata.namespace, flow.spec.source.service_account_name))
    return own or said or CREDENTIALS_UNKNOWN


def workload_states(environment: Environment, flow: DataFlow) -> Iterator[WorkloadState]:
    """The workloads at both ends, with how many of their live pods have a sidecar."""
    world, namespace = environment.world, flow.metadata.namespace
    name, source = flow.metadata.name, flow.spec.source.service_account_name
    pods = _pods(environment, namespace)
    for obj, template in world.workloads(namespace):
        if template.service_account == source or name in template.declared_flows:
            identity = obj["kind"], obj["metadata"]["name"]
            yield WorkloadState(*identity, "source", *pods.get(identity, (0, 0)), world.opted_in(namespace))
    service = flow.spec.destination.service
    if service is None:
        return
    where = service.namespace or namespace
    pods = _pods(environment, where)
    for obj, template in world.workloads(where):
        if template.service_account == (service.service_account_name or service.name):
            identity = obj["kind"], obj["metadata"]["name"]
            yield WorkloadState(*identity, "destination", *pods.get(identity, (0, 0)), world.opted_in(where))


def _pods(environment: Environment, namespace: str) -> dict[tuple[str, str], tuple[int, int]]:
    """How many live pods each workload of a namespace has, and how many of them a sidecar."""
    counts: dict[tuple[str, str], tuple[int, int]] = {}
    world = environment.world
    for pod in world.live_pods(namespace):
        owner = world.owner(pod)
        identity = owner["kind"], owner["metadata"]["name"]
        pods, injected = counts.get(identity, (0, 0))
        counts[identity] = pods + 1, injected + (INJECTED in pod["metadata"]["annotations"])
    return counts
