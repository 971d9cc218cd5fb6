"""Certificates of Lawflow's own servers, and the roots by which the API server knows the admission server."""

import base64
import datetime as dt
import secrets

from lawflow.controller.credential_secret import credential_secret, holds_roots, stored_credential
from lawflow.controller.events import announce
from lawflow.controller.settings import Environment
from lawflow.identity.authority import SERVING_LIFETIME, issue_serving_certificate, issue_x509_svid
from lawflow.identity.bundle import TrustBundle
from lawflow.identity.credential import Credential
from lawflow.identity.expiry import expiry_notice
from lawflow.identity.lifecycle import AuthorityState
from lawflow.identity.pem import new_private_key
from lawflow.identity.rotation import Holding, renewal_reason, renewal_time
from lawflow.identity.spiffe import SpiffeId
from lawflow.model.kinds import MUTATING_WEBHOOK_CONFIGURATION, SECRET, VALIDATING_WEBHOOK_CONFIGURATION, Kind
from lawflow.model.loopback import CLUSTER_DOMAIN
from lawflow.model.trust_bundle import STANDBY_SERVICE_ACCOUNT, XDS_SERVICE_ACCOUNT
from lawflow.store.protocol import Object

KIND = "ServingCertificate"
KEY = KIND, "", ""
WEBHOOK = "lawflow-webhook"
KNOWN_BY_SPIFFE_ID = frozenset({XDS_SERVICE_ACCOUNT, STANDBY_SERVICE_ACCOUNT})
"""Servers that sidecars call; the API server knows the other by its name."""
SERVERS = WEBHOOK, *sorted(KNOWN_BY_SPIFFE_ID)
CONFIGURATION_NAME = "lawflow"
FIELD_MANAGER = "lawflow-serving"
"""Owns ``caBundle`` alone, so that whoever installs Lawflow can own the rest, failurePolicy before all."""
INTERVAL = dt.timedelta(minutes=1)
"""How often the webhook configurations are looked at, which nobody watches."""


async def reconcile(environment: Environment, _namespace: str, _name: str) -> dt.datetime | None:
    """Keep the certificates fresh and the roots known to the API server; returns when to look again.

    Before there is an authority there is nothing to do: it wakes this.
    """
    if not environment.authority:
        return None
    state = environment.authority[0]
    renewals = [await _certificate(environment, server, state) for server in SERVERS]
    for kind in (MUTATING_WEBHOOK_CONFIGURATION, VALIDATING_WEBHOOK_CONFIGURATION):
        await _trust(environment, kind, state.bundle)
    return min(environment.now + INTERVAL, *renewals)


def secret_name(server: str) -> str:
    """The Secret that a server's pods mount, in Lawflow's namespace."""
    return f"{server}-serving"


async def _certificate(environment: Environment, server: str, state: AuthorityState) -> dt.datetime:
    namespace, name = environment.settings.namespace, secret_name(server)
    stored = await environment.store.get(SECRET, namespace, name)
    held = stored_credential(stored)
    if held is None or stored is None or _stale(environment, server, stored, held, state):
        held = _issue(environment, server, state)
        stored = await environment.store.apply(SECRET, credential_secret(namespace, name, held, state.bundle))
        environment.metrics.certificates.labels("serving", "issued").inc()
    leaf = held.chain[0]
    notice = expiry_notice(server, leaf, environment.now)
    environment.metrics.certificate_expiry.labels(server).set(notice.expires_at)
    if notice.event:
        reference: Object = {"apiVersion": "v1", "kind": "Secret", "metadata": stored["metadata"]}
        once = f"{notice.reason}/{leaf.serial_number}"
        await announce(environment, reference, notice.event, notice.reason, notice.message, once=once)
    return renewal_time(leaf)


def _issue(environment: Environment, server: str, state: AuthorityState) -> Credential:
    key, now, names = new_private_key(), environment.now, dns_names(server, environment.settings.namespace)
    if server in KNOWN_BY_SPIFFE_ID:
        chain = issue_x509_svid(
            state.issuer, _spiffe_id(environment, server), key.public_key(), now=now, random=secrets.token_bytes,
            lifetime=SERVING_LIFETIME, dns_names=names,
        )  # fmt: skip
    else:
        chain = issue_serving_certificate(
            state.issuer, names, key.public_key(), now=now, random=secrets.token_bytes
        )  # fmt: skip
    return Credential(key, chain)


def dns_names(server: str, namespace: str) -> tuple[str, ...]:
    """The names by which a Service is called; the API server uses the first."""
    return (
        f"{server}.{namespace}.svc",
        f"{server}.{namespace}",
        f"{server}.{namespace}.svc.{CLUSTER_DOMAIN}",
    )


def _spiffe_id(environment: Environment, server: str) -> SpiffeId:
    return SpiffeId(environment.settings.trust_domain, environment.settings.namespace, server)


def _stale(environment: Environment, server: str, stored: Object, held: Credential, state: AuthorityState) -> bool:
    names = {*dns_names(server, environment.settings.namespace)}
    if server in KNOWN_BY_SPIFFE_ID:
        names.add(str(_spiffe_id(environment, server)))
    holding = Holding(held.chain, held.key.public_key(), frozenset(names), state.bundle, environment.now)
    return renewal_reason(holding) is not None or not holds_roots(stored, state.bundle)


async def _trust(environment: Environment, kind: Kind, bundle: TrustBundle) -> None:
    """Name the roots to the API server, for webhooks that it calls by our Service."""
    configuration = await environment.store.get(kind, "", CONFIGURATION_NAME)
    roots = base64.b64encode(bundle.to_pem().encode()).decode()
    ours = [
        webhook
        for webhook in (configuration or {}).get("webhooks") or ()
        if (webhook["clientConfig"].get("service") or {}).get("namespace") == environment.settings.namespace
    ]
    if all(webhook["clientConfig"].get("caBundle") == roots for webhook in ours):
        return
    wanted: Object = {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": {"name": CONFIGURATION_NAME},
        "webhooks": [{"name": webhook["name"], "clientConfig": {"caBundle": roots}} for webhook in ours],
    }
    await environment.store.apply(kind, wanted, FIELD_MANAGER)
