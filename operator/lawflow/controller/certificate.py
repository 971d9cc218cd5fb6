"""A service account's certificate in a Secret, where the cluster serves no pod certificates."""

import datetime as dt
import secrets

from lawflow.controller.conditions import Observation
from lawflow.controller.credential_secret import credential_secret, holds_roots, stored_credential
from lawflow.controller.events import announce
from lawflow.controller.network_policy import MANAGED_BY
from lawflow.controller.secret_readers import secret_readers
from lawflow.controller.settings import Environment
from lawflow.daemon.queue import Key
from lawflow.identity.credential import Credential, issue_credential
from lawflow.identity.expiry import expiry_notice
from lawflow.identity.lifecycle import AuthorityState
from lawflow.identity.pem import new_private_key
from lawflow.identity.rotation import Holding, renewal_reason, renewal_time
from lawflow.identity.spiffe import SpiffeId
from lawflow.model import labels
from lawflow.model.dataflow import DataFlow
from lawflow.model.kinds import NAMESPACE, SECRET
from lawflow.model.sidecar import certificate_secret_name
from lawflow.store.protocol import Object

KIND = "ServiceAccountCertificate"
EXPOSED = "SecretsReadable"
READABLE = "whoever may read Secrets in this namespace can act as this service account: keep that right narrow"


def keys(flow: DataFlow) -> list[Key]:
    """The certificates that a flow needs: its source's, and its destination's where that is a Service."""
    namespace = flow.metadata.namespace
    found = [(KIND, namespace, flow.spec.source.service_account_name)]
    if service := flow.spec.destination.service:
        found.append((KIND, service.namespace or namespace, service.service_account_name or service.name))
    return found


async def reconcile(environment: Environment, namespace: str, service_account: str) -> dt.datetime | None:
    """Keep the Secret of one service account fresh; returns when to renew it."""
    key = namespace, service_account
    if environment.settings.delivery != "secret":
        return None
    place = environment.world.get(NAMESPACE, "", namespace)
    if place and place["metadata"].get("deletionTimestamp"):
        environment.credentials.pop((namespace, service_account), None)
        return None
    if not environment.authority:
        return environment.now + dt.timedelta(seconds=1)
    name = certificate_secret_name(service_account)
    stored = await environment.store.get(SECRET, namespace, name)
    if not needed(environment, namespace, service_account):
        environment.credentials.pop(key, None)
        if stored and _ours(stored):
            await environment.store.delete(SECRET, namespace, name, uid=stored["metadata"]["uid"])
        return None
    if stored and not _ours(stored):
        message = f"the Secret {name} exists and is not Lawflow's: remove or rename it"
        _conclude(environment, key, Observation("CredentialsReady", "False", "NameTaken", message))
        return environment.now + dt.timedelta(minutes=1)
    state = environment.authority[0]
    identity = SpiffeId(environment.settings.trust_domain, namespace, service_account)
    held = stored_credential(stored)
    stale = held is None or stored is None or _stale(environment, stored, held, state, identity)
    exposed = await _exposed(environment, key, name, ask=stale)
    if exposed and held is None:
        _conclude(environment, key, exposed)
        return environment.now + dt.timedelta(minutes=1)
    if held is None or stored is None or stale:
        held = issue_credential(
            state.issuer, identity, key=new_private_key(), now=environment.now, random=secrets.token_bytes,
            lifetime=environment.settings.credential_lifetime,
        )  # fmt: skip
        stored = await environment.store.apply(SECRET, credential_secret(namespace, name, held, state.bundle))
        environment.metrics.certificates.labels("secret", "issued").inc()
    leaf = held.chain[0]
    notice = expiry_notice(str(identity), leaf, environment.now)
    environment.metrics.certificate_expiry.labels(f"{namespace}/{service_account}").set(notice.expires_at)
    if notice.event:
        reference: Object = {"apiVersion": "v1", "kind": "Secret", "metadata": stored["metadata"]}
        once = f"{notice.reason}/{leaf.serial_number}"
        await announce(environment, reference, notice.event, notice.reason, notice.message, once=once)
    message = f"delivered in the Secret {name} and renewed at half life; {READABLE}"
    _conclude(environment, key, exposed or Observation("CredentialsReady", notice.status, "Delivered", message))
    return renewal_time(leaf)


def needed(environment: Environment, namespace: str, service_account: str) -> bool:
    """Whether a flow or a sidecar makes use of the service account's certificate."""
    world = environment.world
    if any(flow.spec.source.service_account_name == service_account for flow in world.flows(namespace)):
        return True
    for flow in environment.flows_into(namespace):
        service = flow.spec.destination.service
        if service and (service.service_account_name or service.name) == service_account:
            return True
    return any(
        (pod["spec"].get("serviceAccountName") or "default") == service_account
        for pod in world.live_pods(namespace)
        if labels.INJECTED in pod["metadata"]["annotations"]
    )


async def _exposed(environment: Environment, key: tuple[str, str], name: str, *, ask: bool) -> Observation | None:
    """What to say where workloads may read the Secret. No first certificate is delivered then; one that is in use is
    renewed all the same, because taking it away would end what runs."""
    # The gateway's lies in Lawflow's own namespace, whose processes read that of the authority as well.
    if not environment.settings.guard_secrets or key == environment.settings.egress:
        return None
    said = environment.credentials.get(key)
    if said and not ask:
        return said if said.reason == EXPOSED else None
    namespace, account = key
    accounts = {account, *(template.service_account for _, template in environment.world.workloads(namespace))}
    readers = await secret_readers(environment.store, namespace, accounts, name)
    if not readers:
        return None
    message = (
        f"service account {', '.join(readers)} of this namespace may read the Secret {name}, and so act as {account}: "
        "take the right to get and list Secrets away, or have certificates delivered as pod certificates"
    )
    return Observation("CredentialsReady", "False", EXPOSED, message)


def _stale(
    environment: Environment, stored: Object, held: Credential, state: AuthorityState, identity: SpiffeId
) -> bool:
    names = frozenset({str(identity)})
    holding = Holding(held.chain, held.key.public_key(), names, state.bundle, environment.now)
    return renewal_reason(holding) is not None or not holds_roots(stored, state.bundle)


def _ours(stored: Object) -> bool:
    found = stored["metadata"].get("labels") or {}
    return all(found.get(label) == value for label, value in MANAGED_BY.items())


def _conclude(environment: Environment, key: tuple[str, str], observation: Observation) -> None:
    if environment.credentials.get(key) != observation:
        environment.credentials[key] = observation
        namespace, account = key
        concerned = [
            flow.key for flow in environment.world.flows(namespace) if flow.spec.source.service_account_name == account
        ]
        environment.queue.add(*concerned)
