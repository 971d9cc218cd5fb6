"""Tokens for hosts outside: made for minutes, renewed in time, and never for a sidecar that could not show them."""

import asyncio
import datetime as dt
import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from envoy.config.core.v3 import extension_pb2
from envoy.extensions.filters.http.dynamic_modules.v3 import dynamic_modules_pb2
from google.protobuf import json_format, struct_pb2
from tests.support.sidecars import EGRESS, flow

from lawflow.identity.pem import new_private_key
from lawflow.identity.token_key import TokenKey, TokenKeys
from lawflow.mesh.policy import SCHEMA
from lawflow.mesh.resources import EXTENSION
from lawflow.mesh.sidecar import Identity, MeshSettings
from lawflow.model.kinds import DATA_FLOW
from lawflow.store.protocol import WatchEvent
from lawflow.xds.credentials import RENEWAL_SECONDS, Credentials, keys_in
from lawflow.xds.snapshots import Snapshots
from lawflow.xds.source import Key
from lawflow.xds.world import World

pytestmark = pytest.mark.unit

BEGIN = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
KEYS = TokenKeys((TokenKey(new_private_key(), BEGIN),))
ORDERS = "spiffe://example.org/ns/shop/sa/orders"
PEER = "https://psp.example"
PURPOSES = ("dpv:PaymentManagement", "dpv:LegalCompliance")


class Clock:
    def __init__(self) -> None:
        self.now = BEGIN

    def __call__(self) -> dt.datetime:
        return self.now


def claims(token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


def test_each_purpose_has_a_token_of_its_own_and_all_name_the_key_beside_them() -> None:
    made = Credentials(lambda: KEYS, Clock())(ORDERS, PEER, PURPOSES)
    assert set(made["tokens"]) == set(PURPOSES)
    for purpose, token in made["tokens"].items():
        said = claims(token)
        assert (said["sub"], said["aud"], said["purpose"]) == (ORDERS, PEER, purpose)
        assert said["exp"] == made["expires"]
    assert len({claims(token)["cnf"]["jkt"] for token in made["tokens"].values()}) == 1


def test_a_token_is_made_anew_with_another_key_while_it_has_three_minutes_left() -> None:
    clock = Clock()
    credentials = Credentials(lambda: KEYS, clock)
    first = credentials(ORDERS, PEER, PURPOSES)
    clock.now += dt.timedelta(seconds=RENEWAL_SECONDS - 1)
    assert credentials(ORDERS, PEER, PURPOSES) is first
    assert first["expires"] - clock.now.timestamp() > 180
    clock.now += dt.timedelta(seconds=1)
    assert credentials(ORDERS, PEER, PURPOSES)["key"] != first["key"]


def test_two_sources_never_share_a_key() -> None:
    credentials = Credentials(lambda: KEYS, Clock())
    assert credentials(ORDERS, PEER, PURPOSES)["key"] != credentials(ORDERS + "2", PEER, PURPOSES)["key"]


def test_there_is_no_token_without_a_purpose_or_a_key_to_sign_it() -> None:
    with pytest.raises(ValueError, match="would name no purpose"):
        Credentials(lambda: KEYS, Clock())(ORDERS, PEER, ())
    with pytest.raises(ValueError, match="no key may sign"):
        Credentials(TokenKeys, Clock())(ORDERS, PEER, PURPOSES)


@pytest.mark.parametrize("content", [None, "", "[1]", '[{"key": "secret", "signsFrom": "now"}]'])
def test_a_file_that_holds_no_keys_is_told_of_without_its_content(
    content: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "keys.json"
    if content is not None:
        file.write_text(content)
    assert keys_in(file)() == TokenKeys()
    assert "the keys of tokens cannot be read" in caplog.text
    assert "secret" not in caplog.text


def test_the_keys_are_read_as_the_controller_writes_them(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(KEYS.to_json()))
    assert keys_in(file)().jwks() == KEYS.jwks()


def psp() -> dict[str, Any]:
    declared = flow("orders", "psp", "/charges")
    declared["spec"]["destination"] = {
        "external": {"host": "psp.example", "organisation": "PSP B.V.", "country": "NL", "token": {}},
        "role": "processor",
    }
    declared["spec"]["purposes"] = [{"purpose": PURPOSES[0]}]
    return declared


def snapshots(clock: Clock) -> Snapshots:
    world = World(EGRESS)
    for declared in (psp(), flow("orders", "billing", "/x")):
        world.take(DATA_FLOW, WatchEvent("ADDED", declared))
    credential = Credentials(lambda: KEYS, clock)
    settings = MeshSettings("example.org", egress=EGRESS)
    return Snapshots(world, settings, clock=lambda: clock().timestamp(), credential=credential)


def policy_of(found: Snapshots, identity: Identity, schema: int = SCHEMA) -> dict[str, Any]:
    (resource,) = found.snapshot(Key(identity, schema=schema)).resources[EXTENSION].values()
    config, module = extension_pb2.TypedExtensionConfig(), dynamic_modules_pb2.DynamicModuleFilter()
    resource.resource.Unpack(config)
    config.typed_config.Unpack(module)
    policy = struct_pb2.Struct()
    module.filter_config.Unpack(policy)
    read: dict[str, Any] = json_format.MessageToDict(policy)
    return read


def test_the_gateway_alone_is_given_the_token() -> None:
    found = snapshots(Clock())
    (flow_there,) = policy_of(found, EGRESS)["flows"]
    assert set(flow_there["credential"]["tokens"]) == {PURPOSES[0]}
    assert "credential" not in str(found.snapshot(Key(Identity("shop", "orders"))).resources)


def test_a_sidecar_that_cannot_show_tokens_lets_nothing_through_that_needs_one() -> None:
    policy = policy_of(snapshots(Clock()), EGRESS, schema=1)
    (flow_there,) = policy["flows"]
    assert policy["schema"] == 1
    assert flow_there["closed"] == "the sidecar it leaves by is too old to show tokens: roll its workload out again"


async def test_tokens_are_renewed_in_time_and_nothing_else_is_written_anew() -> None:
    clock = Clock()
    found = snapshots(clock)
    gateway, billing = policy_of(found, EGRESS), found.snapshot(Key(Identity("shop", "billing")))
    change = found.change()
    clock.now += dt.timedelta(seconds=RENEWAL_SECONDS - 0.01)
    renewal = asyncio.create_task(found.renew())
    try:
        await asyncio.sleep(0)
        clock.now = BEGIN + dt.timedelta(seconds=RENEWAL_SECONDS)
        await change.wait()
        assert policy_of(found, EGRESS)["flows"] != gateway["flows"]
        assert found.snapshot(Key(Identity("shop", "billing"))) is billing
    finally:
        renewal.cancel()
