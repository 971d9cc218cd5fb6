"""Credentials on a real API server: the authority, what it publishes, and Secrets that are renewed."""

import base64
import dataclasses
import datetime as dt
import json

import pytest
from cryptography import x509
from prometheus_client import generate_latest
from tests.support import merchant
from tests.support.cluster import Cluster
from tests.support.controlling import Clock, events_about, flow_is, lawful_flow, running, until, until_idle
from tests.support.waiting import eventually

from lawflow.controller.authority import REPLACE_ROOT, SECRET_NAME
from lawflow.controller.conditions import condition
from lawflow.controller.engine import Controller
from lawflow.controller.settings import Settings
from lawflow.identity.bundle import TrustBundle
from lawflow.identity.credential import Credential
from lawflow.identity.pem import fingerprint
from lawflow.identity.token_key import TokenKeys
from lawflow.identity.x509_svid import verify_x509_svid
from lawflow.inject.gateway import gateway_pod
from lawflow.inject.settings import InjectionSettings, SidecarRelease
from lawflow.model.kinds import CONFIG_MAP, DATA_FLOW, POD, SECRET
from lawflow.model.trust_bundle import CONFIG_MAP_NAME, ISSUER_NAME, JWKS_KEY, TOKEN_KEYS_KEY, TOKEN_KEYS_NAME
from lawflow.store.protocol import Store

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("crds")]

FLOW = "orders-to-psp"
INJECTION = InjectionSettings(SidecarRelease("0.1.0", "lawflow/sidecar:0.1.0", "{}"))


async def files(store: Store, namespace: str, name: str) -> dict[str, str]:
    secret = await store.get(SECRET, namespace, name)
    data: dict[str, str] = (secret or {}).get("data", {})
    return {key: base64.b64decode(text).decode() for key, text in data.items()}


async def leaf(store: Store, namespace: str) -> x509.Certificate | None:
    found = await files(store, namespace, "lawflow-orders")
    return Credential.from_files(found).chain[0] if found else None


async def bundle(store: Store, namespace: str) -> TrustBundle:
    found = await until(lambda: store.get(CONFIG_MAP, namespace, CONFIG_MAP_NAME), "a trust bundle")
    return TrustBundle.from_pem("cluster.local", found["data"]["ca.crt"])


@pytest.mark.usefixtures("controller")
async def test_a_secret_holds_the_certificate_of_its_service_account_and_the_roots(
    store: Store, namespace: str, clock: Clock
) -> None:
    await store.create(DATA_FLOW, merchant.flow(namespace))
    await until(lambda: leaf(store, namespace), "a certificate")
    held = await files(store, namespace, "lawflow-orders")
    roots = TrustBundle.from_pem("cluster.local", held["ca.crt"])
    assert roots == await bundle(store, namespace)
    identity = verify_x509_svid(Credential.from_files(held).chain, roots, clock())
    assert str(identity) == f"spiffe://cluster.local/ns/{namespace}/sa/orders"


@pytest.mark.usefixtures("controller")
async def test_the_keys_of_tokens_are_published_and_what_signs_them_is_kept_apart(
    store: Store, namespace: str, clock: Clock
) -> None:
    async def signing() -> TokenKeys | None:
        held = await files(store, namespace, TOKEN_KEYS_NAME)
        return TokenKeys.from_json(json.loads(held[TOKEN_KEYS_KEY])) if held else None

    async def published(keys: TokenKeys) -> None:
        async def are_published() -> bool:
            found = await store.get(CONFIG_MAP, namespace, CONFIG_MAP_NAME)
            return found is not None and json.loads(found["data"][JWKS_KEY]) == keys.jwks()

        await until(are_published, "the keys to verify with")

    first = await until(signing, "keys to sign with")
    await published(first)
    assert all("d" not in key for key in first.jwks()["keys"])
    clock.advance(dt.timedelta(hours=23, minutes=1))

    async def announced() -> TokenKeys | None:
        found = await signing()
        return found if found and len(found.keys) == 2 else None

    second = await until(announced, "the next key, an hour before it signs")
    assert second.signing_key(clock()).key_id == first.keys[0].key_id
    await published(second)


async def test_the_issuer_alone_is_published_for_the_signer_and_follows_a_switch(
    store: Store, settings: Settings, clock: Clock, namespace: str
) -> None:
    async with running(store, dataclasses.replace(settings, delivery="podCertificate"), clock) as controller:

        async def published() -> dict[str, str]:
            return await files(store, namespace, ISSUER_NAME)

        first = await until(published, "an issuer")
        assert first == controller.environment.authority[0].issuer.to_pem()
        clock.advance(dt.timedelta(days=61))

        async def another() -> dict[str, str] | None:
            found = await published()
            return found if found != first else None

        assert await until(another, "the next issuer") == controller.environment.authority[0].issuer.to_pem()


