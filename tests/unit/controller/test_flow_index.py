"""The index holds what the gate may rely on, and no more than it can bear."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lawflow.controller.flow_index import accounts_of_flows, changes, flow_index, verdict
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
        "lawful": True, "serviceAccount": "orders", "everLawful": True, "reason": ""
    }  # fmt: skip


def test_a_verdict_on_an_older_generation_does_not_count_as_lawful() -> None:
    found = verdict(flow("a", observed=1))
    assert found == {"lawful": False, "serviceAccount": "orders", "everLawful": False, "reason": "not evaluated yet"}


def test_an_unlawful_flow_carries_its_reason() -> None:
    assert verdict(flow("a", "False"))["reason"] == "why"


def test_a_flow_without_status_is_not_lawful() -> None:
    assert verdict({"metadata": {"name": "a", "generation": 1}})["lawful"] is False


def test_the_index_names_lawful_flows_in_one_text_and_the_others_by_service_account() -> None:
    index = flow_index("shop", [flow("b", "False"), flow("a"), flow("d"), flow("c", "False", account="mail")], {}, {})
    spec = index["spec"]
    assert spec["lawful"] == ",a/orders,d/orders,"
    assert sorted(spec["unlawful"]) == ["b", "c"]
    assert spec["serviceAccounts"] == {"orders": ["b"], "mail": ["c"]}
    assert spec["complete"] is True
    parse(index)


def test_an_index_without_a_lawful_flow_holds_none() -> None:
    assert flow_index("shop", [flow("a", "False")], {}, {})["spec"]["lawful"] == ""


def test_every_flow_with_a_verdict_can_be_read_back_with_its_service_account() -> None:
    index = flow_index("shop", [flow("a"), flow("b", "False", account="mail")], {}, {})
    assert sorted(accounts_of_flows(index)) == [("a", "orders"), ("b", "mail")]


def test_flows_beyond_the_bound_are_named_without_a_verdict_and_the_oldest_keep_theirs() -> None:
    flows = [flow(f"flow-{number:03}", created=f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z")
             for number in range(MAXIMUM_FLOWS + 1)]  # fmt: skip
    index = flow_index("shop", flows[::-1], {}, {})
    assert len(list(accounts_of_flows(index))) == MAXIMUM_FLOWS
    assert "flow-500" not in dict(accounts_of_flows(index))
    assert index["spec"]["serviceAccounts"] == {"orders": ["flow-500"]}
    parse(index)


def test_an_index_that_cannot_name_all_accounts_says_so_and_still_fits_its_schema() -> None:
    flows = [flow(f"flow-{number:04}", account=f"app-{number}") for number in range(2 * MAXIMUM_FLOWS + 1)]
    index = flow_index("shop", flows, {}, {})
    assert index["spec"]["complete"] is False
    assert len(index["spec"]["serviceAccounts"]) == MAXIMUM_FLOWS
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


def test_a_flow_that_nobody_has_judged_yet_is_missing_to_the_gate_and_not_unlawful() -> None:
    """Who applies a flow and its workload together must not depend on which is looked at first."""
    flow: Object = {
        "metadata": {"name": "new", "namespace": "shop", "generation": 1},
        "spec": {"source": {"serviceAccountName": "orders"}},
    }
    spec = flow_index("shop", [flow], {}, {})["spec"]
    assert (spec["lawful"], spec["unlawful"], spec["serviceAccounts"]) == ("", {}, {"orders": ["new"]})
    once = {**flow, "status": {"firstLawfulAt": "2026-01-01T00:00:00Z"}}
    assert list(flow_index("shop", [once], {}, {})["spec"]["unlawful"]) == ["new"]
