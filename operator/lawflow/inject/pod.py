"""A pod in, the pod with its sidecar out. Each concept has a file of its own; this one puts them in order."""

from collections.abc import Mapping
from typing import Any, cast

from lawflow.inject.escapes import escapes
from lawflow.inject.genuine import has_genuine_sidecar
from lawflow.inject.host_aliases import merged_aliases
from lawflow.inject.network import network_container, probe_ports
from lawflow.inject.refusal import guard, refusals
from lawflow.inject.result import Injected, InjectionResult, Refused, Unchanged
from lawflow.inject.secret_discovery import ANNOTATIONS
from lawflow.inject.settings import IdentityData, InjectionSettings
from lawflow.inject.sidecar import sidecar_container
from lawflow.inject.sysctls import with_unprivileged_ports
from lawflow.inject.volumes import sidecar_volumes
from lawflow.model import labels
from lawflow.model.sidecar import Interception
from lawflow.model.workload import Object, PodTemplate


def inject_pod(pod: Object, settings: InjectionSettings, identity_data: IdentityData) -> InjectionResult:
    """Put the sidecar into a pod.

    Idempotent: a pod with a genuine sidecar of this release or of one of the two before stays as it is. Containers of
    the app are never touched. What comes out passes Pod Security ``restricted`` if the pod did.
    """
    annotations = _annotations(pod)
    if labels.MIRROR in annotations:
        return Unchanged("mirror-pod")
    if reasons := guard(pod, settings):
        return Refused(reasons)
    if has_genuine_sidecar(pod, settings):
        return Unchanged("genuine-sidecar")
    mode = interception(pod, settings, identity_data)
    if reasons := refusals(pod, mode, identity_data.destinations):
        return Refused(reasons)
    warnings = tuple(escapes(pod["spec"], settings)) if mode == "redirect" else ()
    return Injected(_injected(pod, settings, identity_data, mode), warnings)


def interception(pod: Object, settings: InjectionSettings, identity_data: IdentityData) -> Interception:
    """The mode of a pod: its annotation, else its namespace's label, else the installation's setting."""
    chosen = _annotations(pod).get(labels.INTERCEPTION) or identity_data.interception or settings.interception
    return cast("Interception", chosen)


def _injected(
    pod: Object, settings: InjectionSettings, identity_data: IdentityData, mode: Interception
) -> dict[str, Any]:
    annotations = {
        **_annotations(pod),
        **ANNOTATIONS,
        labels.INJECTED: settings.release.version,
        labels.INTERCEPTION: mode,
    }
    spec = dict(pod["spec"])
    own = [sidecar_container(settings, settings.release)]
    annotations.pop(labels.PROBE_PORTS, None)
    if mode == "redirect":
        own.insert(0, network_container(settings, settings.release))
        if ports := probe_ports(spec):
            annotations[labels.PROBE_PORTS] = ports
    metadata = {**(pod.get("metadata") or {}), "annotations": annotations}
    # First, so that the init containers of the app already speak through it.
    spec["initContainers"] = [*own, *(spec.get("initContainers") or ())]
    account = PodTemplate("", metadata, spec).service_account
    spec["volumes"] = [*(spec.get("volumes") or ()), *sidecar_volumes(settings, account)]
    if mode == "explicit" and identity_data.destinations:
        spec["hostAliases"] = merged_aliases(spec, identity_data.destinations)
        with_unprivileged_ports(spec, identity_data.destinations)
    return {**pod, "metadata": metadata, "spec": spec}


def _annotations(pod: Object) -> Mapping[str, str]:
    return (pod.get("metadata") or {}).get("annotations") or {}
