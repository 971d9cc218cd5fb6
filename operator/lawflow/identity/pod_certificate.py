"""Whether a pod gets the certificate that its kubelet asks for: PodCertificateRequest of certificates.k8s.io/v1.

Only the genuine sidecar of a live pod may hold the key, so the decision looks at the pod as it is now and not at what
the request says of it. Kubelet takes a denial for the pod's last word and never asks again; hence what can still come
right is left pending instead (kube-controller-manager removes requests that stay pending), and nothing is ever marked
Failed.
"""

import base64
import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from lawflow.identity.authority import CertificateAuthority, RandomBytes, issue_x509_svid
from lawflow.identity.pem import certificates_to_pem
from lawflow.identity.rotation import renewal_time
from lawflow.identity.signing_request import (
    SUGGESTED_KEY,
    PublicKey,
    UnsupportedKeyError,
    public_key_of_request,
)
from lawflow.identity.spiffe import SpiffeId, check_trust_domain
from lawflow.identity.validity import ValidityError, rfc3339
from lawflow.identity.verdict import Verdict
from lawflow.model.sidecar import CERTIFICATE_VOLUME, CONTAINER, SIGNER_NAME
from lawflow.model.workload import Object

LIFETIME = dt.timedelta(hours=1)
"""kube-apiserver accepts no shorter pod certificate, and Lawflow wants no longer one."""

Flaws = Callable[[Object], Iterable[str]]
"""Why a pod's sidecar is not genuine, or not shut off from the other containers; empty where all is well."""


@dataclass(frozen=True)
class SignerSettings:
    """Whom the signer answers to and what it certifies. Raises SpiffeIdError for a malformed trust domain."""

    trust_domain: str
    signer_name: str = SIGNER_NAME
    gateway: tuple[str, str] | None = None
    """Namespace and service account of the egress gateway, whose sidecar is the pod's main container."""

    def __post_init__(self) -> None:
        check_trust_domain(self.trust_domain)


@dataclass(frozen=True)
class Issue:
    """The request is granted."""

    spiffe_id: SpiffeId
    public_key: PublicKey


@dataclass(frozen=True)
class Deny:
    """The request is refused for good."""

    verdict: Verdict


@dataclass(frozen=True)
class Wait:
    """The request stays pending and is to be decided again."""

    verdict: Verdict


def is_open(request: Object, signer_name: str) -> bool:
    """Whether a PodCertificateRequest is that signer's and nobody has answered it: an answer is final."""
    return request["spec"]["signerName"] == signer_name and not (request.get("status") or {}).get("conditions")


def decide(request: Object, live_pod: Object | None, settings: SignerSettings, flaws: Flaws) -> Issue | Deny | Wait:
    """Judge a PodCertificateRequest that is open.

    ``live_pod`` is the pod of that name, read from the API server after the request was seen: a copy in a cache may be
    older than the request, and a denial could not be taken back. None means that there is no such pod.

    ``flaws`` knows what a genuine sidecar is; it is asked about every pod.
    """
    spec = request["spec"]
    if live_pod is None or not live_pod["spec"].get("nodeName"):
        return Wait(Verdict("PodNotFound", f"pod {spec['podName']} is not there or not on a node yet"))
    for check in _CHECKS:
        if verdict := check(request, live_pod, settings):
            return Deny(verdict)
    if found := list(flaws(live_pod)):
        return Deny(Verdict("SidecarNotGenuine", "; ".join(found[:5])))
    try:
        key = public_key_of_request(base64.b64decode(spec.get("stubPKCS10Request") or "", validate=True))
    except UnsupportedKeyError as error:
        # Kubernetes prescribes this reason (PodCertificateRequestSpec.stubPKCS10Request).
        return Deny(Verdict("UnsupportedKeyType", f"{error}; set keyType {SUGGESTED_KEY} in the pod's volume"))
    except ValueError as error:
        return Deny(Verdict("InvalidSigningRequest", str(error)))
    namespace, service_account = request["metadata"]["namespace"], spec["serviceAccountName"]
    return Issue(SpiffeId(settings.trust_domain, namespace, service_account), key)


def issued_status(
    request: Object, issue: Issue, issuer: CertificateAuthority, *, now: dt.datetime, random: RandomBytes
) -> dict[str, Any]:
    """The request's status with a certificate of one hour.

    Raises ValidityError where the issuer does not live that long: leave the request pending and renew the issuer.
    """
    chain = issue_x509_svid(issuer, issue.spiffe_id, issue.public_key, now=now, random=random, lifetime=LIFETIME)
    first, last = chain[0].not_valid_before_utc, chain[0].not_valid_after_utc
    if last - first < LIFETIME:
        raise ValidityError(
            f"the issuer is valid until {rfc3339(issuer.certificate.not_valid_after_utc)}, too short for a pod "
            "certificate of an hour: renew the issuer"
        )
    return {
        "conditions": [_condition("Issued", Verdict("Issued", f"for {issue.spiffe_id}"), request, now)],
        "certificateChain": certificates_to_pem(chain),
        "notBefore": rfc3339(first),
        "notAfter": rfc3339(last),
        "beginRefreshAt": rfc3339(renewal_time(chain[0])),
    }


