"""A ValidatingAdmissionPolicy (admissionregistration.k8s.io/v1) with its bindings, as plain objects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from lawflow.model import labels
from lawflow.model.base import API_VERSION
from lawflow.model.flow_index import INDEX_NAME
from lawflow.model.kinds import FLOW_INDEX, WORKLOAD_KINDS, Kind

Object = dict[str, Any]
Operation = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]

REGISTRATION = "admissionregistration.k8s.io/v1"
PART_OF = {"app.kubernetes.io/part-of": "lawflow"}


@dataclass(frozen=True)
class Validation:
    """An expression that must hold, and what to say where it does not: a CEL expression that gives one line."""

    expression: str
    message: str
    """CEL; must not give a line break, or the API server shows the expression instead."""


@dataclass(frozen=True)
class Policy:
    """One policy. ``enforceable`` ones follow the namespace's label ``enforce``; guards always deny."""

    name: str
    rules: Sequence[Object]
    validations: Sequence[Validation]
    conditions: Mapping[str, str] = field(default_factory=dict)
    """What must hold for the policy to be evaluated at all, by a name; they keep its cost off all other requests."""
    variables: Mapping[str, str] = field(default_factory=dict)
    namespaces: Sequence[Object] = ()
    """Label requirements (metav1.LabelSelectorRequirement) on the namespace."""
    alternatives: Mapping[str, Sequence[Object]] = field(default_factory=lambda: {"": ()})
    """Further requirements, of which a namespace meets one set; each set has a name and bindings of its own."""
    reads_index: bool = False
    index_namespace: str = ""
    """Where the FlowIndex lies that it reads; empty for the namespace of the request."""
    enforceable: bool = False
    screened: bool = False
    """Whether its validations are tried as a match condition first; they may use no variables then.

    For each of conditions, validations and messages the API server converts the object and the index anew. Most
    requests break no rule: screened, they cost one conversion instead of four.
    """

    def definition(self) -> Object:
        """The policy itself."""
        spec: Object = {
            "failurePolicy": "Fail",
            "matchConstraints": {"matchPolicy": "Equivalent", "resourceRules": list(self.rules)},
            "matchConditions": [{"name": name, "expression": text} for name, text in self._conditions().items()],
            "variables": [{"name": name, "expression": text} for name, text in self.variables.items()],
            "validations": [
                {"expression": one.expression, "messageExpression": one.message, "reason": "Forbidden"}
                for one in self.validations
            ],
        }
        if self.reads_index:
            spec["paramKind"] = {"apiVersion": API_VERSION, "kind": FLOW_INDEX.name}
        return _object("ValidatingAdmissionPolicy", self.name, spec)

    def bindings(self) -> list[Object]:
        """One binding that denies and, where the namespace may choose, one that warns and one that only audits."""
        return [
            binding
            for name, more in self.alternatives.items()
            for binding in self._bound(name, [*self.namespaces, *more])
        ]

    def _conditions(self) -> dict[str, str]:
        breaks = " || ".join(f"!({one.expression})" for one in self.validations)
        return {**self.conditions, **({"breaks-a-rule": breaks} if self.screened else {})}

    def _bound(self, alternative: str, namespaces: Sequence[Object]) -> list[Object]:
        name = "-".join(filter(None, (self.name, alternative)))
        if not self.enforceable:
            return [self._binding(name, ["Deny"], namespaces)]
        chosen = {"warn": ["Warn", "Audit"], "audit": ["Audit"]}
        denied = _requirement(labels.ENFORCE, "NotIn", *chosen)
        return [
            self._binding(f"{name}-deny", ["Deny"], [*namespaces, denied]),
            *(
                self._binding(f"{name}-{choice}", actions, [*namespaces, _requirement(labels.ENFORCE, "In", choice)])
                for choice, actions in chosen.items()
            ),
        ]

    def _binding(self, name: str, actions: Sequence[str], namespaces: Sequence[Object]) -> Object:
        spec: Object = {"policyName": self.name, "validationActions": list(actions)}
        if namespaces:
            spec["matchResources"] = {"namespaceSelector": {"matchExpressions": list(namespaces)}}
        if self.reads_index:
            where = {"namespace": self.index_namespace} if self.index_namespace else {}
            spec["paramRef"] = {"name": INDEX_NAME, **where, "parameterNotFoundAction": "Deny"}
        return _object("ValidatingAdmissionPolicyBinding", name, spec)


def rule(group: str, resources: Sequence[str], *operations: Operation) -> Object:
    """A rule that matches resources of a group in all versions."""
    return {
        "apiGroups": [group],
        "apiVersions": ["*"],
        "resources": list(resources),
        "operations": list(operations),
    }


def workload_rules(*operations: Operation) -> list[Object]:
    """Rules that match everything that makes pods, and pods; no subresource, so neither status nor scale."""
    return [rule(group, resources, *operations) for group, resources in _by_group(WORKLOAD_KINDS).items()]


def opted_in() -> Object:
    """The namespace has opted in."""
    return _requirement(labels.INJECT, "In", "enabled")


def not_opted_in() -> Object:
    """The namespace has not opted in."""
    return _requirement(labels.INJECT, "NotIn", "enabled")


def index_ready() -> Object:
    """The controller has written the namespace's index."""
    return _requirement(labels.INDEX_READY, "Exists")


def not_index_ready() -> Object:
    """The controller has not written the namespace's index."""
    return _requirement(labels.INDEX_READY, "DoesNotExist")


def none_of(namespaces: Sequence[str]) -> Object:
    """The namespace is none of these."""
    return _requirement("kubernetes.io/metadata.name", "NotIn", *namespaces)


def _requirement(key: str, operator: str, *values: str) -> Object:
    return {"key": key, "operator": operator} | ({"values": list(values)} if values else {})


def _by_group(kinds: Sequence[Kind]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for kind in kinds:
        groups.setdefault(kind.group, []).append(kind.plural)
    return groups


def _object(kind: str, name: str, spec: Object) -> Object:
    return {
        "apiVersion": REGISTRATION,
        "kind": kind,
        "metadata": {"name": name, "labels": dict(PART_OF)},
        "spec": spec,
    }
