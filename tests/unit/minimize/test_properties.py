"""What holds for every document and every list of fields."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lawflow import law
from lawflow.minimize.attempt import Passed, Sample, attempt
from lawflow.minimize.document import EMPTY, Path, by_path, documents
from lawflow.minimize.policy import trial
from lawflow.minimize.shape import fields_of
from lawflow.minimize.suggestion import suggest
from lawflow.model.dataflow import DataFlow
from lawflow.resolve import ResolvedFlow

pytestmark = pytest.mark.unit

CATEGORIES = law.default_legal_data().vocabulary.category_names
SECRET = b"\7" * 32
# Few names, so that fields meet documents; some that have to be escaped, and some that look like values.
NAMES = st.sampled_from(["a", "b", "c", "*", "a/b", "~", "", "é", "2026-11-24", "x@y"])
SINGLE = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text())
DOCUMENTS = st.recursive(
    SINGLE,
    lambda below: st.one_of(st.lists(below, max_size=4), st.dictionaries(NAMES, below, max_size=4)),
    max_leaves=20,
)
CONTAINERS = st.one_of(st.lists(DOCUMENTS, max_size=4), st.dictionaries(NAMES, DOCUMENTS, max_size=4))
TOKENS = st.sampled_from(["a", "b", "c", "*", "~2", "a~1b", "~0", "", "é"])
POINTERS = st.lists(TOKENS, min_size=1, max_size=4).map(lambda tokens: "/" + "/".join(tokens))
PROTECTIONS = st.sampled_from(["pass", "pass", "drop", "mask", "truncate", "generalize", "pseudonymize", "encrypt"])


def minimized(document: Any, fields: dict[str, str]) -> Passed | None:
    """What passes of a document under fields, by pointer and protection; ``None`` where it is refused."""
    declared = [{"pointer": each, "category": "none", "protect": protect} for each, protect in fields.items()]
    flow = DataFlow.model_validate(
        {
            "apiVersion": "lawflow.dev/v1alpha1",
            "kind": "DataFlow",
            "metadata": {"name": "f", "namespace": "n"},
            "spec": {
                "source": {"serviceAccountName": "a"},
                "destination": {"service": {"name": "b", "port": 80}, "role": "sameController"},
                "operations": [{"name": "o", "path": "/", "request": {"fields": declared}}],
            },
        }
    )
    sample = Sample("POST", "/", [("content-type", "application/json")], json.dumps(document).encode())
    tried = trial(ResolvedFlow(flow), "request", SECRET)
    outcome = attempt(tried, flow.spec.operations[0], sample, "request")
    return outcome if isinstance(outcome, Passed) else None


def declares(pointer: str, path: Path) -> bool:
    """A second opinion on what a pointer names."""
    tokens = pointer.split("/")[1:]
    unescaped = [each.replace("~2", "*").replace("~1", "/").replace("~0", "~") for each in tokens]
    return len(tokens) == len(path) and all(
        token == "*" or name == step for token, name, step in zip(tokens, unescaped, path, strict=True)
    )


def singles(body: bytes) -> dict[Path, list[Any]]:
    """The single values of a document by path; empty arrays and objects are none."""
    found = by_path(documents(body)) if body else {}
    without = {path: [value for value in values if value != EMPTY] for path, values in found.items()}
    return {path: values for path, values in without.items() if values}


@settings(max_examples=300, deadline=None)
@given(CONTAINERS, st.dictionaries(POINTERS, PROTECTIONS, max_size=5))
def test_what_leaves_is_json_without_any_undeclared_field(document: Any, fields: dict[str, str]) -> None:
    passed = minimized(document, fields)
    declared = [pointer for pointer, protect in fields.items() if protect != "drop"]
    assert passed is not None
    if not declared:
        assert passed.body == b""
        return
    json.loads(passed.body)
    undeclared = [path for path in singles(passed.body) if not any(declares(each, path) for each in declared)]
    assert undeclared == []


@settings(max_examples=200, deadline=None)
@given(CONTAINERS, st.dictionaries(POINTERS, PROTECTIONS, max_size=5))
def test_every_leaf_leaves_unchanged_or_is_told_of(document: Any, fields: dict[str, str]) -> None:
    passed = minimized(document, fields)
    assert passed is not None
    before, after = singles(json.dumps(document).encode()), singles(passed.body)
    changed = {path for path, values in after.items() if before[path] != values}
    name = fields_of([*documents(json.dumps(document).encode())]).pointer
    told = [each for each in passed.changes if each.place == "field" and each.reason != "empty"]
    assert {each.name for each in told if each.fate == "dropped"} == {name(path) for path in before.keys() - after}
    assert {each.name for each in told if each.fate == "changed"} == {name(path) for path in changed}
    protections = set(fields.values())
    assert {each.reason for each in told if each.fate == "changed"} <= protections


@settings(max_examples=300, deadline=None)
@given(CONTAINERS)
def test_under_the_fields_that_are_proposed_every_leaf_passes(document: Any) -> None:
    proposed = suggest(documents(json.dumps(document).encode()), CATEGORIES)
    passed = minimized(document, {field.pointer: "pass" for field in proposed.fields})
    assert passed is not None
    assert singles(passed.body) == singles(json.dumps(document).encode())
    assert {each.reason for each in passed.changes if each.place == "field" and proposed.fields} <= {"empty"}
