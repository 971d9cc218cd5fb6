"""DataFlow: its verdict, where it is in force, and when to look again."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from lawflow import law
from lawflow.controller.conditions import Observation, condition
from lawflow.controller.egress import no_way_out
from lawflow.controller.enforcement import workload_states
from lawflow.controller.flow_index import indexed
from lawflow.controller.references import references
from lawflow.controller.settings import Environment
from lawflow.controller.status import CREDENTIALS_UNKNOWN, flow_status, invalid_status
from lawflow.controller.status_writer import write_status
from lawflow.controller.workload import grants_of
from lawflow.law.context import Context
from lawflow.model.dataflow import DataFlow
from lawflow.model.flow_index import MAXIMUM_FLOWS
from lawflow.model.kinds import DATA_FLOW
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
        sorted(
            workload_states(world, flow, _releases(environment)),
            key=lambda state: (state.side != "source", state.kind, state.name),
        ),
        previous,
        environment.now,
        credentials=credentials_of(environment, flow, previous),
        next_review=review,
        grants=grants_of(world, flow),
        indexed=_indexed(environment, stored),
        no_way_out=no_way_out(environment, flow),
    )
    await write_status(environment, DATA_FLOW, stored, status, TOLD)
    return midnight(review) if review and environment.settings.judged_on is None else None


def _releases(environment: Environment) -> frozenset[str] | None:
    """Versions of the sidecars that count; where nothing is injected, nobody asks."""
    injection = environment.settings.injection
    if injection is None:
        return None
    return frozenset(release.version for release in injection.releases)


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
