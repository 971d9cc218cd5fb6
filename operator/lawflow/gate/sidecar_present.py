"""Refuses pods without a sidecar in namespaces that have opted in.

The webhook that injects it fails open, so that its death harms nobody else; this is what keeps a pod from starting
without a sidecar then. The pod's controller tries again, and the pod starts once the webhook is back.
"""

from lawflow.gate import cel
from lawflow.gate.policy import Policy, Validation, none_of, opted_in, rule
from lawflow.gate.settings import GateSettings
from lawflow.model import labels
from lawflow.model.sidecar import CONTAINER

_MESSAGE = (
    '"the pod has no Lawflow sidecar, which its namespace asks for: the admission server that adds it gave no answer; '
    'its controller will try again, see: kubectl get pods -n {namespace}"'
)


def policy(settings: GateSettings) -> Policy:
    """The policy that needs no index."""
    return Policy(
        "lawflow-sidecar-present",
        rules=[rule("", ["pods"], "CREATE")],
        namespaces=[opted_in(), none_of(settings.untouched)],
        enforceable=True,
        screened=True,
        conditions={
            # The kubelet mirrors its static pods; refusing the mirror would only hide what runs already.
            "no-mirror-of-a-static-pod": 'request.userInfo.username.startsWith("system:node:") ? '
            f"!({cel.text(labels.MIRROR)} in object.metadata.?annotations.orValue({{}})) : true",
        },
        validations=[
            Validation(
                "object.spec.?initContainers.orValue([]).exists(container, "
                f'container.name == {cel.text(CONTAINER)} && container.?restartPolicy.orValue("") == "Always")'
                f" || ({cel.bypassed()})",
                _MESSAGE.format(namespace=settings.namespace),
            )
        ],
    )
