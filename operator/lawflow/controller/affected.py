"""Which keys to look at when an object has changed."""

from collections.abc import Iterator

from lawflow.controller import authority, certificate, egress, network_rules
from lawflow.controller.capture import failure
from lawflow.controller.settings import Environment
from lawflow.daemon.queue import Key
from lawflow.model import labels
from lawflow.model.flow_index import MAXIMUM_FLOWS
from lawflow.model.kinds import (
    CONSENT_POLICY,
    DATA_CONTROLLER,
    DATA_FLOW,
    DATASET,
    FLOW_INDEX,
    NAMESPACE,
    POD,
    SERVICE,
    WORKLOAD_KINDS,
    Kind,
)  # fmt: skip
from lawflow.model.workload import pod_template
from lawflow.store.protocol import Object

_WORKLOADS = frozenset(WORKLOAD_KINDS)


def observe(environment: Environment, kind: Kind, obj: Object, *, deleted: bool = False) -> None:
    """Take in one change, and have looked at what it concerns."""
    before = environment.world.observe(kind, obj, deleted=deleted)
    environment.queue.add(*affected(environment, kind, obj, before, deleted=deleted))


def wrote(environment: Environment, kind: Kind, obj: Object) -> None:
    """Take in what this process has written, and have looked at what it concerns.

    When the watch tells of it later, the world knows it already, and what differs from the state before would be
    missed. A write that changed nothing concerns nobody; a reconcile() that repeats one must not call itself.
    """
    metadata = obj["metadata"]
    known = environment.world.get(kind, metadata.get("namespace", ""), metadata["name"])
    if known is None or known["metadata"].get("resourceVersion") != metadata.get("resourceVersion"):
        observe(environment, kind, obj)


def affected(
    environment: Environment, kind: Kind, obj: Object, before: Object | None, *, deleted: bool
) -> Iterator[Key]:
    """Keys to look at after the world has taken note of a change; ``before`` is what it knew."""
    if deleted and before is not None:
        # Of what went while a watch was interrupted, the watch knows the name alone.
        obj = before
    metadata = obj["metadata"]
    namespace, name = metadata.get("namespace", ""), metadata["name"]
    if kind == DATA_FLOW:
        yield from _of_flow(environment, obj, before, deleted=deleted)
    elif kind in (CONSENT_POLICY, DATASET, DATA_CONTROLLER):
        yield kind.name, namespace, name
        yield from environment.referrers.to((kind.name, namespace, name))
    elif kind == SERVICE:
        yield from environment.referrers.to((kind.name, namespace, name))
        yield NAMESPACE.name, "", namespace
    elif kind == NAMESPACE:
        yield NAMESPACE.name, "", name
        if before is None or _opt_in(before) != _opt_in(obj):
            yield from _flows(environment, name)
    elif kind == FLOW_INDEX:
        yield NAMESPACE.name, "", namespace
        if _grants(obj) != _grants(before):
            yield from _flows(environment, namespace)
    elif kind in _WORKLOADS:
        yield from _of_workload(environment, obj, namespace)
        if kind == POD:
            yield from egress.concerned(environment, obj, before, deleted=deleted)


def _of_flow(environment: Environment, obj: Object, before: Object | None, *, deleted: bool) -> Iterator[Key]:
    namespace = obj["metadata"]["namespace"]
    yield DATA_FLOW.name, namespace, obj["metadata"]["name"]
    yield NAMESPACE.name, "", namespace
    if deleted and sum(1 for _ in environment.world.all(DATA_FLOW, namespace)) >= MAXIMUM_FLOWS:
        # A place in the index is free now.
        yield from _flows(environment, namespace)
    for version in (obj, before or {}):
        spec = version.get("spec") or {}
        if account := (spec.get("source") or {}).get("serviceAccountName"):
            yield certificate.KIND, namespace, account
        if service := (spec.get("destination") or {}).get("service"):
            where = service.get("namespace") or namespace
            yield NAMESPACE.name, "", where
            yield certificate.KIND, where, service.get("serviceAccountName") or service["name"]


def _of_workload(environment: Environment, obj: Object, namespace: str) -> Iterator[Key]:
    template = pod_template(obj)
    if template is None:
        return
    world = environment.world
    concerned = [
        flow
        for flow in world.all(DATA_FLOW, namespace)
        if ((flow.get("spec") or {}).get("source") or {}).get("serviceAccountName") == template.service_account
        or flow["metadata"]["name"] in template.declared_flows
    ]
    if concerned or world.opted_in(namespace):
        yield NAMESPACE.name, "", namespace
    for flow in concerned:
        yield DATA_FLOW.name, namespace, flow["metadata"]["name"]
    for incoming in environment.flows_into(namespace):
        service = incoming.spec.destination.service
        if service and template.service_account == (service.service_account_name or service.name):
            yield incoming.key
    if (obj.get("kind") or POD.name) == POD.name and failure(obj) is not None:
        yield network_rules.KIND, namespace, obj["metadata"]["name"]
    if labels.INJECTED in template.metadata.get("annotations", {}):
        yield certificate.KIND, namespace, template.service_account
        yield authority.KEY


def _flows(environment: Environment, namespace: str) -> Iterator[Key]:
    for flow in environment.world.all(DATA_FLOW, namespace):
        yield DATA_FLOW.name, namespace, flow["metadata"]["name"]


def _opt_in(namespace: Object) -> str | None:
    found: str | None = (namespace["metadata"].get("labels") or {}).get(labels.INJECT)
    return found


def _grants(index: Object | None) -> Object:
    grants: Object = ((index or {}).get("spec") or {}).get("grants") or {}
    return grants
