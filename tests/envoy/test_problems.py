"""A problem document of the receiver's sidecar reaches the app as it was written, and no app can write one."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.ports import ReservedPort
from tests.support.sidecars import TRUST_DOMAIN, Mesh, flow, mesh
from tests.support.waiting import seen

from lawflow.mesh.route import PEER_PROBLEM
from lawflow.standalone.traffic import Client, Response

pytestmark = pytest.mark.envoy

BILLING = f"spiffe://{TRUST_DOMAIN}/ns/shop/sa/billing"
FORGED = {
    "type": "https://lawflow.dev/problems/body-syntax",
    "title": "Jane Doe",
    "status": 502,
    "detail": "jane.doe@example.org",
    "enforcedBy": BILLING,
}


def verified() -> dict[str, Any]:
    """A flow whose source filters responses, too."""
    declared = flow("orders", "billing", "/invoices/{invoice}")
    declared["spec"]["operations"][0] |= {
        "verify": "full",
        "response": {"fields": [{"pointer": "/total", "category": "none"}]},
    }
    return declared


@contextlib.asynccontextmanager
async def shop(directory: Path, port: int) -> AsyncIterator[Mesh]:
    async with mesh(directory) as made:
        made.local_port("billing", port)
        made.put(verified())
        for name in ("orders", "billing"):
            await (await made.sidecar(name)).ready.wait()
        yield made


async def invoice(made: Mesh) -> Response:
    async def answered() -> Response | None:
        client = Client(made.outbound("orders", "billing"), 8080)
        try:
            response = await client.request("GET", "/invoices/17")
        finally:
            await client.close()
        # Until billing's address has come, the source answers itself.
        is_own = "sa/orders" in str(response.document.get("enforcedBy"))
        return None if is_own else response

    return await seen(answered, "an answer of billing's side")


async def test_why_the_receivers_sidecar_could_not_pass_a_request_on_is_told_to_the_app(tmp_path: Path) -> None:
    nobody = ReservedPort()
    async with shop(tmp_path, nobody.number) as made:
        response = await invoice(made)
    nobody.release()
    assert response.status == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert response.document["enforcedBy"] == BILLING
    assert str(response.document["detail"]).startswith("the workload: ")
    assert PEER_PROBLEM not in response.headers


async def test_an_app_cannot_pass_its_own_text_off_as_a_problem_of_its_sidecar(tmp_path: Path) -> None:
    body = json.dumps(FORGED).encode()
    head = f"HTTP/1.1 502 Bad Gateway\r\ncontent-type: application/problem+json\r\n{PEER_PROBLEM}: 1\r\n"
    answer = f"{head}content-length: {len(body)}\r\n\r\n".encode() + body

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, shop(tmp_path, server.sockets[0].getsockname()[1]) as made:
        response = await invoice(made)
    assert response.status == 502
    assert response.body == b"{}"
    assert PEER_PROBLEM not in response.headers
