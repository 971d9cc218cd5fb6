"""One request for a pod certificate: signed for the genuine sidecar of a live pod, denied to everybody else."""

import datetime as dt
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from lawflow.daemon.metrics import CertificateMetrics
from lawflow.identity.pod_certificate import Deny, Issue, SignerSettings, Wait, decide, denied_status, issued_status
from lawflow.inject.gateway import is_genuine_gateway, is_of_known_release
from lawflow.inject.genuine import has_genuine_sidecar, names_known_release
from lawflow.inject.isolation import isolation_breaches
from lawflow.inject.settings import InjectionSettings
from lawflow.model.kinds import POD, POD_CERTIFICATE_REQUEST
from lawflow.model.workload import Object
from lawflow.signer.issuer import published_issuer
from lawflow.signer.patience import NotYetError
from lawflow.store.protocol import ConflictError, NotFoundError, Store


@dataclass(frozen=True)
class Signer:
    """Answers requests as its settings say; any number of them may be asked about the same ones."""

    store: Store
    namespace: str
    """Lawflow's own namespace, where the issuer is published."""
    settings: SignerSettings
    injection: InjectionSettings
    clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    metrics: CertificateMetrics = field(default_factory=CertificateMetrics)

    def __post_init__(self) -> None:
        for outcome in ("issued", "denied"):
            # A count that is missing could be nought, or a signer that is.
            self.metrics.certificates.labels("podCertificate", outcome)

    async def answer(self, request: Object) -> None:
        """Answer an open request, as it was seen: once, for an answer is final.

        Raises NotYetError where it has to wait, StoreError where the API server cannot be asked, and ValidityError for
        an issuer that has expired.
        """
        metadata = request["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        # Read after the request was seen: the copy of a watch could be older than the request.
        pod = await self.store.get(POD, namespace, request["spec"]["podName"])
        flaws = _flaws
        if pod is not None and (namespace, pod["spec"].get("serviceAccountName")) == self.settings.gateway:
            flaws = _flaws_of_gateway
            if not is_of_known_release(pod, self.injection):
                # A denial is final, and the next signer of an upgrade will know it.
                raise NotYetError(
                    f"the gateway {pod['metadata']['name']} is of a release that this signer does not know"
                )
        elif pod is not None and not names_known_release(pod, self.injection):
            raise NotYetError(
                f"the sidecar of {pod['metadata']['name']} is of a release that this signer does not know"
            )
        match decide(request, pod, self.settings, lambda live: flaws(live, self.injection)):
            case Wait(verdict):
                raise NotYetError(verdict.message)
            case Deny() as deny:
                outcome, status = "denied", denied_status(request, deny, now=self.clock())
            case Issue() as issue:
                issuer = await published_issuer(self.store, self.namespace)
                self.metrics.certificate_expiry.labels("issuer").set(issuer.certificate.not_valid_after_utc.timestamp())
                outcome = "issued"
                status = issued_status(request, issue, issuer, now=self.clock(), random=secrets.token_bytes)
        try:
            await self.store.patch_status(
                POD_CERTIFICATE_REQUEST, namespace, name, status, version=metadata["resourceVersion"]
            )
        except (ConflictError, NotFoundError):
            # Another signer was first, or the pod is gone and its request with it; what else changed, the watch tells.
            return
        self.metrics.certificates.labels("podCertificate", outcome).inc()


def _flaws_of_gateway(pod: Object, injection: InjectionSettings) -> Iterator[str]:
    if not is_genuine_gateway(pod, injection):
        yield "the pod is not the egress gateway as the chart makes it: run the chart and the signer of one release"


def _flaws(pod: Object, injection: InjectionSettings) -> Iterator[str]:
    if not has_genuine_sidecar(pod, injection):
        yield "the sidecar is not the one that Lawflow injects: delete the pod so that it is injected anew"
    account = pod["spec"].get("serviceAccountName") or "default"
    for breach in isolation_breaches(pod["spec"], injection, account):
        yield f"{breach.path}: {breach.message}; {breach.fix}"
