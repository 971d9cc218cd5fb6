"""Serving certificates of Lawflow's own servers, over a folder."""

import base64
import datetime as dt
from pathlib import Path

import pytest
from tests.support.controlling import Clock, running, until

from lawflow.controller import authority, serving
from lawflow.controller.credential_secret import stored_credential
from lawflow.controller.settings import Environment, Settings
from lawflow.controller.world import World
from lawflow.identity.authority import SERVING_LIFETIME
from lawflow.identity.bundle import TrustBundle
from lawflow.identity.pem import Chain
from lawflow.identity.x509_svid import alternative_names, spiffe_id_of, verify_chain
from lawflow.model.kinds import SECRET
from lawflow.model.trust_bundle import XDS_SERVICE_ACCOUNT
from lawflow.store.folder import FolderStore

pytestmark = pytest.mark.unit

START = dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock(START)


@pytest.fixture
async def environment(tmp_path: Path, clock: Clock) -> Environment:
    settings = Settings(namespace="lawflow-system", trust_domain="example.test", delivery="secret")
    made = Environment(FolderStore(tmp_path), World(), settings, clock)
    await authority.reconcile(made, "", "")
    return made


async def chain(environment: Environment, server: str) -> Chain:
    found = stored_credential(await environment.store.get(SECRET, "lawflow-system", serving.secret_name(server)))
    assert found is not None
    return found.chain


async def test_nothing_is_issued_before_there_is_an_authority(tmp_path: Path, clock: Clock) -> None:
    made = Environment(FolderStore(tmp_path), World(), Settings(), clock)
    assert await serving.reconcile(made, "", "") is None
    assert await made.store.list(SECRET) == []


async def test_certificates_are_there_as_soon_as_there_is_an_authority(tmp_path: Path, clock: Clock) -> None:
    store = FolderStore(tmp_path)

    async def certified() -> bool:
        return all([await store.get(SECRET, "lawflow", serving.secret_name(server)) for server in serving.SERVERS])

    async with running(store, Settings(namespace="lawflow"), clock):
        await until(certified, "certificates of all servers, on a clock that stands still")


async def test_the_admission_server_is_certified_for_the_name_by_which_the_api_server_calls_it(
    environment: Environment,
) -> None:
    await serving.reconcile(environment, "", "")
    names = alternative_names((await chain(environment, serving.WEBHOOK))[0])
    assert "lawflow-webhook.lawflow-system.svc" in names
    assert not any(name.startswith("spiffe:") for name in names)


async def test_the_configuration_server_carries_the_id_that_sidecars_ask_for(environment: Environment) -> None:
    await serving.reconcile(environment, "", "")
    leaf = (await chain(environment, XDS_SERVICE_ACCOUNT))[0]
    assert str(spiffe_id_of(leaf)) == "spiffe://example.test/ns/lawflow-system/sa/lawflow-xds"
    assert "lawflow-xds.lawflow-system.svc" in alternative_names(leaf)


@pytest.mark.parametrize("server", serving.SERVERS)
async def test_the_roots_beside_a_certificate_vouch_for_it(environment: Environment, server: str) -> None:
    await serving.reconcile(environment, "", "")
    secret = await environment.store.get(SECRET, "lawflow-system", serving.secret_name(server))
    assert secret is not None
    assert secret["type"] == "kubernetes.io/tls"
    roots = TrustBundle.from_pem("example.test", base64.b64decode(secret["data"]["ca.crt"]).decode())
    verify_chain(await chain(environment, server), roots, START)


async def test_a_certificate_is_kept_for_the_first_part_of_its_life_and_replaced_at_half(
    environment: Environment, clock: Clock
) -> None:
    await serving.reconcile(environment, "", "")
    first = [await chain(environment, server) for server in serving.SERVERS]
    clock.advance(SERVING_LIFETIME * 0.4)
    await serving.reconcile(environment, "", "")
    assert [await chain(environment, server) for server in serving.SERVERS] == first
    clock.advance(SERVING_LIFETIME * 0.2)
    await serving.reconcile(environment, "", "")
    for server, before in zip(serving.SERVERS, first, strict=True):
        after = await chain(environment, server)
        assert after != before
        assert after[0].not_valid_after_utc > before[0].not_valid_after_utc


async def test_a_certificate_that_somebody_has_spoilt_is_replaced(environment: Environment) -> None:
    await serving.reconcile(environment, "", "")
    name = serving.secret_name(serving.WEBHOOK)
    await environment.store.patch(SECRET, "lawflow-system", name, {"data": {"tls.key": "bm8ga2V5"}})
    await serving.reconcile(environment, "", "")
    assert await chain(environment, serving.WEBHOOK)


async def test_it_is_looked_at_again_within_a_minute(environment: Environment) -> None:
    assert await serving.reconcile(environment, "", "") == START + dt.timedelta(minutes=1)
