"""What makes a sidecar genuine: for the gate inside the API server, the certificate signer, and injection itself."""

from typing import Any, get_args

from lawflow.inject import network
from lawflow.inject.containers import all_containers
from lawflow.inject.network import network_container
from lawflow.inject.secret_discovery import ANNOTATIONS
from lawflow.inject.settings import InjectionSettings
from lawflow.inject.sidecar import COMMAND, arguments, sidecar_container
from lawflow.inject.volumes import NAMES, sidecar_volumes
from lawflow.model import labels
from lawflow.model.flow_index import GenuineSidecar
from lawflow.model.sidecar import CONTAINER, ENVIRONMENT, NETWORK_CONTAINER, RedirectBy
from lawflow.model.workload import Object, PodTemplate

# What admission and autoscalers may set or change in a container without changing what it runs.
_FREE_FIELDS = frozenset({"resources", "resizePolicy", "imagePullPolicy"})
_SERVICE_ACCOUNT_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path


def genuine_sidecar(settings: InjectionSettings) -> GenuineSidecar:
    """What the gate compares: the current release and the two before it."""
    return GenuineSidecar(
        name=CONTAINER,
        images=tuple(dict.fromkeys(release.image for release in settings.releases)),
        uid=settings.user_id,
        command=COMMAND,
        arguments=tuple(dict.fromkeys(tuple(arguments(release)) for release in settings.releases)),
        environment=tuple(ENVIRONMENT),
        volumes=NAMES,
        annotations=dict(ANNOTATIONS),
        network_arguments=tuple(tuple(network.arguments(settings.user_id, form)) for form in get_args(RedirectBy)),
    )


def has_genuine_sidecar(pod: Object, settings: InjectionSettings) -> bool:
    """Whether a pod, as written or as the API server stored it, holds the sidecar of a release that counts.

    Fields that the API server or other admission plugins add do not matter, unless they change what the sidecar runs.
    """
    spec = pod.get("spec") or {}
    found = [each for each in spec.get("initContainers") or () if each.get("name") == CONTAINER]
    if len(found) != 1:
        return False
    template = PodTemplate("", pod.get("metadata") or {}, spec)
    annotations = template.metadata.get("annotations") or {}
    volumes = spec.get("volumes") or ()
    container = comparable(found[0])
    return (
        _has_genuine_network(spec, annotations.get(labels.INTERCEPTION, ""), settings)
        and all(annotations.get(name) == text for name, text in ANNOTATIONS.items())
        and all(volume in volumes for volume in sidecar_volumes(settings, template.service_account))
        and any(container == comparable(sidecar_container(settings, release)) for release in settings.releases)
    )


def names_known_release(pod: Object, settings: InjectionSettings) -> bool:
    """Whether a pod names no release that is neither the current one nor one before: while Lawflow is upgraded, the
    newer webhook may inject its sidecar before everybody else has heard of it."""
    named = (pod["metadata"].get("annotations") or {}).get(labels.INJECTED)
    return named is None or named in {release.version for release in settings.releases}


def _has_genuine_network(spec: Object, mode: str, settings: InjectionSettings) -> bool:
    """Whether the container that sees to the rules is there where it must be, in either form, and only there."""
    named = [
        path
        for path, each in all_containers(spec)
        # Whoever may debug a pod must not be able to take its certificate from it.
        if each.get("name") == NETWORK_CONTAINER and not path.startswith(".spec.ephemeralContainers")
    ]
    if mode != "redirect":
        return not named
    if named != [".spec.initContainers[0]"]:
        return False
    found = comparable(spec["initContainers"][0])
    forms: tuple[RedirectBy, ...] = get_args(RedirectBy)
    return any(
        found == comparable(network_container(settings, each, form)) for each in settings.releases for form in forms
    )


def comparable(container: Object) -> dict[str, Any]:
    """What a container runs, without what the API server and other admission plugins may add."""
    kept = {key: value for key, value in container.items() if key not in _FREE_FIELDS}
    # The ServiceAccount admission plugin mounts the token into every container.
    kept["volumeMounts"] = [
        each for each in container.get("volumeMounts") or () if each.get("mountPath") != _SERVICE_ACCOUNT_TOKEN
    ]
    # How often and how long to probe is a setting; what is probed is not.
    kept |= {probe: (container.get(probe) or {}).get("httpGet") for probe in ("startupProbe", "readinessProbe")}
    # Defaulted by some releases of the API server and dropped by others.
    context = container.get("securityContext") or {}
    kept["securityContext"] = {key: value for key, value in context.items() if (key, value) != ("procMount", "Default")}
    return kept
