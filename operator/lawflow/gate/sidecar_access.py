"""Refuses exec and attach into the sidecar, and ephemeral containers that could reach into it.

RBAC cannot tell containers of a pod apart: whoever may debug an app could otherwise read the sidecar's key.
"""

from lawflow.gate import cel
from lawflow.gate.policy import Policy, Validation, none_of, opted_in, rule
from lawflow.gate.settings import GateSettings
from lawflow.model import sidecar as contract

_VOLUMES = cel.text([contract.CERTIFICATE_VOLUME, contract.ADMIN_VOLUME])


def policy(settings: GateSettings) -> Policy:
    """The policy over subresources of running pods."""
    sidecar, uid = cel.text(contract.CONTAINER), settings.sidecar_uid
    return Policy(
        "lawflow-sidecar-access",
        rules=[rule("", ["pods/exec", "pods/attach"], "CONNECT"), rule("", ["pods/ephemeralcontainers"], "UPDATE")],
        namespaces=[opted_in(), none_of(settings.untouched)],
        variables={
            "debuggers": 'request.subResource == "ephemeralcontainers" '
            "? object.spec.?ephemeralContainers.orValue([]) : []",
            "inherited": 'request.subResource == "ephemeralcontainers" '
            "? object.spec.?securityContext.?runAsUser.orValue(-1) : -1",
        },
        validations=[
            Validation(
                f'request.subResource == "ephemeralcontainers" || object.?container.orValue("") != {sidecar}',
                cel.text("nobody may exec into the sidecar or attach to it: it holds the workload's identity"),
            ),
            Validation(
                f'variables.debuggers.all(debugger, debugger.?targetContainerName.orValue("") != {sidecar}'
                f" && debugger.?securityContext.?runAsUser.orValue(variables.inherited) != {uid}"
                f" && debugger.?volumeMounts.orValue([]).all(mount, !(mount.name in {_VOLUMES})))",
                cel.text(
                    "an ephemeral container may not target the sidecar, run as its user or mount its volumes; "
                    "target a container of the app"
                ),
            ),
        ],
    )
