"""Whether a flow is open: it must have been found lawful as it stands now, and be accepted where it leads."""

import datetime as dt

from lawflow.mesh.sidecar import Passage
from lawflow.model import labels
from lawflow.model.dataflow import DataFlow
from lawflow.model.status import Condition
from lawflow.resolve import ResolvedFlow

REVIEW_GRACE = dt.timedelta(hours=1)
"""How long a verdict holds on the day of its review: no flow closes while the controller is about to judge it again."""


def passage(flow: ResolvedFlow) -> Passage:
    """The flow with the reason why it is closed, taken from its status. Without a verdict it is closed."""
    return Passage(flow, _closed(flow), _not_after(flow.flow))


def verdict(flow: DataFlow) -> Condition | None:
    """The condition ``Lawful``, if it speaks of the flow as it stands."""
    conditions = flow.status.conditions if flow.status else ()
    found = next((each for each in conditions if each.type == "Lawful"), None)
    return found if found and found.observed_generation == flow.metadata.generation else None


def _closed(flow: ResolvedFlow) -> str:
    resource = flow.flow
    if not flow.accepted:
        service = resource.spec.destination.service
        assert service is not None, "only a flow to a Service needs acceptance"
        return (
            f"the namespace {service.namespace} has not accepted it; annotate its Service {service.name} with "
            f"{labels.ACCEPT_FLOWS_FROM}: {flow.namespace}"
        )
    found = verdict(resource)
    if found is None:
        return "it has not been evaluated yet as it stands"
    if found.status != "True":
        return found.message or found.reason
    return ""


def _not_after(flow: DataFlow) -> int | None:
    """When the verdict is too old: a basis that ends by itself must not live on because nobody looked at it."""
    review = flow.status.next_review if flow.status else None
    if review is None:
        return None
    midnight = dt.datetime.combine(dt.date.fromisoformat(review), dt.time(), dt.UTC)
    return int((midnight + REVIEW_GRACE).timestamp())
