"""Workloads: which flows they answer for, and the break-glass grants that they hold."""

import datetime as dt
from collections.abc import Iterable

from lawflow.controller.break_glass import told
from lawflow.controller.world import World
from lawflow.model.dataflow import DataFlow
from lawflow.model.flow_index import INDEX_NAME
from lawflow.model.kinds import FLOW_INDEX
from lawflow.model.workload import PodTemplate
from lawflow.store.protocol import Object


def answers_for(template: PodTemplate, flow: Object) -> bool:
    """Whether a pod template runs as a flow's source or declares the flow."""
    source = ((flow.get("spec") or {}).get("source") or {}).get("serviceAccountName")
    return template.service_account == source or flow["metadata"]["name"] in template.declared_flows


def flows_for(template: PodTemplate, flows: Iterable[Object]) -> list[Object]:
    """The flows that a pod template answers for."""
    return [flow for flow in flows if answers_for(template, flow)]


def grants_of(world: World, flow: DataFlow) -> list[str]:
    """Break-glass grants in force for workloads of a flow, one line each."""
    namespace, name = flow.metadata.namespace, flow.metadata.name
    index = world.get(FLOW_INDEX, namespace, INDEX_NAME)
    grants = ((index or {}).get("spec") or {}).get("grants") or {}
    if not grants:
        return []
    concerned = {
        f"{workload['kind']}/{workload['metadata']['name']}"
        for workload, template in world.workloads(namespace)
        if template.service_account == flow.spec.source.service_account_name or name in template.declared_flows
    }
    return [told(key, grant) for key, grant in sorted(grants.items()) if key in concerned]


def retry_annotation(now: dt.datetime) -> str:
    """The moment of a touch, to the microsecond, so that no two touches are one value."""
    return now.astimezone(dt.UTC).isoformat()
