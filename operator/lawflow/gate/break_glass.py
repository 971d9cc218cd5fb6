"""Refuses the break-glass annotation from anybody who does not hold the verb ``bypass`` on dataflows.

The controller turns the annotation into a grant for the pods that follow, and cannot see who wrote it; so it has to
be refused where it is written. The admission server notes the user beside it; nobody may note another's name.
Controllers of the cluster copy both from a Deployment to its ReplicaSets.
"""

from lawflow.gate import cel
from lawflow.gate.policy import Policy, Validation, none_of, workload_rules
from lawflow.gate.settings import GateSettings
from lawflow.model import labels

_REASON = cel.annotation("object.metadata", labels.BREAK_GLASS)
_REASON_BEFORE = cel.annotation("oldObject.metadata", labels.BREAK_GLASS)
_USER = cel.annotation("object.metadata", labels.BREAK_GLASS_USER)
_USER_BEFORE = cel.annotation("oldObject.metadata", labels.BREAK_GLASS_USER)


def policy(settings: GateSettings) -> Policy:
    """The policy over both annotations."""
    return Policy(
        "lawflow-break-glass",
        rules=workload_rules("CREATE", "UPDATE"),
        namespaces=[none_of(settings.untouched)],
        conditions={
            "asks-for-break-glass": f'{_REASON} != "" || {_USER} != ""',
            "is-new-or-changed": f'request.operation == "CREATE" || {_REASON} != {_REASON_BEFORE}'
            f" || {_USER} != {_USER_BEFORE}",
            "not-a-copy": f"!({cel.BY_CLUSTER_CONTROLLER})",
        },
        validations=[
            Validation(
                cel.BYPASS,
                f'"the annotation {labels.BREAK_GLASS} takes the verb bypass on dataflows.lawflow.dev in namespace "'
                " + request.namespace",
            ),
            Validation(
                f'{_USER} in ["", request.userInfo.username]',
                cel.text(f"the annotation {labels.BREAK_GLASS_USER} may name nobody else; remove it"),
            ),
        ],
    )
