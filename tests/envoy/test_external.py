"""Hosts outside: reached by declared operations alone, over TLS by their name, with declared fields on both ways."""

import datetime as dt
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from tests.support.outside import HOST, Outside, outside
from tests.support.sidecars import EGRESS, TRUST_DOMAIN, Mesh, flow, mesh
from tests.support.waiting import seen

from lawflow.identity.jwt_svid import JwtSvidError, verify_jwt_svid
from lawflow.identity.proof import Replays, verify_proof
from lawflow.identity.token_key import TokenKeys
from lawflow.mesh.route import PEER_PROBLEM
from lawflow.model.loopback import loopback_addresses
from lawflow.model.sidecar import PEER_PORT
from lawflow.standalone.traffic import Client, Response, mutual_tls

pytestmark = pytest.mark.envoy

GATEWAY = f"spiffe://{TRUST_DOMAIN}/ns/{EGRESS.namespace}/sa/{EGRESS.service_account}"

ANSWER = b'{"charge": {"id": "c1", "card": "4111111111111111"}}'
BODY = b'{"customer": {"id": "7", "name": "Jane Doe"}, "amount": 5}'
JSON = {"content-type": "application/json", "cookie": "a=b", "lawflow-purpose": "dpv:PaymentManagement"}


def charge(port: int, tls: str = "originate") -> dict[str, Any]:
    declared = flow("orders", "psp", "/unused")
    declared["spec"]["destination"] = {
        "external": {"host": HOST, "port": port, "organisation": "PSP B.V.", "country": "NL", "tls": tls},
        "role": "processor",
    }
    declared["spec"]["purposes"] = [{"purpose": "dpv:PaymentManagement"}]
    declared["spec"]["operations"] = [
        {
            "name": "charge",
            "methods": ["POST"],
            "path": "/v1/charges",
            "request": {"fields": [{"pointer": "/customer/id", "category": "pd:UID"}]},
            "response": {"fields": [{"pointer": "/charge/id", "category": "none"}]},
        }
    ]
    return declared


@pytest.fixture
async def peer(tmp_path: Path) -> AsyncIterator[Outside]:
    async with outside(tmp_path, ANSWER) as running:
        yield running


@pytest.fixture
async def running(tmp_path: Path, peer: Outside) -> AsyncIterator[Mesh]:
    """A sidecar of orders and the egress gateway."""
    (tmp_path / "mesh").mkdir()
    async with mesh(tmp_path / "mesh", str(peer.roots)) as made:
        made.put(charge(peer.port))
        for each in (await made.sidecar("orders"), await made.sidecar(EGRESS.service_account, EGRESS.namespace)):
            await each.ready.wait()
        yield made


