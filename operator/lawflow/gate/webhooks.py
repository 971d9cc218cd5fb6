"""Webhook configurations: they fail open and time out soon, because the policies are the hard stop.

Workloads are judged by a *mutating* webhook. The API server asks the validating ones only after its policies, whose
messages are one line each; asked before them, the admission server gets to explain a refusal in full. And a new pod
costs one call instead of two. What other plugins change afterwards, the policies see.
"""

from base64 import b64encode
from dataclasses import dataclass

from lawflow.gate import cel
from lawflow.gate.policy import PART_OF, REGISTRATION, Object, none_of, not_opted_in, opted_in, rule, workload_rules
from lawflow.gate.settings import GateSettings
from lawflow.model import labels
from lawflow.model.base import GROUP
from lawflow.model.kinds import CONSENT_POLICY, DATA_CONTROLLER, DATA_FLOW, DATASET

SERVICE = "lawflow-webhook"
TIMEOUT_SECONDS = 5
"""Long enough for a question about break-glass to the API server, short enough to be bearable while all are dead."""


@dataclass(frozen=True)
class Endpoint:
    """Where the API server finds the admission server: its Service, unless a URL is given."""

    url: str = ""
    """``https://HOST:PORT`` of a process outside the cluster."""
    authority: bytes = b""
    """PEM of the roots that its certificate chains to; empty where somebody else fills in ``caBundle``."""


def webhook_configurations(
    settings: GateSettings | None = None, endpoint: Endpoint = Endpoint(), timeout_seconds: int = TIMEOUT_SECONDS
) -> list[Object]:
    """The MutatingWebhookConfiguration and the ValidatingWebhookConfiguration."""
    settings = settings or GateSettings()
    untouched = none_of(settings.untouched)
    workloads = {
        "name": f"workloads.{GROUP}",
        "rules": workload_rules("CREATE", "UPDATE"),
        "namespaceSelector": {"matchExpressions": [opted_in(), untouched]},
        "matchConditions": [
            _condition("not-being-deleted", cel.NOT_BEING_DELETED),
            # Controllers of the cluster scale and annotate what users were allowed to write.
            _condition("new-or-edited-by-a-user", f'request.operation == "CREATE" || !({cel.BY_CLUSTER_CONTROLLER})'),
            _condition(
                "no-unrelated-edit-of-a-pod",
                f'request.operation == "CREATE" || request.kind.kind != "Pod" || ({cel.changes_flows()})',
            ),
        ],
        # Every pod would come back: the API server mounts the token into the sidecar, and takes that for a change that
        # concerns us. What other webhooks change later, the policies judge.
        "reinvocationPolicy": "Never",
    }
    declared = {
        "name": f"declared.{GROUP}",
        "rules": workload_rules("CREATE", "UPDATE"),
        "namespaceSelector": {"matchExpressions": [not_opted_in(), untouched]},
        "matchConditions": [
            _condition("not-being-deleted", cel.NOT_BEING_DELETED),
            _condition("has-a-pod-template", cel.HAS_POD_TEMPLATE),
            _condition(
                "declares-flows",
                f'({cel.template("object")}).?metadata.?annotations[?{cel.text(labels.FLOWS)}].orValue("") != ""',
            ),
        ],
        "reinvocationPolicy": "Never",
    }
    kinds = [kind.plural for kind in (DATA_FLOW, CONSENT_POLICY, DATASET, DATA_CONTROLLER)]
    resources = {
        "name": f"resources.{GROUP}",
        "rules": [rule(GROUP, kinds, "CREATE", "UPDATE")],
        "namespaceSelector": {"matchExpressions": [untouched]},
        "matchConditions": [_condition("not-being-deleted", cel.NOT_BEING_DELETED)],
    }

    def complete(webhook: Object, path: str) -> Object:
        return {
            **webhook,
            "clientConfig": _client(settings, endpoint, path),
            "failurePolicy": "Ignore",
            "timeoutSeconds": timeout_seconds,
            "sideEffects": "None",
            "matchPolicy": "Equivalent",
            "admissionReviewVersions": ["v1"],
        }

    return [
        _configuration("MutatingWebhookConfiguration", [complete(one, "/mutate") for one in (workloads, declared)]),
        _configuration("ValidatingWebhookConfiguration", [complete(resources, "/validate")]),
    ]


def _client(settings: GateSettings, endpoint: Endpoint, path: str) -> Object:
    bundle = {"caBundle": b64encode(endpoint.authority).decode()} if endpoint.authority else {}
    if endpoint.url:
        return {"url": endpoint.url.rstrip("/") + path, **bundle}
    return {"service": {"namespace": settings.namespace, "name": SERVICE, "path": path, "port": 443}, **bundle}


def _condition(name: str, expression: str) -> Object:
    return {"name": name, "expression": expression}


def _configuration(kind: str, webhooks: list[Object]) -> Object:
    return {
        "apiVersion": REGISTRATION,
        "kind": kind,
        "metadata": {"name": "lawflow", "labels": dict(PART_OF)},
        "webhooks": webhooks,
    }
