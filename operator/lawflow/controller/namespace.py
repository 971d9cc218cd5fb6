"""Namespace: the gate's index, the label that binds the gate, the receivers' NetworkPolicies, and refused pods."""

import datetime as dt
from collections import defaultdict

from lawflow.controller.break_glass import expiry, grants, told
from lawflow.controller.events import announce
from lawflow.controller.flow_index import changes, flow_index, verdict
from lawflow.controller.network_policy import MANAGED_BY, network_policy
from lawflow.controller.retry import INTERVAL, due, lacks_pods
from lawflow.controller.settings import Environment
from lawflow.controller.status import sentence
from lawflow.controller.workload import flows_for, retry_annotation
from lawflow.inject.genuine import genuine_sidecar
from lawflow.law.workload import evaluate_workload
from lawflow.model import labels
from lawflow.model.flow_index import INDEX_NAME
from lawflow.model.kinds import (
    DATA_FLOW,
    FLOW_INDEX,
    KINDS,
    NAMESPACE,
    NETWORK_POLICY,
    SERVICE,
    WORKLOAD_KINDS,
)  # fmt: skip
from lawflow.model.status import Severity
from lawflow.model.workload import pod_template
from lawflow.resolve import resolve_flow
from lawflow.store.protocol import NotFoundError, Object

READY = "true"


async def reconcile(environment: Environment, _namespace: str, name: str) -> dt.datetime | None:
    """Bring everything that Lawflow keeps in one namespace up to date; returns when to look again."""
    world = environment.world
    namespace = world.get(NAMESPACE, "", name)
    if namespace is None or namespace["metadata"].get("deletionTimestamp"):
        return None
    concerned = bool(list(world.all(DATA_FLOW, name))) or world.opted_in(name)
    if not concerned:
        await _withdraw(environment, namespace)
        return None
    index = await _write_index(environment, name)
    await _label(environment, namespace, READY)
    if environment.settings.network_policies:
        await _write_network_policies(environment, name)
    await _tell_of_workloads(environment, name)
    again = await _retry_refused(environment, name)
    return min((moment for moment in (again, _next_expiry(index)) if moment), default=None)


async def _write_index(environment: Environment, namespace: str) -> Object:
    world, settings = environment.world, environment.settings
    held = world.get(FLOW_INDEX, namespace, INDEX_NAME)
    before: Object = (held or {}).get("spec") or {}
    flows = [flow for flow in world.all(DATA_FLOW, namespace) if not flow["metadata"].get("deletionTimestamp")]
    workloads = [workload for workload, _ in world.workloads(namespace)]
    in_force, expired = grants(workloads, before, settings.break_glass, environment.now)
    sidecar = genuine_sidecar(settings.injection) if settings.injection else None
    lawful = sum(1 for flow in flows if verdict(flow)["lawful"])
    environment.metrics.flows.labels(namespace, "true").set(lawful)
    environment.metrics.flows.labels(namespace, "false").set(len(flows) - lawful)
    wanted = flow_index(namespace, flows, in_force, expired, sidecar)
    await _tell_of_deleted_flows(environment, namespace, held, wanted)
    await _tell_of_grants(environment, namespace, wanted)
    if wanted["spec"] != before:
        world.observe(FLOW_INDEX, await _store_index(environment, held, wanted))
    return wanted


async def _store_index(environment: Environment, held: Object | None, wanted: Object) -> Object:
    """By merge patch: server-side apply would write null where the last key of a map goes."""
    if held is None:
        return await environment.store.create(FLOW_INDEX, wanted)
    metadata = held["metadata"]
    version = {"resourceVersion": metadata["resourceVersion"]} if "resourceVersion" in metadata else {}
    patch = {"metadata": version, "spec": changes(held["spec"], wanted["spec"])}
    return await environment.store.patch(FLOW_INDEX, metadata["namespace"], metadata["name"], patch)


async def _tell_of_deleted_flows(environment: Environment, namespace: str, held: Object | None, wanted: Object) -> None:
    """Before the index forgets them, so that a controller that is killed here tells after its restart."""
    if held is None:
        return
    before = held["spec"].get("serviceAccounts") or {}
    present = {flow["metadata"]["name"] for flow in environment.world.all(DATA_FLOW, namespace)}
    for account, names in before.items():
        for name in set(names) - present:
            for workload, template in environment.world.workloads(namespace):
                if template.service_account == account or name in template.declared_flows:
                    await announce(
                        environment, workload, "Warning", "FlowDeleted",
                        f"the DataFlow {name} was deleted: its path is closed, and calls along it are refused",
                        once=f"{name}@{held['metadata'].get('uid', '')}/{held['metadata'].get('resourceVersion', '')}",
                    )  # fmt: skip


