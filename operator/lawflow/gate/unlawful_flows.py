"""Refuses workloads whose flows were found unlawful, and pods whose flows are not found at all.

This is the hard stop. It runs inside the API server and reads only the namespace's FlowIndex, so it holds with every
Lawflow process dead. It looks flows up by service account and by name: matching selectors in CEL costs half a second
at 3,000 flows. Only what adds a flow is judged; a flow that was lawful once is closed on the wire, so what a
controller recreates for it still starts.
"""

from lawflow.gate import cel
from lawflow.gate.policy import Policy, Validation, index_ready, none_of, opted_in, workload_rules
from lawflow.gate.settings import GateSettings
from lawflow.model import labels

_TEMPLATE = f"({cel.template('object')})"
_FLOWS = f'{_TEMPLATE}.?metadata.?annotations[?{cel.text(labels.FLOWS)}].orValue("")'

_ADDED = """
  variables.accountChanged
    ? variables.ownFlows + variables.declared.filter(name, !(name in variables.ownFlows))
    : variables.declared.filter(name, !(name in variables.declaredBefore) && !(name in variables.ownFlows))
"""

_UNLAWFUL = """
  variables.added.filter(name, name in variables.refused
    && !(variables.recreated && variables.refused[name].?everLawful.orValue(false)))
"""

_MISSING = """
  variables.added.filter(name, !(name in variables.refused)
    && !params.spec.?lawful.orValue("").contains("," + name + "/"))
"""

_UNKNOWN = """
  !params.spec.?complete.orValue(true) && variables.accountChanged && size(variables.ownFlows) == 0
"""

# A grant covers the workload itself, and what the cluster's controllers make of it. CEL has no clock, but an object
# that is being created carries the time.
_GRANTED = f"""
  request.operation == "CREATE" && (
    [request.kind.kind + "/" + object.metadata.?name.orValue("")] + (
      {cel.BY_CLUSTER_CONTROLLER}
        ? variables.owners.map(owner, owner.kind + "/" + owner.name)
          + variables.owners.filter(owner, owner.name.contains("-")).map(owner,
              (owner.kind == "ReplicaSet" ? "Deployment/" : "CronJob/")
                + owner.name.substring(0, owner.name.lastIndexOf("-")))
        : []
    )
  ).exists(workload, workload in variables.grants
    && timestamp(object.metadata.creationTimestamp) < timestamp(variables.grants[workload].expires))
"""

_UNLAWFUL_MESSAGE = """
  "DataFlow " + variables.unlawful[0] + " is unlawful"
    + variables.refused[variables.unlawful[0]].?reason.optMap(reason, ": " + reason).orValue("")
    + (size(variables.unlawful) > 1 ? " (and " + string(size(variables.unlawful) - 1) + " more flows)" : "")
    + "; see: kubectl describe dataflow " + variables.unlawful[0] + " -n " + request.namespace
"""

_UNKNOWN_MESSAGE = """
  "namespace " + request.namespace + " has more flows than its index holds, and none of service account "
    + variables.serviceAccount + " is in it; move flows to another namespace"
"""

_MISSING_MESSAGE = f"""
  "DataFlow " + variables.missing[0] + " is declared, but does not exist or is not evaluated yet"
    + (size(variables.missing) > 1 ? " (and " + string(size(variables.missing) - 1) + " more flows)" : "")
    + "; create it, or correct the annotation {labels.FLOWS}"
"""


def policy(settings: GateSettings) -> Policy:
    """The policy over the FlowIndex, for namespaces that have opted in and been indexed."""
    return Policy(
        "lawflow-unlawful-flows",
        rules=workload_rules("CREATE", "UPDATE"),
        namespaces=[opted_in(), index_ready(), none_of(settings.untouched)],
        reads_index=True,
        enforceable=True,
        conditions={
            "not-being-deleted": cel.NOT_BEING_DELETED,
            "has-a-pod-template": cel.HAS_POD_TEMPLATE,
            "may-add-a-flow": cel.changes_flows(),
            # Most pods declare nothing and run as an account whose flows are all lawful: they cost one look-up.
            "is-not-known-to-be-lawful": f"size({_FLOWS}) > 0 || ({cel.service_account(_TEMPLATE)}) in "
            "params.spec.?serviceAccounts.orValue({}) || !params.spec.?complete.orValue(true)",
        },
        variables={
            "template": cel.template("object"),
            "templateBefore": f'request.operation == "CREATE" ? object : ({cel.template("oldObject")})',
            "serviceAccount": cel.service_account("variables.template"),
            "declared": cel.declared("variables.template"),
            "declaredBefore": cel.declared("variables.templateBefore"),
            "accountChanged": 'request.operation == "CREATE" || '
            f"variables.serviceAccount != ({cel.service_account('variables.templateBefore')})",
            "refused": "params.spec.?unlawful.orValue({})",
            "grants": "params.spec.?grants.orValue({})",
            "ownFlows": "params.spec.?serviceAccounts[?variables.serviceAccount].orValue([])",
            "added": _ADDED.strip(),
            "owners": "object.metadata.?ownerReferences.orValue([]).filter(owner, owner.?controller.orValue(false))",
            "recreated": "size(variables.owners) > 0",
            "unlawful": _UNLAWFUL.strip(),
            "missing": _MISSING.strip(),
            "unknown": _UNKNOWN.strip(),
            # The retry of a pod is the owner's; a workload object would have to be applied again by hand.
            "missingRefused": 'request.kind.kind == "Pod" || '
            f'namespaceObject.metadata.?labels[?{cel.text(labels.MISSING)}].orValue("") == "deny"',
            "granted": _GRANTED.strip(),
            "passed": f"variables.granted || ({cel.bypassed()})",
        },
        validations=[
            Validation("size(variables.unlawful) == 0 || variables.passed", _UNLAWFUL_MESSAGE.strip()),
            Validation(
                "size(variables.missing) == 0 || !variables.missingRefused || variables.passed",
                _MISSING_MESSAGE.strip(),
            ),
            Validation("!variables.unknown || variables.passed", _UNKNOWN_MESSAGE.strip()),
        ],
    )
