"""JSON Patch from the pod that came in to the pod that goes out."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.pods import IDENTITY_DATA, SETTINGS, Object, pod

from lawflow.inject import Injected, inject_pod, json_patch

pytestmark = pytest.mark.unit

keys = st.sampled_from(["a", "b", "a/b", "~", "~1", ""])
scalars = st.one_of(st.none(), st.booleans(), st.integers(0, 3), st.text(max_size=2))
objects = st.recursive(
    st.dictionaries(keys, st.one_of(scalars, st.lists(scalars, max_size=2))),
    lambda inner: st.dictionaries(keys, st.one_of(scalars, inner)),
    max_leaves=8,
)


def applied(document: Object, patch: list[dict[str, Any]]) -> Object:
    """RFC 6902 for operations on members of objects."""
    result = copy.deepcopy(document)
    for operation in patch:
        *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
        holder = result
        for part in parents:
            holder = holder[part]
        match operation["op"]:
            case "add":
                holder[last] = operation["value"]
            case "replace":
                assert last in holder, "RFC 6902 section 4.3: the target must exist"
                holder[last] = operation["value"]
            case "remove":
                del holder[last]
    return result


@given(objects, objects)
def test_the_patch_turns_one_object_into_the_other(before: Object, after: Object) -> None:
    assert applied(before, json_patch(before, after)) == after


@given(objects)
def test_equal_objects_need_no_patch(same: Object) -> None:
    assert json_patch(same, copy.deepcopy(same)) == []


def test_the_patch_of_an_injection_touches_nothing_of_the_app() -> None:
    before = pod()
    result = inject_pod(before, SETTINGS, IDENTITY_DATA)
    assert isinstance(result, Injected)
    patch = json_patch(before, result.pod)
    assert applied(before, patch) == result.pod
    assert sorted(operation["path"] for operation in patch) == [
        "/metadata/annotations",
        "/spec/hostAliases",
        "/spec/initContainers",
        "/spec/securityContext",
        "/spec/volumes",
    ]


def test_a_key_with_a_slash_is_escaped() -> None:
    before: Object = {"annotations": {"team/x": "1"}}
    after: Object = {"annotations": {"team/x": "1", "lawflow.dev/a~b": "2"}}
    assert json_patch(before, after) == [{"op": "add", "path": "/annotations/lawflow.dev~1a~0b", "value": "2"}]
