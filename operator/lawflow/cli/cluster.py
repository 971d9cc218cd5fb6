"""``lawflow check --cluster``: what manifests refer to but do not hold, looked up in a cluster."""

from pathlib import Path

from lawflow.cli.declared import Declared
from lawflow.model.base import CustomResource
from lawflow.model.dataflow import DataFlow
from lawflow.model.kinds import DATA_FLOW, KINDS, SERVICE
from lawflow.model.parse import InvalidObjectError, parse
from lawflow.model.workload import Object
from lawflow.resolve import Key, Objects, resolve_flow
from lawflow.store.kubernetes import KubernetesStore
from lawflow.store.protocol import Store, StoreError


async def objects_with_cluster(found: Declared, kubeconfig: Path | None, context: str | None) -> Objects:
    """All that flows may refer to: what the manifests hold, and what only the cluster does.

    Raises StoreError where the cluster cannot be asked, or holds an object that does not fit its schema.
    """
    async with await KubernetesStore.connect(kubeconfig, context) as store:
        return await completed(found, store)


async def completed(found: Declared, store: Store) -> Objects:
    """The objects of manifests, with what they miss from a store; a manifest's object hides the store's."""
    from_store: dict[Key, CustomResource] = {}
    for namespace in sorted({workload.namespace for workload in found.workloads}):
        for obj in await store.list(DATA_FLOW, namespace):
            flow = _parsed(obj)
            from_store[flow.key] = flow
    objects = Objects((*from_store.values(), *found.resources), found.services)
    absent: set[Key] = set()
    for flow in objects.flows():
        for reference in resolve_flow(flow, objects).unresolved:
            key = reference.kind, reference.namespace, reference.name
            if key in absent or key in from_store:
                continue
            got = await store.get(KINDS[reference.kind], reference.namespace, reference.name)
            if got is None:
                absent.add(key)
            else:
                from_store[key] = _parsed(got)
    services = [service for flow in objects.flows() if (service := await _service(flow, store, objects))]
    return Objects((*from_store.values(), *found.resources), (*services, *found.services))


async def _service(flow: DataFlow, store: Store, objects: Objects) -> Object | None:
    """The Service of another namespace that the flow leads to: it says whether it accepts the flow."""
    service = flow.spec.destination.service
    if service is None or service.namespace in (None, flow.metadata.namespace):
        return None
    assert service.namespace is not None
    if (service.namespace, service.name) in objects.services:
        return None
    return await store.get(SERVICE, service.namespace, service.name)


def _parsed(obj: Object) -> CustomResource:
    try:
        return parse(obj)
    except InvalidObjectError as error:
        metadata = obj["metadata"]
        name = "/".join(part for part in (metadata.get("namespace"), metadata["name"]) if part)
        raise StoreError(f"the cluster's {obj['kind']} {name} does not fit its schema: {error}") from None