async def test_nothing_is_published_for_a_signer_where_certificates_come_by_secret(
    store: Store, controller: Controller, namespace: str
) -> None:
    await bundle(store, namespace)
    await until_idle(controller.queue)
    assert await store.get(SECRET, namespace, ISSUER_NAME) is None


@pytest.mark.usefixtures("controller")
async def test_a_certificate_is_renewed_at_half_of_its_life(store: Store, namespace: str, clock: Clock) -> None:
    await store.create(DATA_FLOW, merchant.flow(namespace))
    first = await until(lambda: leaf(store, namespace), "a certificate")
    clock.advance(dt.timedelta(minutes=20))
    clock.advance(dt.timedelta(minutes=14))

    async def another() -> x509.Certificate | None:
        found = await leaf(store, namespace)
        return found if found and found.serial_number != first.serial_number else None

    second = await until(another, "a renewed certificate")
    assert second.not_valid_after_utc > first.not_valid_after_utc


@pytest.mark.usefixtures("controller")
async def test_a_certificate_that_no_flow_needs_any_more_is_removed(store: Store, namespace: str) -> None:
    await store.create(DATA_FLOW, merchant.flow(namespace))
    await until(lambda: leaf(store, namespace), "a certificate")
    await store.delete(DATA_FLOW, namespace, FLOW)

    async def gone() -> bool:
        return await store.get(SECRET, namespace, "lawflow-orders") is None

    await until(gone, "no Secret")


@pytest.mark.usefixtures("controller")
async def test_a_secret_of_somebody_else_is_left_alone_and_named(store: Store, namespace: str, acme: str) -> None:
    metadata = {"namespace": namespace, "name": "lawflow-orders"}
    await store.create(SECRET, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"a": "Yg=="}})
    await lawful_flow(store, namespace, acme)
    status = await flow_is(store, namespace, FLOW, "CredentialsReady", "False", "NameTaken")
    assert "lawflow-orders" in condition(status, "CredentialsReady")["message"]
    assert condition(status, "Ready")["status"] == "False"
    assert await files(store, namespace, "lawflow-orders") == {"a": "b"}


