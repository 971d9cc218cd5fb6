"""Refuses pods whose containers could reach into the sidecar: by its user, its processes, its volumes, its certificate.

What the sidecar holds is an identity. An app that shares its user id or process namespace can read the key from
memory; one that mounts the volume, or asks the signer itself, has it at once and speaks past every declared flow.
"""

from lawflow.gate import cel
from lawflow.gate.policy import Policy, Validation, none_of, opted_in, rule
from lawflow.gate.settings import GateSettings
from lawflow.model import sidecar as contract

SECRET_PREFIX = contract.certificate_secret_name("")
"""How the names of all Secrets with certificates begin; the API server keeps them from pods that mount them."""

_VOLUMES = cel.text([contract.CERTIFICATE_VOLUME, contract.ADMIN_VOLUME])

_APPS = (
    "(object.spec.containers + object.spec.?initContainers.orValue([])"
    f".filter(container, container.name != {cel.text(contract.CONTAINER)}))"
)
_INHERITED = "object.spec.?securityContext.?runAsUser.orValue(-1)"
_FOREIGN_VOLUMES, _OWN_VOLUMES = (
    f"object.spec.?volumes.orValue([]).filter(volume, volume.name {relation} {cel.text(contract.CERTIFICATE_VOLUME)})"
    for relation in ("!=", "==")
)
_SERVICE_ACCOUNT = cel.service_account("object")


def policy(settings: GateSettings) -> Policy:
    """The policy over new pods; :mod:`lawflow.gate.sidecar_access` covers what comes later."""
    signer, prefix = cel.text(settings.signer_name), cel.text(SECRET_PREFIX)
    uid = settings.sidecar_uid
    return Policy(
        "lawflow-sidecar-isolation",
        rules=[rule("", ["pods"], "CREATE")],
        namespaces=[opted_in(), none_of(settings.untouched)],
        screened=True,
        validations=[
            Validation(
                "!object.spec.?shareProcessNamespace.orValue(false) && !object.spec.?hostPID.orValue(false)",
                cel.text(
                    "containers that see the sidecar's process can read its key; "
                    "remove shareProcessNamespace and hostPID from the pod"
                ),
            ),
            Validation(
                f"{_APPS}.all(container, container.?securityContext.?runAsUser.orValue({_INHERITED}) != {uid})",
                cel.text(f"user id {uid} belongs to the sidecar; set another runAsUser"),
            ),
            Validation(
                f"{_APPS}.all(container, container.?volumeMounts.orValue([]).all(mount, !(mount.name in {_VOLUMES})))",
                cel.text("the sidecar's volumes are its own; remove their mounts from the other containers"),
            ),
            Validation(
                f"{_FOREIGN_VOLUMES}.all(volume, volume.?projected.?sources.orValue([])"
                f'.all(source, source.?podCertificate.?signerName.orValue("") != {signer}))',
                cel.text(
                    f"certificates of the signer {settings.signer_name} are for the sidecar; "
                    "remove the volume and let the sidecar make the calls"
                ),
            ),
            Validation(
                f"{_FOREIGN_VOLUMES}.all(volume, "
                f'!volume.?secret.?secretName.orValue("").startsWith({prefix})'
                " && volume.?projected.?sources.orValue([])"
                f'.all(source, !source.?secret.?name.orValue("").startsWith({prefix})))'
                f" && {_OWN_VOLUMES}.all(volume, volume.?projected.?sources.orValue([]).all(source, "
                f'source.?secret.?name.orValue("") in ["", {prefix} + ({_SERVICE_ACCOUNT})]))'
                f" && {_APPS}.all(container, "
                f'container.?envFrom.orValue([]).all(source, !source.?secretRef.?name.orValue("").startsWith({prefix}))'
                " && container.?env.orValue([]).all(variable, "
                f'!variable.?valueFrom.?secretKeyRef.?name.orValue("").startsWith({prefix})))',
                cel.text(
                    f"Secrets whose names begin with {SECRET_PREFIX} hold certificates, each for the sidecars of one "
                    "service account; remove the reference"
                ),
            ),
        ],
    )
