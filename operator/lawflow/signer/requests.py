"""PodCertificateRequest: signed for the genuine sidecar of a live pod, denied to everybody else."""

import datetime as dt
import secrets
from collections.abc import Iterator

from lawflow.controller.settings import Environment
from lawflow.identity.pod_certificate import Issue, SignerSettings, Wait, decide, denied_status, issued_status
from lawflow.inject.gateway import is_genuine_gateway, is_of_known_release
from lawflow.inject.genuine import has_genuine_sidecar
from lawflow.inject.isolation import isolation_breaches
from lawflow.inject.settings import InjectionSettings
from lawflow.model.kinds import POD, POD_CERTIFICATE_REQUEST
from lawflow.model.workload import Object
from lawflow.store.protocol import NotFoundError

PATIENCE = dt.timedelta(seconds=5)
"""Pause before a request is judged again that neither can be granted yet nor has to be denied."""


async def reconcile(environment: Environment, namespace: str, name: str) -> dt.datetime | None:
    """Answer one request: once, for an answer is final."""
    settings, world = environment.settings, environment.world
    request = world.get(POD_CERTIFICATE_REQUEST, namespace, name)
    if request is None or request["spec"]["signerName"] != settings.signer_name:
        return None
    if (request.get("status") or {}).get("conditions"):
        return None
    if not environment.authority or settings.injection is None:
        return environment.now + PATIENCE
    # Read after the request was seen: the copy of a watch could be older than the request.
    pod = await environment.store.get(POD, namespace, request["spec"]["podName"])
    signer = SignerSettings(settings.trust_domain, settings.signer_name, settings.egress)
    injection = settings.injection
    flaws = _flaws
    if pod is not None and _is_gateway(pod, settings.egress):
        flaws = _flaws_of_gateway
        if not is_of_known_release(pod, injection):
            # A denial is final, and the next controller of an upgrade will know it.
            return environment.now + PATIENCE
    decision = decide(request, pod, signer, lambda live: flaws(live, injection))
    match decision:
        case None:
            return None
        case Wait():
            return environment.now + PATIENCE
        case Issue():
            outcome = "issued"
            issuer = environment.authority[0].issuer
            status = issued_status(request, decision, issuer, now=environment.now, random=secrets.token_bytes)
        case _:
            outcome = "denied"
            status = denied_status(request, decision, now=environment.now)
    try:
        written = await environment.store.patch_status(POD_CERTIFICATE_REQUEST, namespace, name, status)
    except NotFoundError:
        return None
    world.observe(POD_CERTIFICATE_REQUEST, written)
    environment.metrics.certificates.labels("podCertificate", outcome).inc()
    return None


def _is_gateway(pod: Object, egress: tuple[str, str] | None) -> bool:
    return (pod["metadata"]["namespace"], pod["spec"].get("serviceAccountName")) == egress


def _flaws_of_gateway(pod: Object, injection: InjectionSettings) -> Iterator[str]:
    if not is_genuine_gateway(pod, injection):
        yield "the pod is not the egress gateway as the chart makes it: run the chart and the controller of one release"


def _flaws(pod: Object, injection: InjectionSettings) -> Iterator[str]:
    if not has_genuine_sidecar(pod, injection):
        yield "the sidecar is not the one that Lawflow injects: delete the pod so that it is injected anew"
    account = pod["spec"].get("serviceAccountName") or "default"
    for breach in isolation_breaches(pod["spec"], injection, account):
        yield f"{breach.path}: {breach.message}; {breach.fix}"
