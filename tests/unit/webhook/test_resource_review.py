"""Flows are told what is wrong with them at once, and refused only where no other object could help."""

import copy
from typing import Any

import pytest
from tests.support.flows import flow, references, unlawful_flow
from tests.support.reviews import NAMESPACE, NOW, known, namespace_object, request

from lawflow.webhook.decision import Decision
from lawflow.webhook.resource import review_resource

pytestmark = pytest.mark.unit

Object = dict[str, Any]


def review(request: Object, *objects: Object) -> Decision:
    knowledge = known(*(objects or (namespace_object(), *references(NAMESPACE))))
    return review_resource(request, knowledge.view, knowledge.context, NOW.date())


def test_a_lawful_flow_is_admitted_in_silence() -> None:
    assert review(request(flow("orders", NAMESPACE))) == Decision()


def test_a_flow_whose_references_are_missing_is_admitted_with_warnings() -> None:
    decision = review(request(flow("orders", NAMESPACE)), namespace_object())

    assert decision.allowed
    assert decision.warnings[0].startswith("deny: HOUSE-reference-unresolved (house rule) .spec.controllerRef:")


def test_a_flow_that_no_other_object_could_repair_is_refused() -> None:
    decision = review(request(unlawful_flow("orders", NAMESPACE)))

    assert not decision.allowed
    assert "GDPR-28-3-agreement-missing" in decision.message


def test_a_flow_that_has_become_hopeless_can_still_be_edited_but_not_made_worse() -> None:
    old = unlawful_flow("orders", NAMESPACE)
    described, worse = copy.deepcopy(old), copy.deepcopy(old)
    described["spec"]["description"] = "Charge the customer"
    worse["spec"]["purposes"] = []

    assert review(request(described, old)).allowed
    decision = review(request(worse, old))
    assert not decision.allowed
    assert "agreement" not in decision.message


def test_edits_of_metadata_and_status_are_not_judged() -> None:
    old = unlawful_flow("orders", NAMESPACE)
    labelled = {**old, "metadata": {**old["metadata"], "labels": {"team": "orders"}}}

    assert review(request(labelled, old)) == Decision()
    assert review(request(unlawful_flow("orders", NAMESPACE), flow("orders", NAMESPACE), subResource="status")).allowed


def test_a_flow_that_does_not_fit_its_schema_is_refused_with_path_and_fix() -> None:
    misspelt = flow("orders", NAMESPACE)
    misspelt["spec"]["purpose"] = misspelt["spec"].pop("purposes")

    decision = review(request(misspelt))

    assert not decision.allowed
    assert decision.code == 422
    assert ".spec.purpose: unknown field" in decision.message
    assert "did you mean purposes?" in decision.message


@pytest.mark.parametrize(("enforce", "warned"), [("warn", True), ("audit", False)])
def test_a_namespace_may_be_warned_or_audited_instead(enforce: str, warned: bool) -> None:
    decision = review(request(unlawful_flow("orders", NAMESPACE)), namespace_object(enforce=enforce))

    assert decision.allowed
    assert bool(decision.warnings) == warned


def test_other_kinds_are_checked_against_their_schema_alone() -> None:
    dataset, _ = references(NAMESPACE)
    broken = copy.deepcopy(dataset)
    broken["spec"]["fields"] = "all of them"

    assert review(request(dataset)) == Decision()
    assert not review(request(broken)).allowed
