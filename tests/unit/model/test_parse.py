"""Objects that do not fit become problems with a path and a fix."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.violations import FLOW, VIOLATIONS

from lawflow.model.kinds import CUSTOM_KINDS
from lawflow.model.parse import InvalidObjectError, Problem, parse

pytestmark = pytest.mark.unit


def _problems(obj: dict[str, Any]) -> tuple[Problem, ...]:
    with pytest.raises(InvalidObjectError) as caught:
        parse(obj)
    return caught.value.problems


def _with(path: str, value: Any) -> dict[str, Any]:
    obj = copy.deepcopy(FLOW)
    *steps, last = path.split(".")
    node: Any = obj
    for step in steps:
        node = node.setdefault(step, {})
    node[last] = value
    return obj


def test_a_flow_that_fits_is_parsed() -> None:
    assert parse(FLOW).key == ("DataFlow", "default", "orders-to-psp")


@pytest.mark.parametrize(("obj", "path", "message"), VIOLATIONS.values(), ids=VIOLATIONS)
def test_a_violated_constraint_is_a_problem_at_its_field(obj: dict[str, Any], path: str, message: str) -> None:
    (problem,) = _problems(obj)
    assert (problem.path, problem.message) == (path, message)
    assert problem.fix


@pytest.mark.parametrize(
    ("path", "value", "at", "message", "fix"),
    [
        ("kind", "Dataflow", ".kind", "no kind 'Dataflow'", "did you mean DataFlow?"),
        ("apiVersion", "lawflow.dev/v1", ".apiVersion", "not served", "use lawflow.dev/v1alpha1"),
        ("spec.purpose", [], ".spec.purpose", "unknown field", "did you mean purposes?"),
        ("spec.zzz", 1, ".spec.zzz", "unknown field", "known fields: automatedDecision"),
        ("spec.source", {}, ".spec.source.serviceAccountName", "required field is missing", "add it"),
        ("spec.subjects.countries", [False], ".spec.subjects.countries[0]", "False is not a string", "quote it"),
        ("spec.retention.period", "10 years", ".spec.retention.period", "form that is asked for", "it must match"),
        ("spec.source.role", "owner", ".spec.source.role", "unsupported value 'owner'", "'controller'"),
        ("spec.destination.service.port", "80", ".spec.destination.service.port", "valid integer", "correct"),
        ("spec.security.encryptionAtRest", "true", ".spec.security.encryptionAtRest", "valid boolean", "correct"),
        ("spec.security.lastTested", "2026-02-30", ".spec.security.lastTested", "date", "correct"),
        ("spec.destination.service.port", 0, ".spec.destination.service.port", "greater than or equal to 1", "correct"),
    ],
)
def test_what_does_not_fit_is_told_with_its_path_and_the_fix(
    path: str, value: Any, at: str, message: str, fix: str
) -> None:
    (problem,) = _problems(_with(path, value))
    assert problem.path == at
    assert message in problem.message
    assert fix in problem.fix


def test_every_problem_is_told_and_not_only_the_first() -> None:
    obj = _with("spec.source.role", "owner")
    obj["spec"]["zzz"] = 1
    assert len(_problems(obj)) == 2


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["spec", "name", "source", "destination", "purposes", "operations", "in", "path", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(kind=st.sampled_from([kind.name for kind in CUSTOM_KINDS]), metadata=_json, spec=_json)
def test_nothing_but_problems_comes_of_any_object(kind: str, metadata: Any, spec: Any) -> None:
    told: tuple[Problem, ...] = ()
    try:
        parse({"apiVersion": "lawflow.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
    except InvalidObjectError as error:
        told = error.problems
    assert all(problem.path and problem.message and problem.fix for problem in told)
