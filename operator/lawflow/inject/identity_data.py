"""Which pods get a sidecar, and what it must know, from the flows at hand."""

from collections.abc import Iterable

from lawflow.inject.settings import IdentityData
from lawflow.model.dataflow import DataFlow
from lawflow.model.loopback import CLUSTER_DOMAIN, loopback_destinations
from lawflow.model.sidecar import Interception
from lawflow.model.workload import PodTemplate


def needs_sidecar(template: PodTemplate, namespace: str, flows: Iterable[DataFlow]) -> bool:
    """Whether a flow starts or ends at the pods of a template, or the template declares one by name."""
    return bool(template.declared_flows) or any(
        (namespace, template.service_account) in (_source(flow), _destination(flow)) for flow in flows
    )


def identity_data(
    service_account: str,
    namespace: str,
    flows: Iterable[DataFlow],
    interception: Interception | None = None,
    cluster_domain: str = CLUSTER_DOMAIN,
) -> IdentityData:
    """What injection must know about a service account: where its own flows lead.

    A flow that a pod merely names is another account's: the sidecar cannot carry it and gets no listener for it.
    """
    leaving = [flow for flow in flows if _source(flow) == (namespace, service_account)]
    return IdentityData(loopback_destinations(leaving, cluster_domain), interception)


def _source(flow: DataFlow) -> tuple[str, str]:
    return flow.metadata.namespace, flow.spec.source.service_account_name


def _destination(flow: DataFlow) -> tuple[str, str] | None:
    service = flow.spec.destination.service
    if service is None:
        return None
    return service.namespace or flow.metadata.namespace, service.service_account_name or service.name
