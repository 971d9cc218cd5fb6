"""What holds for every flow that fits its schema, whatever it says."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.support.schema_valid import flows, resources

from lawflow.law import RULES, Context, assess, evaluate, evaluate_workload
from lawflow.law.example import EXAMPLE_DAY, workloads_of
from lawflow.model.base import Document
from lawflow.model.dataflow import DataFlow
from lawflow.model.status import Finding
from lawflow.resolve import Objects

pytestmark = pytest.mark.unit

_DAYS = st.one_of(st.just(EXAMPLE_DAY), st.dates(), st.sampled_from([dt.date.min, dt.date.max]))
_many = settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


@_many
@given(flows(), resources(), _DAYS)
def test_evaluation_never_raises_and_tells_complete_findings(flow: DataFlow, around: list[Any], today: dt.date) -> None:
    for finding in evaluate(flow, Context(Objects(around)), today):
        assert finding.rule in RULES
        assert finding.path.startswith(".spec")
        assert finding.message
        assert finding.fix
        Finding.model_validate(finding.model_dump())


@_many
@given(flows(), resources(), st.randoms())
def test_the_order_of_objects_never_matters(flow: DataFlow, around: list[Any], random: Any) -> None:
    once = {(each.kind, each.metadata.name): each for each in around}
    shuffled = list(once.values())
    random.shuffle(shuffled)
    first = assess(flow, Context(Objects(once.values())), EXAMPLE_DAY)
    assert assess(flow, Context(Objects(shuffled)), EXAMPLE_DAY) == first


@_many
@given(flows(), resources())
def test_the_same_question_has_the_same_answer(flow: DataFlow, around: list[Any]) -> None:
    context = Context(Objects(around))
    again = DataFlow.model_validate(flow.model_dump(by_alias=True))
    assert assess(again, context, EXAMPLE_DAY) == assess(flow, context, EXAMPLE_DAY)


@_many
@given(flows(), resources())
def test_adding_an_agreement_never_adds_a_finding_about_a_missing_one(flow: DataFlow, around: list[Any]) -> None:
    context = Context(Objects(around))
    agreement = Document(reference="DPA-1", valid_until=dt.date(2099, 1, 1))
    destination = flow.spec.destination.model_copy(update={"agreement": agreement})
    agreed = flow.model_copy(update={"spec": flow.spec.model_copy(update={"destination": destination})})
    before = {(found.rule, found.path) for found in evaluate(flow, context, EXAMPLE_DAY)}
    after = {(found.rule, found.path) for found in evaluate(agreed, context, EXAMPLE_DAY)}
    assert after <= before


@_many
@given(flows(), resources())
def test_nothing_changes_before_the_next_review(flow: DataFlow, around: list[Any]) -> None:
    context = Context(Objects(around))
    now = assess(flow, context, EXAMPLE_DAY)
    if now.next_review is None:
        later = dt.date.max
    else:
        assert now.next_review > EXAMPLE_DAY
        later = now.next_review - dt.timedelta(days=1)
    assert evaluate(flow, context, later) == now.findings


@_many
@given(flows(), resources())
def test_a_rule_that_is_turned_off_says_nothing_and_silences_no_other(flow: DataFlow, around: list[Any]) -> None:
    objects = Objects(around)
    everything = evaluate(flow, Context(objects), EXAMPLE_DAY)
    for rule in {found.rule for found in everything}:
        left = evaluate(flow, Context(objects, disabled_rules=frozenset({rule})), EXAMPLE_DAY)
        assert left == [found for found in everything if found.rule != rule]


@_many
@given(flows())
def test_workloads_are_judged_against_any_flow(flow: DataFlow) -> None:
    workload, others = workloads_of({})
    for finding in evaluate_workload(workload, [flow], others):
        assert finding.rule in RULES
