"""What would let a container reach into the sidecar: its user, its processes, its volumes, its certificate."""

from collections.abc import Iterable, Iterator
from typing import Any

from lawflow.inject.containers import app_containers
from lawflow.inject.result import Refusal
from lawflow.inject.settings import InjectionSettings
from lawflow.inject.volumes import NAMES
from lawflow.model.sidecar import CERTIFICATE_VOLUME, CONTAINER, certificate_secret_name
from lawflow.model.workload import Object


def isolation_breaches(spec: Object, settings: InjectionSettings, service_account: str) -> Iterator[Refusal]:
    """Every way in which the pod breaks the sidecar's isolation, whether it has one already or not."""
    yield from _shared_processes(spec)
    yield from _shared_user(spec, settings)
    yield from _shared_volumes(spec)
    yield from _foreign_certificates(spec, settings, service_account)
    yield from _debug_targets(spec)


def _shared_processes(spec: Object) -> Iterator[Refusal]:
    for field in ("shareProcessNamespace", "hostPID"):
        if spec.get(field):
            yield Refusal(
                "shared-process-namespace",
                f".spec.{field}",
                "containers that see the sidecar's process can read its key from /proc",
                f"remove {field}",
            )


def _shared_user(spec: Object, settings: InjectionSettings) -> Iterator[Refusal]:
    inherited = (spec.get("securityContext") or {}).get("runAsUser")
    for path, container in app_containers(spec):
        own = (container.get("securityContext") or {}).get("runAsUser")
        if (inherited if own is None else own) == settings.user_id:
            yield Refusal(
                "sidecar-user",
                f"{path}.securityContext.runAsUser" if own is not None else ".spec.securityContext.runAsUser",
                f"user id {settings.user_id} belongs to the sidecar",
                "use another user id",
            )


def _shared_volumes(spec: Object) -> Iterator[Refusal]:
    for path, container in app_containers(spec):
        for position, mount in enumerate(container.get("volumeMounts") or ()):
            if mount.get("name") in NAMES:
                yield Refusal(
                    "sidecar-volume",
                    f"{path}.volumeMounts[{position}]",
                    f"volume {mount['name']} belongs to the sidecar",
                    "remove the mount",
                )


def _foreign_certificates(spec: Object, settings: InjectionSettings, service_account: str) -> Iterator[Refusal]:
    secret = certificate_secret_name(service_account)
    for position, volume in enumerate(spec.get("volumes") or ()):
        if volume.get("name") == CERTIFICATE_VOLUME:
            continue
        path = f".spec.volumes[{position}]"
        if (volume.get("secret") or {}).get("secretName") == secret:
            yield _certificate(f"{path}.secret.secretName", f"Secret {secret}")
        for number, source in enumerate((volume.get("projected") or {}).get("sources") or ()):
            where = f"{path}.projected.sources[{number}]"
            if (source.get("secret") or {}).get("name") == secret:
                yield _certificate(f"{where}.secret.name", f"Secret {secret}")
            if (source.get("podCertificate") or {}).get("signerName") == settings.signer_name:
                yield _certificate(f"{where}.podCertificate", f"the signer {settings.signer_name}")
    for path, container in app_containers(spec):
        for where, reference in _secret_references(container):
            if reference.get("name") == secret:
                yield _certificate(f"{path}{where}", f"Secret {secret}")


def _secret_references(container: Object) -> Iterable[tuple[str, Any]]:
    for position, variable in enumerate(container.get("env") or ()):
        if reference := (variable.get("valueFrom") or {}).get("secretKeyRef"):
            yield f".env[{position}].valueFrom.secretKeyRef", reference
    for position, source in enumerate(container.get("envFrom") or ()):
        if reference := source.get("secretRef"):
            yield f".envFrom[{position}].secretRef", reference


def _certificate(path: str, what: str) -> Refusal:
    return Refusal(
        "sidecar-certificate",
        path,
        f"{what} is for the sidecar alone: with the key an app could speak to peers past it",
        "remove it and let the sidecar make the calls",
    )


def _debug_targets(spec: Object) -> Iterator[Refusal]:
    for position, container in enumerate(spec.get("ephemeralContainers") or ()):
        if container.get("targetContainerName") == CONTAINER:
            yield Refusal(
                "sidecar-debugged",
                f".spec.ephemeralContainers[{position}].targetContainerName",
                "an ephemeral container in the sidecar's process namespace can read its key",
                "target a container of the app",
            )
