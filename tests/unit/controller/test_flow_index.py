"""The index holds what the gate may rely on, and no more than it can bear."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lawflow.controller.flow_index import changes, flow_index, verdict
from lawflow.model.flow_index import MAXIMUM_FLOWS
from lawflow.model.parse import parse
from lawflow.store.merge import merge_patch
from lawflow.store.protocol import Object

pytestmark = pytest.mark.unit


def flow(name: str, status: str = "True", generation: int = 2, observed: int = 2, **more: Any) -> Object:
    lawful = {"type": "Lawful", "status": status, "observedGeneration": observed, "message": "why"}
    return {
        "metadata": {"name": name, "generation": generation, "creationTimestamp": more.pop("created", "")},
        "spec": {"source": {"serviceAccountName": more.pop("account", "orders")}},
        "status": {"conditions": [lawful], **more},
    }


def test_a_lawful_flow_is_lawful_in_the_index() -> None:
    assert verdict(flow("a", firstLawfulAt="2026-07-01T12:00:00Z")) == {
        "lawful": True, "everLawful": True, "reason": ""
    }  # fmt: skip


def test_a_verdict_on_an_older_generation_does_not_count_as_lawful() -> None:
    found = verdict(flow("a", observed=1))
    assert found == {"lawful": False, "everLawful": False, "reason": "not evaluated yet"}


def test_an_unlawful_flow_carries_its_reason() -> None:
    assert verdict(flow("a", "False"))["reason"] == "why"


def test_a_flow_without_status_is_not_lawful() -> None:
    assert verdict({"metadata": {"name": "a", "generation": 1}})["lawful"] is False


def test_the_index_is_keyed_by_service_account_and_fits_its_schema() -> None:
    index = flow_index("shop", [flow("b"), flow("a"), flow("c", account="mail")], {}, {}, None)
    assert index["spec"]["serviceAccounts"] == {"orders": ["a", "b"], "mail": ["c"]}
    assert sorted(index["spec"]["flows"]) == ["a", "b", "c"]
    parse(index)


def test_flows_beyond_the_bound_are_named_without_a_verdict_and_the_oldest_keep_theirs() -> None:
    flows = [flow(f"flow-{number:03}", created=f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z")
             for number in range(MAXIMUM_FLOWS + 1)]  # fmt: skip
    index = flow_index("shop", flows[::-1], {}, {}, None)
    assert len(index["spec"]["flows"]) == MAXIMUM_FLOWS
    assert "flow-500" not in index["spec"]["flows"]
    assert "flow-500" in index["spec"]["serviceAccounts"]["orders"]
    parse(index)


def test_an_index_of_very_many_service_accounts_still_fits_its_schema() -> None:
    flows = [flow(f"flow-{number:04}", account=f"app-{number}") for number in range(2 * MAXIMUM_FLOWS)]
    index = flow_index("shop", flows, {}, {}, None)
    assert {names[0] for names in index["spec"]["serviceAccounts"].values()} == set(index["spec"]["flows"])
    parse(index)


plain = st.recursive(
    st.booleans() | st.text(max_size=3) | st.lists(st.text(max_size=2), max_size=2),
    lambda inner: st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(max_size=2), plain, max_size=4)


@given(before=objects, wanted=objects)
def test_the_patch_leads_from_any_index_to_the_wanted_one(before: Object, wanted: Object) -> None:
    assert merge_patch(before, changes(before, wanted)) == wanted


@given(same=objects)
def test_nothing_is_patched_where_nothing_differs(same: Object) -> None:
    assert changes(same, same) == {}