def let_all_workloads_read_secrets(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("create", "role", "readers", "--verb=get,list", "--resource=secrets", "-n", namespace)
    group = f"--group=system:serviceaccounts:{namespace}"
    cluster.kubectl("create", "rolebinding", "readers", "--role=readers", group, "-n", namespace)
    # The API server hears of it a moment later, and a controller asks it once.
    eventually(lambda: workloads_may_read_secrets(cluster, namespace), "the right given")


def workloads_may_read_secrets(cluster: Cluster, namespace: str) -> bool:
    reading = ("auth", "can-i", "get", "secrets", f"--as=system:serviceaccount:{namespace}:orders", "-n", namespace)
    groups = ("--as-group=system:serviceaccounts", f"--as-group=system:serviceaccounts:{namespace}")
    return cluster.kubectl(*reading, *groups, check=False).returncode == 0


@pytest.mark.usefixtures("controller")
async def test_no_certificate_is_delivered_where_workloads_may_read_secrets(
    control_plane: Cluster, store: Store, namespace: str, acme: str, clock: Clock
) -> None:
    let_all_workloads_read_secrets(control_plane, namespace)
    await lawful_flow(store, namespace, acme)
    status = await flow_is(store, namespace, FLOW, "CredentialsReady", "False", "SecretsReadable")
    message = condition(status, "CredentialsReady")["message"]
    assert "service account orders of this namespace may read the Secret lawflow-orders" in message
    assert condition(status, "Ready")["status"] == "False"
    assert await store.get(SECRET, namespace, "lawflow-orders") is None
    control_plane.kubectl("delete", "rolebinding", "readers", "-n", namespace)

    async def gone() -> bool:
        return not workloads_may_read_secrets(control_plane, namespace)

    await until(gone, "the right taken away")

    # A look that began before that names its next one by a clock that else stands still.
    async def delivered() -> object:
        clock.advance(dt.timedelta(minutes=1))
        return await leaf(store, namespace)

    await until(delivered, "a certificate")
    await flow_is(store, namespace, FLOW, "CredentialsReady", "True")


async def test_the_egress_gateway_gets_its_certificate_beside_processes_that_read_secrets(
    control_plane: Cluster, store: Store, settings: Settings, namespace: str, clock: Clock
) -> None:
    let_all_workloads_read_secrets(control_plane, namespace)
    control_plane.kubectl("create", "serviceaccount", "lawflow-egress", "-n", namespace)
    delivered = dataclasses.replace(INJECTION, delivery="secret")
    pod = gateway_pod(delivered, delivered.release)
    pod["metadata"] |= {"namespace": namespace, "name": "gateway"}
    async with running(store, dataclasses.replace(settings, egress=(namespace, "lawflow-egress")), clock):
        # Before there is an authority a certificate is asked for again later, and this clock stands still.
        roots = await bundle(store, namespace)
        await store.create(POD, {"apiVersion": "v1", "kind": "Pod", **pod})

        async def held() -> dict[str, str]:
            return await files(store, namespace, "lawflow-lawflow-egress")

        chain = Credential.from_files(await until(held, "a certificate of the gateway")).chain
        identity = verify_x509_svid(chain, roots, clock())
        assert str(identity) == f"spiffe://cluster.local/ns/{namespace}/sa/lawflow-egress"


@pytest.mark.usefixtures("controller")
async def test_a_certificate_in_use_is_renewed_though_workloads_may_read_it_now_and_that_is_told(
    control_plane: Cluster, store: Store, namespace: str, acme: str, clock: Clock
) -> None:
    await lawful_flow(store, namespace, acme)
    first = await until(lambda: leaf(store, namespace), "a certificate")
    let_all_workloads_read_secrets(control_plane, namespace)
    clock.advance(dt.timedelta(minutes=40))
    await flow_is(store, namespace, FLOW, "CredentialsReady", "False", "SecretsReadable")
    second = await leaf(store, namespace)
    assert second
    assert second.serial_number != first.serial_number


async def test_the_authority_outlives_the_controller(
    store: Store, settings: Settings, clock: Clock, namespace: str
) -> None:
    async with running(store, settings, clock):
        first = await bundle(store, namespace)
        stored = await until(lambda: store.get(SECRET, namespace, SECRET_NAME), "the authority")
    async with running(store, settings, clock) as controller:

        async def loaded() -> bool:
            return bool(controller.environment.authority)

        await until(loaded, "the authority is loaded")
        assert controller.environment.authority[0].bundle == first
    again = await store.get(SECRET, namespace, SECRET_NAME)
    assert again
    assert again["metadata"]["resourceVersion"] == stored["metadata"]["resourceVersion"]


@pytest.mark.usefixtures("controller")
async def test_a_root_is_replaced_in_three_steps_and_certificates_stay_trusted(
    store: Store, namespace: str, clock: Clock, controller: Controller
) -> None:
    await store.create(DATA_FLOW, merchant.flow(namespace))
    await until(lambda: leaf(store, namespace), "a certificate")
    (old,) = (await bundle(store, namespace)).roots
    patch = {"metadata": {"annotations": {REPLACE_ROOT: fingerprint(old)}}}
    await store.patch(SECRET, namespace, SECRET_NAME, patch)

    async def trusted_with(count: int) -> TrustBundle | None:
        held = await files(store, namespace, "lawflow-orders")
        roots = TrustBundle.from_pem("cluster.local", held["ca.crt"])
        if len(roots.roots) != count:
            return None
        verify_x509_svid(Credential.from_files(held).chain, roots, clock())
        return roots

    clock.advance(dt.timedelta(minutes=2))
    both = await until(lambda: trusted_with(2), "both roots are trusted")
    assert old in both.roots
    clock.advance(dt.timedelta(minutes=61))

    async def switched() -> bool:
        return controller.environment.authority[0].rotation.issuing != old

    await until(switched, "the new root issues")
    assert len(await events_about(store, namespace, SECRET_NAME, "IssuerSwitched")) == 1
    clock.advance(dt.timedelta(days=8))
    alone = await until(lambda: trusted_with(1), "the new root is trusted alone")
    assert old not in alone.roots


@pytest.mark.usefixtures("controller")
async def test_an_issuer_that_cannot_be_renewed_is_told_of_before_it_expires(
    store: Store, namespace: str, acme: str, clock: Clock, controller: Controller
) -> None:
    await lawful_flow(store, namespace, acme)
    await flow_is(store, namespace, FLOW, "CredentialsReady", "True", "Delivered")
    state = json.loads((await files(store, namespace, SECRET_NAME))["state.json"])
    without_root_key = base64.b64encode(json.dumps(state | {"roots": {}}).encode()).decode()
    await store.patch(SECRET, namespace, SECRET_NAME, {"data": {"state.json": without_root_key}})
    clock.advance(dt.timedelta(days=75))
    status = await flow_is(store, namespace, FLOW, "CredentialsReady", "False", "RenewalOverdue")
    assert condition(status, "Ready")["status"] == "False"
    for reason in ("RootOffline", "RenewalOverdue"):
        told = await events_about(store, namespace, SECRET_NAME, reason)
        assert {event["type"] for event in told} == {"Warning"}
    metrics = generate_latest(controller.environment.metrics.registry).decode()
    assert 'lawflow_certificate_expiry_timestamp_seconds{subject="issuer"}' in metrics
