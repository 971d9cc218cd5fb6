"""Whether a flow is open: it must have been found lawful as it stands now, and be accepted where it leads."""

from lawflow.mesh.sidecar import Passage
from lawflow.model import labels
from lawflow.resolve import ResolvedFlow


def passage(flow: ResolvedFlow) -> Passage:
    """The flow with the reason why it is closed, taken from its status. Without a verdict it is closed."""
    return Passage(flow, _closed(flow))


def _closed(flow: ResolvedFlow) -> str:
    resource = flow.flow
    if not flow.accepted:
        service = resource.spec.destination.service
        assert service is not None, "only a flow to a Service needs acceptance"
        return (
            f"the namespace {service.namespace} has not accepted it; annotate its Service {service.name} with "
            f"{labels.ACCEPT_FLOWS_FROM}: {flow.namespace}"
        )
    status = resource.status
    verdict = next((item for item in status.conditions if item.type == "Lawful"), None) if status else None
    if verdict is None or verdict.observed_generation != resource.metadata.generation:
        return "it has not been evaluated yet as it stands"
    if verdict.status != "True":
        return verdict.message or verdict.reason
    return ""
