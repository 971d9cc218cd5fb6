"""Refuses the break-glass annotation from anybody who does not hold the verb ``bypass`` on dataflows.

The controller turns the annotation into a grant for the pods that follow, and cannot see who wrote it; so it has to
be refused where it is written. Controllers of the cluster copy it from a Deployment to its ReplicaSets.
"""

from lawflow.gate import cel
from lawflow.gate.policy import Policy, Validation, none_of, workload_rules
from lawflow.gate.settings import GateSettings
from lawflow.model import labels

_NOW = cel.annotation("object.metadata", labels.BREAK_GLASS)
_BEFORE = cel.annotation("oldObject.metadata", labels.BREAK_GLASS)


def policy(settings: GateSettings) -> Policy:
    """The policy over the annotation."""
    return Policy(
        "lawflow-break-glass",
        rules=workload_rules("CREATE", "UPDATE"),
        namespaces=[none_of(settings.untouched)],
        conditions={
            "gives-a-reason": f'{_NOW} != "" && (request.operation == "CREATE" || {_NOW} != {_BEFORE})',
            "not-a-copy": f"!({cel.BY_CLUSTER_CONTROLLER})",
        },
        validations=[
            Validation(
                cel.BYPASS,
                f'"the annotation {labels.BREAK_GLASS} takes the verb bypass on dataflows.lawflow.dev in namespace "'
                " + request.namespace",
            )
        ],
    )
