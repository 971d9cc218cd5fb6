"""CEL expressions that several policies share. Each function returns text; its arguments are text, too."""

import json

from lawflow.model import labels

BYPASS = 'authorizer.group("lawflow.dev").resource("dataflows").namespace(request.namespace).check("bypass").allowed()'
"""Whether the user holds the RBAC verb ``bypass`` on dataflows in the namespace."""

NOT_BEING_DELETED = "!has(object.metadata.deletionTimestamp)"
"""The garbage collector updates finalizers of objects that are going: nobody may stand in its way."""

HAS_POD_TEMPLATE = 'request.kind.kind != "ReplicationController" || has(object.spec.template)'
"""Whether a workload has a pod template: a ReplicationController may lack one."""

BY_CLUSTER_CONTROLLER = (
    'request.userInfo.username.startsWith("system:serviceaccount:kube-system:") || '
    'request.userInfo.username == "system:kube-controller-manager"'
)
"""Whether one of the cluster's own controllers acts: it copies what users were allowed to write."""


def text(value: object) -> str:
    """A Python string, number or list as a CEL literal."""
    return json.dumps(value)


def annotation(metadata: str, name: str) -> str:
    """The value of an annotation, or the empty string."""
    return f'{metadata}.?annotations[?{text(name)}].orValue("")'


def template(obj: str) -> str:
    """The part of a workload that becomes a pod; a Pod is its own."""
    return (
        f'request.kind.kind == "Pod" ? {obj} : '
        f'request.kind.kind == "CronJob" ? {obj}.spec.jobTemplate.spec.template : {obj}.spec.template'
    )


def service_account(template: str) -> str:
    """The service account of a pod template; ``default`` where none is named."""
    name = f'{template}.spec.?serviceAccountName.orValue("")'
    return f'{name} == "" ? "default" : {name}'


def declared(template: str) -> str:
    """The flows that a pod template names in its annotation, as a list."""
    value = f'{template}.?metadata.?annotations[?{text(labels.FLOWS)}].orValue("")'
    return f'{value}.split(",").map(name, name.trim()).filter(name, name != "")'


def bypassed(obj: str = "object") -> str:
    """Whether the object carries a break-glass reason, and its author may give one."""
    return f'{annotation(f"{obj}.metadata", labels.BREAK_GLASS)} != "" && {BYPASS}'


def changes_flows() -> str:
    """Whether a request can add a flow at all: everything else must cost nothing and meet no obstacle."""
    new, old = f"({template('object')})", f"({template('oldObject')})"
    flows = f'?metadata.?annotations[?{text(labels.FLOWS)}].orValue("")'
    account = '?spec.?serviceAccountName.orValue("")'
    return f'request.operation == "CREATE" || {new}.{flows} != {old}.{flows} || {new}.{account} != {old}.{account}'
