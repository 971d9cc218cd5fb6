"""The policies and webhook configurations are bound as the design of the gate asks."""

import base64
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import pytest

import lawflow.gate
from lawflow.gate import GateSettings, policies, webhook_configurations
from lawflow.gate.webhooks import Endpoint

pytestmark = pytest.mark.unit

Object = dict[str, Any]

MADE = policies()
DEFINITIONS = [one for one in MADE if one["kind"] == "ValidatingAdmissionPolicy"]
BINDINGS = [one for one in MADE if one["kind"] == "ValidatingAdmissionPolicyBinding"]
WEBHOOKS = [webhook for one in webhook_configurations() for webhook in one["webhooks"]]


def requirements(binding: Object) -> list[Object]:
    selector = binding["spec"].get("matchResources", {}).get("namespaceSelector", {})
    found: list[Object] = selector.get("matchExpressions", [])
    return found


def test_policies_come_before_their_bindings_and_each_has_one() -> None:
    assert MADE == DEFINITIONS + BINDINGS
    assert {one["spec"]["policyName"] for one in BINDINGS} == {one["metadata"]["name"] for one in DEFINITIONS}
    assert len({one["metadata"]["name"] for one in BINDINGS}) == len(BINDINGS)


def test_every_policy_has_a_module_and_a_reason() -> None:
    modules = [import_module(f"lawflow.gate.{found.name}") for found in iter_modules(lawflow.gate.__path__)]
    made = [module for module in modules if hasattr(module, "policy") and module.__name__ != "lawflow.gate.policy"]

    assert len(made) == len(DEFINITIONS)
    assert all(len((module.__doc__ or "").splitlines()) > 2 for module in made)


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda one: one["metadata"]["name"])
def test_a_policy_fails_closed_and_explains_every_refusal(definition: Object) -> None:
    assert definition["spec"]["failurePolicy"] == "Fail"
    for validation in definition["spec"]["validations"]:
        assert validation["messageExpression"]
        assert "\\n" not in validation["messageExpression"]


@pytest.mark.parametrize("binding", BINDINGS, ids=lambda one: one["metadata"]["name"])
def test_a_binding_leaves_the_clusters_namespaces_and_lawflows_own_alone(binding: Object) -> None:
    if binding["spec"]["policyName"] in (
        "lawflow-namespace-labels",
        "lawflow-flow-index",
        "lawflow-certificate-requests",
    ):
        return
    left_alone = {"kube-system", "kube-node-lease", "lawflow-system"}
    assert any(one["operator"] == "NotIn" and left_alone == set(one["values"]) for one in requirements(binding))


def test_a_binding_that_reads_the_index_takes_an_opted_in_namespace_that_has_one() -> None:
    for binding in BINDINGS:
        if "paramRef" in binding["spec"]:
            assert binding["spec"]["paramRef"]["name"] == "lawflow"
            assert binding["spec"]["paramRef"]["parameterNotFoundAction"] == "Deny"
            assert {"key": "lawflow.dev/index-ready", "operator": "Exists"} in requirements(binding)
            assert {"key": "lawflow.dev/inject", "operator": "In", "values": ["enabled"]} in requirements(binding)


def test_a_namespace_chooses_between_denial_warning_and_audit() -> None:
    bound = [one for one in BINDINGS if one["spec"]["policyName"] == "lawflow-unlawful-flows"]

    actions = {one["metadata"]["name"].rpartition("-")[2]: one["spec"]["validationActions"] for one in bound}
    assert len(bound) == 3
    assert actions == {"deny": ["Deny"], "warn": ["Warn", "Audit"], "audit": ["Audit"]}


def test_guards_deny_whatever_the_namespace_chooses() -> None:
    guards = ("lawflow-namespace-labels", "lawflow-flow-index", "lawflow-sidecar-access", "lawflow-sidecar-isolation")
    for binding in BINDINGS:
        if binding["spec"]["policyName"] in guards:
            assert binding["spec"]["validationActions"] == ["Deny"]
            assert all(one["key"] != "lawflow.dev/enforce" for one in requirements(binding))


@pytest.mark.parametrize("webhook", WEBHOOKS, ids=lambda one: one["name"])
def test_webhooks_fail_open_soon_and_have_no_side_effects(webhook: Object) -> None:
    assert webhook["failurePolicy"] == "Ignore"
    assert webhook["timeoutSeconds"] <= 5
    assert webhook["sideEffects"] == "None"
    assert webhook["matchConditions"][0]["expression"] == "!has(object.metadata.deletionTimestamp)"
    assert webhook["clientConfig"]["service"]["name"] == "lawflow-webhook"


def test_a_process_outside_the_cluster_is_called_by_its_url() -> None:
    mutating, _ = webhook_configurations(GateSettings(), Endpoint("https://127.0.0.1:9443", b"PEM"))

    assert mutating["webhooks"][0]["clientConfig"] == {
        "url": "https://127.0.0.1:9443/mutate",
        "caBundle": base64.b64encode(b"PEM").decode(),
    }


def test_names_of_the_installation_are_settings() -> None:
    settings = GateSettings(namespace="privacy", index_writers=("alice",), sidecar_uid=7777, signer_name="a.test/b")
    text = str(policies(settings))

    assert all(name in text for name in ("privacy", "alice", "7777", "a.test/b"))
    assert "lawflow-system" not in text


def test_what_is_genuine_is_read_from_lawflows_own_namespace_and_verdicts_from_the_requests() -> None:
    namespaces = {one["spec"]["policyName"]: one["spec"]["paramRef"].get("namespace", "")
                  for one in BINDINGS if "paramRef" in one["spec"]}  # fmt: skip

    assert namespaces == {"lawflow-unlawful-flows": "", "lawflow-sidecar-genuine": "lawflow-system"}


@pytest.mark.parametrize("name", ["lawflow-sidecar-present", "lawflow-sidecar-genuine", "lawflow-sidecar-isolation"])
def test_a_pod_that_breaks_no_rule_is_looked_at_once(name: str) -> None:
    (spec,) = [one["spec"] for one in DEFINITIONS if one["metadata"]["name"] == name]
    (screen,) = [one["expression"] for one in spec["matchConditions"] if one["name"] == "breaks-a-rule"]

    assert all(f"!({one['expression']})" in screen for one in spec["validations"])
    assert "variables." not in screen


def test_flows_that_a_pod_declares_are_looked_for_only_where_the_index_does_not_reach() -> None:
    bound = [one for one in BINDINGS if one["spec"]["policyName"] == "lawflow-declared-flows"]
    outside = {"key": "lawflow.dev/inject", "operator": "NotIn", "values": ["enabled"]}
    unindexed = {"key": "lawflow.dev/index-ready", "operator": "DoesNotExist"}

    assert len(bound) == 6
    assert all((outside in requirements(one)) != (unindexed in requirements(one)) for one in bound)
