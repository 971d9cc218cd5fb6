"""Refuses pods that declare flows where the policy over the FlowIndex does not reach.

Such a namespace has not opted in, or has done so a moment ago and is not indexed yet. A pod that names its flows asks
that they hold; nobody could tell whether they do. Pods that declare nothing are none of this policy's business.
"""

from lawflow.gate import cel
from lawflow.gate.policy import Policy, Validation, none_of, not_index_ready, not_opted_in, opted_in, workload_rules
from lawflow.gate.settings import GateSettings
from lawflow.model import labels

_MESSAGE = f"""
  "DataFlow " + variables.added[0] + " is declared, and not evaluated in namespace " + request.namespace
    + (variables.optedIn
        ? ", which Lawflow's controller has not indexed yet; the pod is admitted once it has"
        : ", which has not opted in; label it {labels.INJECT}=enabled, or remove the annotation {labels.FLOWS}")
"""


def policy(settings: GateSettings) -> Policy:
    """The policy for all namespaces but those that have opted in and been indexed."""
    return Policy(
        "lawflow-declared-flows",
        rules=workload_rules("CREATE", "UPDATE"),
        namespaces=[none_of(settings.untouched)],
        alternatives={"outside": [not_opted_in()], "unindexed": [opted_in(), not_index_ready()]},
        enforceable=True,
        conditions={
            "not-being-deleted": cel.NOT_BEING_DELETED,
            "has-a-pod-template": cel.HAS_POD_TEMPLATE,
            "declares-flows": f"size(({cel.template('object')}).?metadata"
            f'.?annotations[?{cel.text(labels.FLOWS)}].orValue("")) > 0',
        },
        variables={
            "template": cel.template("object"),
            "templateBefore": f'request.operation == "CREATE" ? object : ({cel.template("oldObject")})',
            "declared": cel.declared("variables.template"),
            "declaredBefore": f'request.operation == "CREATE" ? [] : {cel.declared("variables.templateBefore")}',
            "added": "variables.declared.filter(name, !(name in variables.declaredBefore))",
            "optedIn": f'namespaceObject.metadata.?labels[?{cel.text(labels.INJECT)}].orValue("") == "enabled"',
            "refused": 'request.kind.kind == "Pod" || '
            f'namespaceObject.metadata.?labels[?{cel.text(labels.MISSING)}].orValue("") == "deny"',
        },
        validations=[
            Validation(
                f"size(variables.added) == 0 || !variables.refused || ({cel.bypassed()})",
                _MESSAGE.strip(),
            )
        ],
    )
