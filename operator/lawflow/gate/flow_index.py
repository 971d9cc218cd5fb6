"""Refuses writes by anybody but the controller to what the gate believes: the FlowIndex and the status of DataFlows.

Who can write the index can admit anything; ``firstLawfulAt`` in a flow's status lets the pods of a closed flow start.
"""

from lawflow.gate import cel
from lawflow.gate.policy import Policy, Validation, rule
from lawflow.gate.settings import GateSettings
from lawflow.model.base import GROUP
from lawflow.model.kinds import DATA_FLOW, FLOW_INDEX


def policy(settings: GateSettings) -> Policy:
    """The policy over FlowIndexes and ``dataflows/status``; the cluster may still clear a namespace away."""
    return Policy(
        "lawflow-flow-index",
        rules=[
            rule(GROUP, [FLOW_INDEX.plural], "CREATE", "UPDATE", "DELETE"),
            rule(GROUP, [f"{DATA_FLOW.plural}/status"], "UPDATE"),
        ],
        validations=[
            Validation(
                f"request.userInfo.username in {cel.text(list(settings.index_writers))}"
                f' || request.operation == "DELETE" && ({cel.BY_CLUSTER_CONTROLLER})',
                '(request.kind.kind == "FlowIndex" ? "FlowIndexes are" : "the status of a DataFlow is")'
                ' + " written by Lawflow\'s controller alone; correct the DataFlow itself"',
            )
        ],
    )
