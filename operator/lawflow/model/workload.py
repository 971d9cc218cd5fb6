"""Workloads as plain objects: where a pod template stands in each kind, and what it says to Lawflow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lawflow.model import labels

Object = Mapping[str, Any]
"""A Kubernetes object as decoded JSON."""


@dataclass(frozen=True)
class PodTemplate:
    """The part of a workload that becomes a pod, and the path at which it stands in its object."""

    path: str
    metadata: Object
    spec: Object

    @property
    def service_account(self) -> str:
        """The service account that the pods run as; ``default`` where none is named."""
        return self.spec.get("serviceAccountName") or self.spec.get("serviceAccount") or "default"

    @property
    def declared_flows(self) -> tuple[str, ...]:
        """Flows that the template names in its annotation, beside those of its service account."""
        return labels.names((self.metadata.get("annotations") or {}).get(labels.FLOWS))


def visible_user(container: Object, spec: Object) -> int | None:
    """The user that a container of a pod is said to run as; ``None`` where its image decides."""
    own = (container.get("securityContext") or {}).get("runAsUser")
    found: int | None = (spec.get("securityContext") or {}).get("runAsUser") if own is None else own
    return found


def pod_template(workload: Object) -> PodTemplate | None:
    """The pod template of a workload of any kind that has one at the usual place; ``None`` for anything else."""
    spec = workload.get("spec")
    if not isinstance(spec, Mapping):
        return None
    if workload.get("kind") == "Pod":
        return PodTemplate("", workload.get("metadata") or {}, spec)
    path = ".spec.template"
    if workload.get("kind") == "CronJob":
        path = ".spec.jobTemplate.spec.template"
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    template = spec.get("template")
    if not isinstance(template, Mapping) or not isinstance(template.get("spec"), Mapping):
        return None
    return PodTemplate(path, template.get("metadata") or {}, template["spec"])