async def call(
    running: Mesh,
    peer: Outside,
    method: str = "POST",
    path: str = "/v1/charges",
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    address = loopback_addresses([HOST], f"{running.directory}orders")[HOST]

    async def answered() -> Response | None:
        client = Client(address, peer.port, server_name=f"{HOST}:{peer.port}")
        try:
            response = await client.request(method, path, {**JSON, **headers}, BODY)
        except OSError:
            return None
        finally:
            await client.close()
        # Until the gateway's addresses have come.
        return None if response.status == 503 else response

    return await seen(answered, "an answer through the gateway")


async def test_a_declared_call_leaves_through_the_gateway_with_declared_fields_alone(
    running: Mesh, peer: Outside
) -> None:
    response = await call(running, peer)
    assert (response.status, response.body) == (200, b'{"charge":{"id":"c1"}}')
    ((first, headers, body),) = peer.requests
    assert first == "POST /v1/charges HTTP/1.1"
    assert body == b'{"customer":{"id":"7"}}'
    assert set(headers) == {"host", "content-type", "content-length"}
    assert headers["host"] == f"{HOST}:{peer.port}"


async def test_what_is_not_declared_stays_inside(running: Mesh, peer: Outside) -> None:
    response = await call(running, peer, path="/v1/customers")
    assert response.status == 403
    assert str(response.document["type"]).endswith("/undeclared-operation")
    assert peer.requests == []


async def test_the_gateway_checks_who_calls_and_what_for(running: Mesh, peer: Outside) -> None:
    await call(running, peer)
    server_name = f"p{peer.port}.{HOST}.external"

    async def past(service_account: str, path: str) -> int:
        tls = mutual_tls(running.bundle.to_pem(), running.credential("shop", service_account))
        client = Client(running.address(EGRESS.service_account), PEER_PORT, tls=tls, server_name=server_name)
        try:
            return (await client.request("POST", path, JSON, BODY)).status
        finally:
            await client.close()

    assert await past("orders", "/v1/customers") == 403
    with pytest.raises((ssl.SSLError, OSError, EOFError)):
        await past("marketing", "/v1/charges")
    assert len(peer.requests) == 1


async def test_a_host_is_shown_who_calls_and_what_for_by_what_nobody_else_can_use(running: Mesh, peer: Outside) -> None:
    """As such a host verifies it: token and proof of each request, with the published keys and nothing else."""
    audience = f"https://{HOST}:{peer.port}"
    url = f"{audience}/v1/charges"
    declared = charge(peer.port)
    declared["spec"]["destination"]["external"]["token"] = {}
    running.put(declared)

    async def shown() -> bool | None:
        await call(running, peer)
        return "dpop" in peer.requests[-1][1] or None

    await seen(shown, "a token that comes with a request")
    await call(running, peer, headers={"authorization": "Bearer of-the-app", "dpop": "the app's"})
    replays, now = Replays(), dt.datetime.now(dt.UTC)
    (_, first, _), (_, second, _) = peer.requests[-2:]
    for headers in (first, second):
        token = headers["authorization"].removeprefix("DPoP ")
        said = verify_jwt_svid(
            token, running.token_keys.jwks(), trust_domain=TRUST_DOMAIN, audience=audience, now=now
        )  # fmt: skip
        assert str(said.spiffe_id) == f"spiffe://{TRUST_DOMAIN}/ns/shop/sa/orders"
        assert said.purpose == "dpv:PaymentManagement"
        verify_proof(headers["dpop"], token, said, method="POST", url=url, now=now, replays=replays)
    with pytest.raises(JwtSvidError, match="seen before"):
        verify_proof(headers["dpop"], token, said, method="POST", url=url, now=now, replays=replays)
    with pytest.raises(JwtSvidError, match="Audience"):
        verify_jwt_svid(
            token, running.token_keys.jwks(), trust_domain=TRUST_DOMAIN, audience="https://other.example", now=now
        )


async def test_without_a_key_to_sign_tokens_with_nothing_leaves(running: Mesh, peer: Outside) -> None:
    running.token_keys = TokenKeys()
    declared = charge(peer.port)
    declared["spec"]["destination"]["external"]["token"] = {}
    running.put(declared)

    async def refused() -> Response | None:
        response = await call(running, peer)
        return response if response.status == 403 else None

    assert (await seen(refused, "a refusal by the gateway")).document["enforcedBy"] == GATEWAY


async def test_a_host_that_cannot_prove_its_name_gets_nothing(tmp_path: Path) -> None:
    async with outside(tmp_path, ANSWER, certified="other.example") as peer:
        (tmp_path / "mesh").mkdir()
        async with mesh(tmp_path / "mesh", str(peer.roots)) as made:
            made.put(charge(peer.port))
            orders, gateway = await made.sidecar("orders"), await made.sidecar(EGRESS.service_account, EGRESS.namespace)
            await orders.ready.wait()
            await gateway.ready.wait()

            async def refused() -> bool | None:
                client = Client(loopback_addresses([HOST], f"{made.directory}orders")[HOST], peer.port)
                response = await client.request("POST", "/v1/charges", JSON, BODY)
                await client.close()
                assert response.status == 503
                if "egress gateway" in str(response.document["detail"]):
                    return None  # the gateway's addresses have not come yet
                assert response.document["enforcedBy"] == GATEWAY
                assert str(response.document["detail"]).startswith(f"{HOST}:{peer.port}: ")
                _, stats = await gateway.process.admin("/stats?filter=fail_verify_san&usedonly")
                return bool(stats.strip()) or None

            assert await seen(refused, "a certificate that names another host is refused")
            assert peer.requests == []


FORGED = {
    "type": "https://lawflow.dev/problems/undeclared-operation",
    "title": "Jane Doe",
    "status": 403,
    "detail": "jane.doe@example.org",
    "enforcedBy": GATEWAY,
}


@pytest.mark.parametrize("more", [{}, {"customer": "Jane Doe"}])
async def test_a_host_outside_cannot_pass_its_own_text_off_as_a_problem_of_the_gateway(
    tmp_path: Path, more: dict[str, str]
) -> None:
    headers = ("content-type: application/problem+json", f"{PEER_PROBLEM}: 1", f"{PEER_PROBLEM.title()}: 1")
    forged = json.dumps(FORGED | more).encode()
    async with outside(tmp_path, forged, status="403 Forbidden", told=headers) as peer:
        (tmp_path / "mesh").mkdir()
        async with mesh(tmp_path / "mesh", str(peer.roots)) as made:
            made.put(charge(peer.port))
            for each in (await made.sidecar("orders"), await made.sidecar(EGRESS.service_account, EGRESS.namespace)):
                await each.ready.wait()
            response = await call(made, peer)
            assert response.status == 403
            assert response.body == b"{}"
            assert PEER_PROBLEM not in response.headers
            assert len(peer.requests) == 1


async def test_the_apps_own_tls_goes_through_to_the_declared_name_alone(tmp_path: Path, peer: Outside) -> None:
    (tmp_path / "mesh").mkdir()
    async with mesh(tmp_path / "mesh", str(peer.roots)) as made:
        made.put(charge(peer.port, tls="passthrough"))
        for each in (await made.sidecar("orders"), await made.sidecar(EGRESS.service_account, EGRESS.namespace)):
            await each.ready.wait()
        address = loopback_addresses([HOST], f"{made.directory}orders")[HOST]
        context = ssl.create_default_context(cafile=str(peer.roots))

        async def passed() -> Response | None:
            client = Client(address, peer.port, tls=context, server_name=HOST)
            try:
                return await client.request("POST", "/anything", {}, b"{}")
            except (OSError, EOFError):
                return None
            finally:
                await client.close()

        assert (await seen(passed, "a call through the gateway")).body == ANSWER
        stranger = ssl.create_default_context(cafile=str(peer.roots))
        stranger.check_hostname = False
        client = Client(address, peer.port, tls=stranger, server_name="other.example")
        with pytest.raises((ssl.SSLError, OSError, EOFError)):
            await client.request("GET", "/", {})
