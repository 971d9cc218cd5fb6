"""Verdicts are renewed when anything changes that they rest on, and reviews only look them up."""

import datetime as dt

import pytest
from tests.support.flows import flow, references, unlawful_flow
from tests.support.reviews import NAMESPACE, judge, known, namespace_object, tell

from lawflow.law import default_legal_data
from lawflow.model.kinds import DATA_FLOW
from lawflow.store.protocol import WatchEvent
from lawflow.webhook.knowledge import WATCHED, Knowledge

pytestmark = pytest.mark.unit


def lawful(knowledge: Knowledge, name: str = "orders") -> bool:
    return knowledge.view.namespace(NAMESPACE).verdicts[name].lawful


def test_nothing_is_ready_until_every_kind_was_read_and_every_flow_judged() -> None:
    knowledge = Knowledge(default_legal_data())
    knowledge.observe(DATA_FLOW, WatchEvent("ADDED", flow("orders", NAMESPACE)))
    for kind in WATCHED:
        assert not knowledge.ready
        knowledge.observe(kind, WatchEvent("SYNCED", {}))

    assert not knowledge.ready
    judge(knowledge)
    assert knowledge.ready
    tell(knowledge, flow("billing", NAMESPACE))
    assert knowledge.ready


def test_a_flow_becomes_lawful_when_what_it_refers_to_arrives() -> None:
    knowledge = known(namespace_object(), flow("orders", NAMESPACE))
    assert not lawful(knowledge)

    for reference in references(NAMESPACE):
        tell(knowledge, reference)
    judge(knowledge)

    assert lawful(knowledge)


def test_a_flow_ceases_to_be_lawful_when_the_day_comes() -> None:
    knowledge = known(*references(NAMESPACE), flow("orders", NAMESPACE))
    assert lawful(knowledge)

    knowledge.doubt_all()
    judge(knowledge, dt.date(2100, 1, 1))

    assert not lawful(knowledge)


def test_an_edited_flow_is_judged_anew_and_a_deleted_one_forgotten() -> None:
    knowledge = known(*references(NAMESPACE), flow("orders", NAMESPACE, "orders"))

    tell(knowledge, unlawful_flow("orders", NAMESPACE, "billing"))
    judge(knowledge)
    assert not lawful(knowledge)
    assert knowledge.view.namespace(NAMESPACE).flows_of_service_account == {"billing": ("orders",)}

    tell(knowledge, flow("orders", NAMESPACE), gone=True)
    assert knowledge.view.namespace(NAMESPACE).verdicts == {}
    assert knowledge.view.namespace(NAMESPACE).flows_of_service_account == {}


def test_a_stored_flow_of_another_version_is_known_and_never_judged() -> None:
    stranger = flow("orders", NAMESPACE)
    stranger["spec"]["fieldOfALaterVersion"] = True

    knowledge = known(stranger)

    verdict = knowledge.view.namespace(NAMESPACE).verdicts["orders"]
    assert not verdict.evaluated
    assert not verdict.lawful


def test_a_slice_judges_no_more_flows_than_it_is_given() -> None:
    knowledge = known(*(flow(f"flow-{number}", NAMESPACE) for number in range(5)))
    knowledge.doubt_all()

    knowledge.renew(dt.date(2026, 7, 1), at_most=4)
    assert knowledge.stale
    knowledge.renew(dt.date(2026, 7, 1), at_most=4)
    assert not knowledge.stale


def test_destinations_of_a_service_account_follow_its_flows() -> None:
    knowledge = known(flow("orders", NAMESPACE, "orders"))
    assert [one.host for one in knowledge.destinations(NAMESPACE, "orders")] == ["api.psp.example"]
    assert knowledge.destinations(NAMESPACE, "billing") == ()

    tell(knowledge, flow("orders", NAMESPACE), gone=True)

    assert knowledge.destinations(NAMESPACE, "orders") == ()


def test_a_namespace_that_is_gone_has_opted_in_to_nothing() -> None:
    knowledge = known(namespace_object(inject="enabled"))
    assert knowledge.view.namespace(NAMESPACE).opted_in

    tell(knowledge, namespace_object(), gone=True)

    assert not knowledge.view.namespace(NAMESPACE).opted_in