async def _tell_of_grants(environment: Environment, namespace: str, index: Object) -> None:
    for key, grant in index["spec"]["grants"].items():
        kind, name = key.split("/", 1)
        workload = environment.world.get(KINDS[kind], namespace, name)
        heard = "grant", namespace, key, grant["expires"]
        if workload and heard not in environment.announced:
            message = f"the gate was passed: {told(key, grant)}"
            await announce(environment, workload, "Warning", "BreakGlass", message, once=grant["expires"])
            environment.announced[heard] = None


async def _tell_of_workloads(environment: Environment, namespace: str) -> None:
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


async def _label(environment: Environment, namespace: Object, value: str | None) -> None:
    """Only after the index is written: the gate's policy refuses what it finds no index for."""
    metadata = namespace["metadata"]
    if (metadata.get("labels") or {}).get(labels.INDEX_READY) != value:
        patch = {"metadata": {"labels": {labels.INDEX_READY: value}}}
        try:
            written = await environment.store.patch(NAMESPACE, "", metadata["name"], patch)
        except NotFoundError:
            return
        environment.world.observe(NAMESPACE, written)


async def _withdraw(environment: Environment, namespace: Object) -> None:
    """A namespace without flows that has opted out: the label goes first, or the gate would miss its index."""
    name = namespace["metadata"]["name"]
    await _label(environment, namespace, None)
    if environment.world.get(FLOW_INDEX, name, INDEX_NAME):
        await environment.store.delete(FLOW_INDEX, name, INDEX_NAME)
    if environment.settings.network_policies:
        await _write_network_policies(environment, name)


async def _write_network_policies(environment: Environment, namespace: str) -> None:
    """One for each Service here that accepted flows lead to, where the receiving pods have sidecars."""
    wanted: dict[str, Object] = {}
    if environment.world.opted_in(namespace):
        for service, ports in _declared_ports(environment, namespace).items():
            found = environment.world.get(SERVICE, namespace, service)
            policy = network_policy(found, ports) if found else None
            if policy:
                wanted[policy["metadata"]["name"]] = policy
    known = environment.policies.get(namespace)
    if known is None:
        listed = await environment.store.list(NETWORK_POLICY, namespace)
        known = environment.policies[namespace] = {
            policy["metadata"]["name"]: policy for policy in listed if _ours(policy)
        }
    for name, policy in wanted.items():
        if known.get(name, {}).get("spec") != policy["spec"]:
            await environment.store.apply(NETWORK_POLICY, policy)
            known[name] = policy
    for name in known.keys() - wanted.keys():
        await environment.store.delete(NETWORK_POLICY, namespace, name)
        del known[name]


def _declared_ports(environment: Environment, namespace: str) -> dict[str, set[int]]:
    """Ports of this namespace's Services that accepted flows lead to."""
    references = environment.world.references
    found: dict[str, set[int]] = defaultdict(set)
    for flow in environment.flows_into(namespace):
        service = flow.spec.destination.service
        if service and flow.spec.security.mutual_tls and resolve_flow(flow, references).accepted:
            found[service.name].add(service.port)
    return found


def _ours(policy: Object) -> bool:
    found = policy["metadata"].get("labels") or {}
    return all(found.get(name) == value for name, value in MANAGED_BY.items())


async def _retry_refused(environment: Environment, namespace: str) -> dt.datetime | None:
    """Touch workloads whose pods were refused and may start now; returns when to look at them again."""
    world, now = environment.world, environment.now
    flows = list(world.all(DATA_FLOW, namespace))
    again = None
    for kind in WORKLOAD_KINDS:
        for workload in list(world.all(kind, namespace)):
            template = pod_template(workload)
            if template is None or not lacks_pods(workload):
                continue
            again = now + INTERVAL
            names = {flow["metadata"]["name"] for flow in flows}
            if not names.issuperset(template.declared_flows) or not due(workload, flows_for(template, flows), now):
                continue
            patch = {"metadata": {"annotations": {labels.RETRY: retry_annotation(now)}}}
            try:
                written = await environment.store.patch(kind, namespace, workload["metadata"]["name"], patch)
                world.observe(kind, written)
            except NotFoundError:
                continue
    return again


def _next_expiry(index: Object) -> dt.datetime | None:
    return min((expiry(grant) for grant in index["spec"]["grants"].values()), default=None)
