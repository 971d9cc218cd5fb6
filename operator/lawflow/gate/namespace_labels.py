"""Refuses changes of the labels that switch the gate: who may edit a namespace may not thereby leave the gate.

Anybody may opt a namespace in. ``index-ready`` belongs to the controller, because the policy over the FlowIndex is
bound by it. Every other change loosens what was chosen, and takes the verb ``bypass`` on dataflows in the namespace.
"""

from lawflow.gate import cel
from lawflow.gate.policy import Policy, Validation, rule
from lawflow.gate.settings import GateSettings
from lawflow.model import labels

_CHANGED = """
  variables.now.filter(name, name.startsWith("lawflow.dev/") && variables.now[name] != variables.before[?name].orValue(""))
    + variables.before.filter(name, name.startsWith("lawflow.dev/") && !(name in variables.now))
"""  # noqa: E501 - one condition a line reads best

_OPTS_IN = f"""
  request.operation == "CREATE"
    || !variables.before.exists(name, name.startsWith("lawflow.dev/"))
    || variables.changed.all(name, name == {cel.text(labels.INJECT)} && variables.now[?name].orValue("") == "enabled")
"""


def policy(settings: GateSettings) -> Policy:
    """The policy over namespaces; their subresources can write labels, too."""
    bypass = cel.BYPASS.replace("request.namespace", "request.name")
    return Policy(
        "lawflow-namespace-labels",
        rules=[rule("", ["namespaces", "namespaces/status", "namespaces/finalize"], "CREATE", "UPDATE")],
        conditions={
            "not-being-deleted": cel.NOT_BEING_DELETED,
            "changes-labels": 'request.operation == "CREATE" ? has(object.metadata.labels) : '
            "object.metadata.?labels.orValue({}) != oldObject.metadata.?labels.orValue({})",
        },
        variables={
            "now": "object.metadata.?labels.orValue({})",
            "before": 'request.operation == "CREATE" ? {} : oldObject.metadata.?labels.orValue({})',
            "changed": _CHANGED.strip(),
            "byController": f"request.userInfo.username in {cel.text(list(settings.index_writers))}",
            "optsIn": _OPTS_IN.strip(),
        },
        validations=[
            Validation(
                f"!({cel.text(labels.INDEX_READY)} in variables.changed) || variables.byController",
                cel.text(f"the label {labels.INDEX_READY} is set by Lawflow's controller alone"),
            ),
            Validation(
                "size(variables.changed) == 0 || variables.byController || variables.optsIn || " + bypass,
                '"changing the label " + variables.changed[0] + " takes the verb bypass on dataflows.lawflow.dev in '
                'namespace " + request.name',
            ),
        ],
    )
