"""Pure injection: a pod in, the pod with its sidecar out."""

from lawflow.inject.genuine import genuine_sidecar, has_genuine_sidecar
from lawflow.inject.identity_data import identity_data, needs_sidecar
from lawflow.inject.json_patch import json_patch
from lawflow.inject.pod import inject_pod, interception
from lawflow.inject.refusal import flaws, guard
from lawflow.inject.result import Injected, InjectionResult, Refusal, Refused, Unchanged
from lawflow.inject.settings import Delivery, IdentityData, InjectionSettings, SidecarRelease
from lawflow.inject.shape import shape_problems
from lawflow.inject.workload import inject_workload

__all__ = [
    "Delivery",
    "IdentityData",
    "Injected",
    "InjectionResult",
    "InjectionSettings",
    "Refusal",
    "Refused",
    "SidecarRelease",
    "Unchanged",
    "flaws",
    "genuine_sidecar",
    "guard",
    "has_genuine_sidecar",
    "identity_data",
    "inject_pod",
    "inject_workload",
    "interception",
    "json_patch",
    "needs_sidecar",
    "shape_problems",
]