def denied_status(request: Object, deny: Deny, *, now: dt.datetime) -> dict[str, Any]:
    """The request's status with the reason of the refusal."""
    return {"conditions": [_condition("Denied", deny.verdict, request, now)]}


def _condition(kind: str, verdict: Verdict, request: Object, now: dt.datetime) -> dict[str, Any]:
    return {
        "type": kind,
        "status": "True",
        "reason": verdict.reason,
        "message": verdict.message,
        "observedGeneration": request["metadata"].get("generation", 0),
        "lastTransitionTime": rfc3339(now),
    }


def _user_annotations(request: Object, pod: Object, settings: SignerSettings) -> Verdict | None:
    names = sorted(request["spec"].get("unverifiedUserAnnotations") or ())
    if names:
        # Kubernetes prescribes the reason, and that unknown keys be denied.
        message = f"this signer reads no userAnnotations: remove {', '.join(names)} from the pod's volume"
        return Verdict("InvalidUnverifiedUserAnnotations", message)
    return None


def _same_pod(request: Object, pod: Object, settings: SignerSettings) -> Verdict | None:
    spec, metadata = request["spec"], pod["metadata"]
    asked = (request["metadata"]["namespace"], spec["podName"], spec["podUID"])
    found = (metadata["namespace"], metadata["name"], metadata["uid"])
    if asked == found:
        return None
    return Verdict("PodMismatch", f"the request is for pod {'/'.join(asked)}, and the live pod is {'/'.join(found)}")


def _same_node(request: Object, pod: Object, settings: SignerSettings) -> Verdict | None:
    asked, found = request["spec"]["nodeName"], pod["spec"]["nodeName"]
    if asked == found:
        return None
    return Verdict("NodeMismatch", f"the request comes from node {asked}, and the pod runs on {found}")


def _same_service_account(request: Object, pod: Object, settings: SignerSettings) -> Verdict | None:
    asked, found = request["spec"]["serviceAccountName"], pod["spec"].get("serviceAccountName") or "default"
    if asked == found:
        return None
    return Verdict("ServiceAccountMismatch", f"the request names service account {asked}, and the pod runs as {found}")


def _still_running(request: Object, pod: Object, settings: SignerSettings) -> Verdict | None:
    phase = (pod.get("status") or {}).get("phase")
    if phase in ("Succeeded", "Failed"):
        return Verdict("PodFinished", f"the pod has ended in phase {phase} and needs no certificate")
    return None


def _volume_in_place(request: Object, pod: Object, settings: SignerSettings) -> Verdict | None:
    """The request does not say which volume it is for, so no other may ask this signer."""
    volumes = {volume["name"] for volume in pod["spec"].get("volumes") or () if _asks(volume, settings.signer_name)}
    if volumes == {CERTIFICATE_VOLUME}:
        return None
    found = ", ".join(sorted(volumes)) or "none"
    message = f"the certificate belongs into the volume {CERTIFICATE_VOLUME} alone; volumes that ask for it: {found}"
    return Verdict("VolumeMismatch", message)


def _asks(volume: Object, signer_name: str) -> bool:
    sources = (volume.get("projected") or {}).get("sources") or ()
    return any((source.get("podCertificate") or {}).get("signerName") == signer_name for source in sources)


def _mounted_by_the_sidecar_alone(request: Object, pod: Object, settings: SignerSettings) -> Verdict | None:
    mounted = False
    is_gateway = (request["metadata"]["namespace"], request["spec"]["serviceAccountName"]) == settings.gateway
    for kind, container in _containers(pod):
        if not any(mount.get("name") == CERTIFICATE_VOLUME for mount in container.get("volumeMounts") or ()):
            continue
        native = kind == "initContainers" and container.get("restartPolicy") == "Always"
        if container["name"] != CONTAINER or not (kind == "containers" if is_gateway else native):
            allowed = f"the gateway's container {CONTAINER}" if is_gateway else f"the native sidecar {CONTAINER}"
            message = (
                f"{kind}/{container['name']} mounts {CERTIFICATE_VOLUME}, and only {allowed} may: remove the mount"
            )
            return Verdict("VolumeExposed", message)
        mounted = True
    return None if mounted else Verdict("NoSidecar", f"no sidecar {CONTAINER} mounts {CERTIFICATE_VOLUME}")


def _containers(pod: Object) -> Iterator[tuple[str, Object]]:
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in pod["spec"].get(kind) or ():
            yield kind, container


_Check = Callable[[Object, Object, SignerSettings], Verdict | None]
_CHECKS: tuple[_Check, ...] = (
    _user_annotations,
    _same_pod,
    _same_node,
    _same_service_account,
    _still_running,
    _volume_in_place,
    _mounted_by_the_sidecar_alone,
)
