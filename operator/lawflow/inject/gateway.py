"""The egress gateway: the sidecar in a pod of its own, through which everything leaves that is bound for outside.

The chart runs it, made from :func:`gateway_pod`; the signer holds its pods to the same text.
"""

from typing import Any

from lawflow.inject.genuine import comparable
from lawflow.inject.secret_discovery import ANNOTATIONS
from lawflow.inject.settings import InjectionSettings, SidecarRelease
from lawflow.inject.sidecar import sidecar_container
from lawflow.inject.volumes import sidecar_volumes
from lawflow.model import labels
from lawflow.model.sidecar import EGRESS_SERVICE_ACCOUNT
from lawflow.model.workload import Object, PodTemplate

DRAINING_SECONDS = 15
"""How long a gateway that is to end still answers: until sidecars have heard that it is going."""

_SHARED = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "initContainers", "ephemeralContainers")


def gateway_pod(settings: InjectionSettings, release: SidecarRelease) -> dict[str, Any]:
    """Annotations and spec of the gateway's pods: one container, with nothing beside it that could read its key."""
    return {
        "metadata": {"annotations": {**ANNOTATIONS, labels.INJECTED: release.version}},
        "spec": {
            "serviceAccountName": EGRESS_SERVICE_ACCOUNT,
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 2 * DRAINING_SECONDS,
            "containers": [_container(settings, release)],
            "volumes": sidecar_volumes(settings, EGRESS_SERVICE_ACCOUNT),
        },
    }


def is_genuine_gateway(pod: Object, settings: InjectionSettings) -> bool:
    """Whether a pod, as the API server stored it, is the gateway of a release that counts and nothing else."""
    spec = pod.get("spec") or {}
    annotations = PodTemplate("", pod.get("metadata") or {}, spec).metadata.get("annotations") or {}
    containers = list(spec.get("containers") or ())
    return (
        len(containers) == 1
        and not any(spec.get(part) for part in _SHARED)
        and all(annotations.get(name) == text for name, text in ANNOTATIONS.items())
        and all(volume in (spec.get("volumes") or ()) for volume in sidecar_volumes(settings, EGRESS_SERVICE_ACCOUNT))
        and any(comparable(containers[0]) == comparable(_container(settings, release)) for release in settings.releases)
    )


def is_of_known_release(pod: Object, settings: InjectionSettings) -> bool:
    """Whether a gateway's image is one that counts: while Lawflow is upgraded, the new one may be there first."""
    images = {release.image for release in settings.releases}
    return all(container.get("image") in images for container in (pod.get("spec") or {}).get("containers") or ())


def _container(settings: InjectionSettings, release: SidecarRelease) -> dict[str, Any]:
    container = sidecar_container(settings, release)
    del container["restartPolicy"]
    return container | {"lifecycle": {"preStop": {"sleep": {"seconds": DRAINING_SECONDS}}}}
