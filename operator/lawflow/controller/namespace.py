"""Namespace: the gate's index, the label that binds the gate, the receivers' NetworkPolicies, and refused pods."""

import datetime as dt
from contextlib import suppress

from lawflow.controller.affected import wrote
from lawflow.controller.app_roots import write_app_roots
from lawflow.controller.break_glass import expiry, grants
from lawflow.controller.flow_index import changes, flow_index, index_object, verdict
from lawflow.controller.receivers import write_network_policies
from lawflow.controller.retry import INTERVAL, due, lacks_pods
from lawflow.controller.settings import Environment
from lawflow.controller.workload import flows_for, retry_annotation
from lawflow.controller.workload_events import tell_of_deleted_flows, tell_of_grants, tell_of_workloads
from lawflow.inject.genuine import genuine_sidecar
from lawflow.model import labels
from lawflow.model.flow_index import INDEX_NAME
from lawflow.model.kinds import (
    DATA_FLOW,
    FLOW_INDEX,
    NAMESPACE,
    WORKLOAD_KINDS,
)  # fmt: skip
from lawflow.model.workload import pod_template
from lawflow.store.protocol import ConflictError, NotFoundError, Object

READY = "true"


async def reconcile(environment: Environment, _namespace: str, name: str) -> dt.datetime | None:
    """Bring everything that Lawflow keeps in one namespace up to date; returns when to look again."""
    world = environment.world
    namespace = world.get(NAMESPACE, "", name)
    if namespace is None or namespace["metadata"].get("deletionTimestamp"):
        environment.metrics.forget_flows(name)
        return None
    concerned = bool(list(world.all(DATA_FLOW, name))) or world.opted_in(name)
    if concerned or name == environment.settings.namespace:
        await _write_genuine_sidecar(environment)
    if not concerned:
        environment.metrics.forget_flows(name)
        if environment.app_roots.get(name):
            await write_app_roots(environment, name)
        await _withdraw(environment, namespace)
        return None
    index = await _write_index(environment, name)
    await _label(environment, namespace, READY)
    if environment.settings.network_policies:
        await write_network_policies(environment, name)
    if environment.settings.terminates:
        await write_app_roots(environment, name)
    await tell_of_workloads(environment, name)
    again = await _retry_refused(environment, name)
    return min((moment for moment in (again, _next_expiry(index)) if moment), default=None)


async def _write_genuine_sidecar(environment: Environment) -> None:
    """Before any namespace is bound to the policy that reads it: without it no pod with a sidecar is let in."""
    settings = environment.settings
    if settings.injection is None:
        return
    sidecar = genuine_sidecar(settings.injection).model_dump(mode="json", by_alias=True)
    held = environment.world.get(FLOW_INDEX, settings.namespace, INDEX_NAME)
    before: Object = (held or {}).get("spec") or {}
    if before.get("sidecar") != sidecar:
        wanted = index_object(settings.namespace, {**before, "sidecar": sidecar})
        # Where a reconcile of another namespace has made it in the meantime, it says the same.
        with suppress(ConflictError):
            wrote(environment, FLOW_INDEX, await _store_index(environment, held, wanted))


async def _write_index(environment: Environment, namespace: str) -> Object:
    world, settings = environment.world, environment.settings
    held = world.get(FLOW_INDEX, namespace, INDEX_NAME)
    before: Object = (held or {}).get("spec") or {}
    flows = [flow for flow in world.all(DATA_FLOW, namespace) if not flow["metadata"].get("deletionTimestamp")]
    workloads = [workload for workload, _ in world.workloads(namespace)]
    in_force, expired = grants(workloads, before, settings.break_glass, environment.now)
    lawful = sum(1 for flow in flows if verdict(flow)["lawful"])
    environment.metrics.flows.labels(namespace, "true").set(lawful)
    environment.metrics.flows.labels(namespace, "false").set(len(flows) - lawful)
    wanted = flow_index(namespace, flows, in_force, expired)
    if "sidecar" in before:
        wanted["spec"]["sidecar"] = before["sidecar"]
    await tell_of_deleted_flows(environment, namespace, held)
    await tell_of_grants(environment, namespace, wanted)
    if wanted["spec"] != before:
        wrote(environment, FLOW_INDEX, await _store_index(environment, held, wanted))
    return wanted


async def _store_index(environment: Environment, held: Object | None, wanted: Object) -> Object:
    """By merge patch: server-side apply would write null where the last key of a map goes."""
    if held is None:
        return await environment.store.create(FLOW_INDEX, wanted)
    metadata = held["metadata"]
    version = {"resourceVersion": metadata["resourceVersion"]} if "resourceVersion" in metadata else {}
    patch = {"metadata": version, "spec": changes(held["spec"], wanted["spec"])}
    return await environment.store.patch(FLOW_INDEX, metadata["namespace"], metadata["name"], patch)


async def _label(environment: Environment, namespace: Object, value: str | None) -> None:
    """Only after the index is written: the gate's policy refuses what it finds no index for."""
    metadata = namespace["metadata"]
    if (metadata.get("labels") or {}).get(labels.INDEX_READY) != value:
        patch = {"metadata": {"labels": {labels.INDEX_READY: value}}}
        try:
            written = await environment.store.patch(NAMESPACE, "", metadata["name"], patch)
        except NotFoundError:
            return
        wrote(environment, NAMESPACE, written)


async def _withdraw(environment: Environment, namespace: Object) -> None:
    """A namespace without flows that has opted out. The index goes last: it and the label show what is left to do."""
    name = namespace["metadata"]["name"]
    index = environment.world.get(FLOW_INDEX, name, INDEX_NAME)
    if index is None and labels.INDEX_READY not in (namespace["metadata"].get("labels") or {}):
        return
    if environment.settings.network_policies:
        await write_network_policies(environment, name)
    await _label(environment, namespace, None)
    if index and "sidecar" in index["spec"]:
        wanted = flow_index(name, [], {}, {})
        wanted["spec"]["sidecar"] = index["spec"]["sidecar"]
        if wanted["spec"] != index["spec"]:
            wrote(environment, FLOW_INDEX, await _store_index(environment, index, wanted))
    elif index:
        await environment.store.delete(FLOW_INDEX, name, INDEX_NAME)


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
                wrote(environment, kind, written)
            except NotFoundError:
                continue
    return again


def _next_expiry(index: Object) -> dt.datetime | None:
    return min((expiry(grant) for grant in index["spec"]["grants"].values()), default=None)
