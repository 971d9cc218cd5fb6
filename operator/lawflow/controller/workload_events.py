"""What is said on workloads: flows that they lost, grants that they hold, what the law finds at them."""

from collections import defaultdict

from lawflow.controller.break_glass import told
from lawflow.controller.events import announce
from lawflow.controller.flow_index import accounts_of_flows
from lawflow.controller.settings import Environment
from lawflow.controller.status import sentence
from lawflow.law.workload import evaluate_workload
from lawflow.model.kinds import DATA_FLOW, KINDS
from lawflow.model.status import Severity
from lawflow.store.protocol import Object


async def tell_of_deleted_flows(environment: Environment, namespace: str, held: Object | None) -> None:
    """Before the index forgets them, so that a controller that is killed here tells after its restart."""
    if held is None:
        return
    present = {flow["metadata"]["name"] for flow in environment.world.all(DATA_FLOW, namespace)}
    for name, account in accounts_of_flows(held):
        if name in present:
            continue
        for workload, template in environment.world.workloads(namespace):
            if template.service_account == account or name in template.declared_flows:
                await announce(
                    environment, workload, "Warning", "FlowDeleted",
                    f"the DataFlow {name} was deleted: its path is closed, and calls along it are refused",
                    once=f"{name}@{held['metadata'].get('uid', '')}/{held['metadata'].get('resourceVersion', '')}",
                )  # fmt: skip


async def tell_of_grants(environment: Environment, namespace: str, index: Object) -> None:
    """Say on each workload that holds a grant who passed the gate, why and until when."""
    for key, grant in index["spec"]["grants"].items():
        kind, name = key.split("/", 1)
        workload = environment.world.get(KINDS[kind], namespace, name)
        heard = "grant", namespace, key, grant["expires"]
        if workload and heard not in environment.announced:
            message = f"the gate was passed: {told(key, grant)}"
            await announce(environment, workload, "Warning", "BreakGlass", message, once=grant["expires"])
            environment.announced[heard] = None


async def tell_of_workloads(environment: Environment, namespace: str) -> None:
    """What the law finds at workloads themselves, such as a service account that they share, as events on them."""
    world, disabled = environment.world, environment.settings.disabled_rules
    flows = world.flows(namespace)
    by_account: dict[str, list[Object]] = defaultdict(list)
    for workload, template in world.workloads(namespace):
        by_account[template.service_account].append(workload)
    for workloads in by_account.values():
        for workload in workloads:
            for finding in evaluate_workload(workload, flows, workloads, disabled):
                heard = "finding", workload["metadata"].get("uid", ""), finding.rule, finding.message
                if finding.severity is not Severity.INFO and heard not in environment.announced:
                    once = f"{finding.rule}/{finding.message}"
                    await announce(environment, workload, "Warning", "Finding", sentence(finding), once=once)
                    environment.announced[heard] = None
