"""Which flows a change of another object concerns. Kept beside the world, through resolve."""

from collections import defaultdict

from lawflow.model.dataflow import DataFlow
from lawflow.resolve import Key, Objects, resolve_flow


def references(flow: DataFlow, objects: Objects) -> set[Key]:
    """Keys of all objects whose change may change the verdict on the flow, whether they exist or not."""
    resolved = resolve_flow(flow, objects)
    found: set[Key] = {(each.kind, each.namespace, each.name) for each in resolved.unresolved}
    found |= {dataset.key for dataset in resolved.datasets}
    found |= {policy.key for policy in resolved.consent_policies.values()}
    names = [flow.spec.controller_ref, *(dataset.spec.controller_ref for dataset in resolved.datasets)]
    if flow.spec.source.processor:
        names += flow.spec.source.processor.controllers
    found |= {("DataController", "", each.name) for each in names if each}
    if service := flow.spec.destination.service:
        found.add(("Service", service.namespace or flow.metadata.namespace, service.name))
    return found


class Referrers:
    """Flows by the objects that they refer to."""

    def __init__(self) -> None:
        self._of: dict[Key, set[Key]] = {}
        self._to: dict[Key, set[Key]] = defaultdict(set)

    def remember(self, flow: Key, refers_to: set[Key]) -> None:
        """Replace what a flow refers to; an empty set forgets it."""
        for key in self._of.pop(flow, set()) - refers_to:
            self._to[key].discard(flow)
            if not self._to[key]:
                del self._to[key]
        for key in refers_to:
            self._to[key].add(flow)
        if refers_to:
            self._of[flow] = refers_to

    def to(self, key: Key) -> frozenset[Key]:
        """Flows that refer to an object."""
        return frozenset(self._to.get(key, ()))

    def to_services_of(self, namespace: str) -> set[Key]:
        """Flows that lead to any Service of a namespace."""
        return {flow for (kind, where, _), flows in self._to.items() if (kind, where) == ("Service", namespace)
                for flow in flows}  # fmt: skip
