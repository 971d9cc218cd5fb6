"""Injection into anything with a pod template, for the command line."""

import copy
from typing import Any

from lawflow.inject.pod import inject_pod
from lawflow.inject.result import Injected, InjectionResult, Refused, Unchanged, nested
from lawflow.inject.settings import IdentityData, InjectionSettings
from lawflow.model.workload import Object, pod_template


def inject_workload(workload: Object, settings: InjectionSettings, identity_data: IdentityData) -> InjectionResult:
    """Put the sidecar into the pod template of a workload of any kind; ``Injected.pod`` is the whole workload."""
    template = pod_template(workload)
    if template is None:
        return Unchanged("no-pod-template")
    pod = {"metadata": template.metadata, "spec": template.spec}
    match inject_pod(pod, settings, identity_data):
        case Injected(injected, warnings):
            at_root = tuple(template.path + warning for warning in warnings)
            return Injected(_with_template(workload, template.path, injected), at_root)
        case Refused(reasons):
            return Refused(nested(reasons, template.path))
        case unchanged:
            return unchanged


def _with_template(workload: Object, path: str, injected: dict[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(dict(workload))
    holder = result
    for key in path.split(".")[1:]:
        holder = holder[key]
    holder["metadata"] = injected["metadata"]
    holder["spec"] = injected["spec"]
    return result
