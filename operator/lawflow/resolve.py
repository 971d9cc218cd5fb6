"""Joins flows with what they refer to. Pure: controller, webhook, xDS server and command line all call it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lawflow.model import labels
from lawflow.model.base import CustomResource, NamespacedReference
from lawflow.model.consent_policy import ConsentPolicy
from lawflow.model.data_controller import DataController
from lawflow.model.dataflow import DataFlow
from lawflow.model.dataset import Dataset
from lawflow.model.workload import Object, PodTemplate

Key = tuple[str, str, str]
"""Kind, namespace ("" for cluster scope) and name."""


class Objects:
    """The objects that flows may refer to, by key. Order never matters; of two with one key the later counts."""

    def __init__(self, resources: Iterable[CustomResource] = (), services: Iterable[Object] = ()) -> None:
        self.resources: dict[Key, CustomResource] = {resource.key: resource for resource in resources}
        self.services: dict[tuple[str, str], Object] = {
            (service["metadata"].get("namespace", ""), service["metadata"]["name"]): service for service in services
        }

    def flows(self) -> list[DataFlow]:
        """All flows, by namespace and name."""
        found = [resource for resource in self.resources.values() if isinstance(resource, DataFlow)]
        return sorted(found, key=lambda flow: flow.key)

    def controller(self, name: str) -> DataController | None:
        """A DataController by name."""
        found = self.resources.get(("DataController", "", name))
        return found if isinstance(found, DataController) else None

    def dataset(self, namespace: str, name: str) -> Dataset | None:
        """A Dataset by namespace and name."""
        found = self.resources.get(("Dataset", namespace, name))
        return found if isinstance(found, Dataset) else None

    def consent_policy(self, namespace: str, name: str) -> ConsentPolicy | None:
        """A ConsentPolicy by namespace and name."""
        found = self.resources.get(("ConsentPolicy", namespace, name))
        return found if isinstance(found, ConsentPolicy) else None


@dataclass(frozen=True)
class Unresolved:
    """A reference whose object is not among the objects at hand."""

    kind: str
    namespace: str
    name: str
    path: str


@dataclass(frozen=True)
class ResolvedFlow:
    """A flow with the objects that it refers to."""

    flow: DataFlow
    controller: DataController | None = None
    datasets: tuple[Dataset, ...] = ()
    consent_policies: Mapping[tuple[str, str], ConsentPolicy] = field(default_factory=dict)
    unresolved: tuple[Unresolved, ...] = ()
    accepted: bool = True
    """Whether the destination's namespace lets this flow in: always in the flow's own namespace and outside."""

    @property
    def namespace(self) -> str:
        """Namespace of the flow and of its source."""
        return self.flow.metadata.namespace

    def consent_policy(self, reference: NamespacedReference | None) -> ConsentPolicy | None:
        """The ConsentPolicy that a reference of this flow names."""
        if reference is None:
            return None
        return self.consent_policies.get((reference.namespace or self.namespace, reference.name))


def resolve_flow(flow: DataFlow, objects: Objects) -> ResolvedFlow:
    """Join one flow with what it refers to."""
    namespace = flow.metadata.namespace
    spec = flow.spec
    unresolved: list[Unresolved] = []
    controller = None
    if spec.controller_ref:
        controller = objects.controller(spec.controller_ref.name)
        if controller is None:
            unresolved.append(Unresolved("DataController", "", spec.controller_ref.name, ".spec.controllerRef"))
    datasets: list[Dataset] = []
    for position, reference in enumerate(spec.source.dataset_refs):
        where = reference.namespace or namespace
        dataset = objects.dataset(where, reference.name)
        if dataset is None:
            path = f".spec.source.datasetRefs[{position}]"
            unresolved.append(Unresolved("Dataset", where, reference.name, path))
        else:
            datasets.append(dataset)
    policies: dict[tuple[str, str], ConsentPolicy] = {}
    for path, reference in _consent_references(flow):
        where = reference.namespace or namespace
        policy = objects.consent_policy(where, reference.name)
        if policy is None:
            unresolved.append(Unresolved("ConsentPolicy", where, reference.name, path))
        else:
            policies[where, reference.name] = policy
    return ResolvedFlow(flow, controller, tuple(datasets), policies, tuple(unresolved), _accepted(flow, objects))


def resolve(objects: Objects) -> list[ResolvedFlow]:
    """Join all flows with what they refer to, by namespace and name."""
    return [resolve_flow(flow, objects) for flow in objects.flows()]


def flows_of(template: PodTemplate, namespace: str, flows: Iterable[DataFlow]) -> tuple[list[DataFlow], list[str]]:
    """The flows that a pod template answers for, and the names that it declares but that do not exist.

    They are the flows whose source is its service account, and those that it names in its annotation.
    """
    own = {flow.metadata.name: flow for flow in flows if flow.metadata.namespace == namespace}
    declared = template.declared_flows
    found = [
        flow
        for name, flow in sorted(own.items())
        if flow.spec.source.service_account_name == template.service_account or name in declared
    ]
    return found, [name for name in declared if name not in own]


def _consent_references(flow: DataFlow) -> Iterable[tuple[str, NamespacedReference]]:
    for position, purpose in enumerate(flow.spec.purposes):
        if purpose.lawful_basis and purpose.lawful_basis.consent_policy_ref:
            path = f".spec.purposes[{position}].lawfulBasis.consentPolicyRef"
            yield path, purpose.lawful_basis.consent_policy_ref
    for position, transfer in enumerate(flow.spec.transfers):
        if transfer.derogation and transfer.derogation.consent_policy_ref:
            path = f".spec.transfers[{position}].derogation.consentPolicyRef"
            yield path, transfer.derogation.consent_policy_ref


def _accepted(flow: DataFlow, objects: Objects) -> bool:
    service = flow.spec.destination.service
    namespace = flow.metadata.namespace
    if service is None or service.namespace in (None, namespace):
        return True
    found = objects.services.get((service.namespace, service.name))
    annotations = (found or {}).get("metadata", {}).get("annotations") or {}
    return namespace in labels.names(annotations.get(labels.ACCEPT_FLOWS_FROM))
