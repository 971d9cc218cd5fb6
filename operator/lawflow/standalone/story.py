"""The demonstration: what Lawflow refuses, what it lets through, and a rotation that nobody notices."""

import asyncio
import datetime as dt
import json
import shutil
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from lawflow.model.sidecar import PEER_PORT
from lawflow.standalone.engine import Standalone, StandaloneSettings, standalone
from lawflow.standalone.report import Event
from lawflow.standalone.traffic import Client, constant_load, invoice_app, mutual_tls

CERTIFICATE_LIFE = dt.timedelta(seconds=8)
"""Short enough to see several rotations; in a cluster it is an hour."""
ROTATIONS = 4
"""Certificates that are replaced while requests flow."""
LONGEST_SECONDS = 55.0
_NAMESPACE, _PORT = "shop", 8080
_SERVER_NAME = "p8080.billing.shop.svc"
_PLACEHOLDER = "18080"
_INVOICE = "/invoices/17"
_ORDER = (
    b'{"order": "17", "lines": [{"sku": "tulips", "gift": "for Anna"}], "customer": {"email": "jane.doe@example.org", '
    b'"name": "Jane Doe"}}'
)
_HOSTILE = b'{"order": "17", "\\u006frder": {"iban": "NL91ABNA0417164300"}}'
"""The second name is the first one in another spelling: a receiver may believe either."""

Tell = Callable[[str, str], None]
"""Takes a heading or "" and a text."""


@dataclass
class _Heard:
    """What the engine reported so far."""

    denied: dict[str, str] = field(default_factory=dict)
    problem: str = ""
    rotations: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, event: Event) -> None:
        if event.kind == "denied":
            self.denied[event.subject] = event.message
        elif event.kind == "rotated":
            self.rotations += 1
        elif event.kind == "problem":
            self.problem = f"{event.subject}: {event.message}"
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()


async def demonstrate(directory: Path, tell: Tell) -> dict[str, Any]:
    """Run the demonstration in an empty directory and return what was seen; ``ok`` says whether all went as promised.

    Raises TimeoutError after LONGEST_SECONDS, and what :func:`lawflow.standalone.engine.standalone` raises.
    """
    heard = _Heard()
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            return await _demonstrate(directory, tell, heard)
    except TimeoutError:
        raise TimeoutError(
            f"the demonstration did not end within {LONGEST_SECONDS:g} s; {heard.problem or 'is this host very busy?'}"
        ) from None


async def _demonstrate(directory: Path, tell: Tell, heard: _Heard) -> dict[str, Any]:
    async with invoice_app() as port:
        folder = await asyncio.to_thread(_unpack, directory, port)
        settings = StandaloneSettings(folder, certificate_life=CERTIFICATE_LIFE)
        async with standalone(settings, heard.take) as running:
            await running.sidecar(_NAMESPACE, "orders")
            await running.sidecar(_NAMESPACE, "billing")
            seen: dict[str, Any] = {
                "denied": await _denied(heard, tell),
                "allowed": await _allowed(running, tell),
                "minimized": await _minimized(running, port, tell),
                "refused": await _refused(running, tell),
                "rotation": await _rotation(running, heard, tell),
            }
    seen["ok"] = _as_promised(seen)
    return seen


def _unpack(directory: Path, port: int) -> Path:
    folder = directory / "shop"
    with resources.as_file(resources.files("lawflow.standalone").joinpath("demo")) as packaged:
        shutil.copytree(packaged, folder)
    for file in folder.glob("*.yaml"):
        file.write_text(file.read_text(encoding="utf-8").replace(_PLACEHOLDER, str(port)), encoding="utf-8")
    return folder


async def _denied(heard: _Heard, tell: Tell) -> dict[str, str]:
    while not heard.denied:
        await heard.changed.wait()
    ((workload, message),) = heard.denied.items()
    tell("1. A workload without a lawful basis is refused", message)
    return {"workload": workload, "message": message}


async def _allowed(running: Standalone, tell: Tell) -> dict[str, Any]:
    address = running.loopback(_NAMESPACE, "orders", "billing.shop.svc")
    client = Client(address, _PORT, server_name="billing.shop")
    path = "/invoices/17"
    response = await _once_up(client, path)
    await client.close()
    seen = {
        "request": f"GET http://billing.shop:{_PORT}{path}",
        "status": response.status,
        "peer": str(response.document.get("caller", "")),
    }
    tell(
        "2. A lawful one talks, through mutual TLS between two Envoys",
        f"orders: {seen['request']} -> {response.status}\n"
        f"billing saw a certificate of {seen['peer']}, valid for {CERTIFICATE_LIFE.total_seconds():g} s",
    )
    return seen


async def _minimized(running: Standalone, app_port: int, tell: Tell) -> dict[str, Any]:
    """The same record with and without a sidecar before it, a body on its way out, and one that tries to trick it."""
    app = Client("127.0.0.1", app_port)
    sidecar = Client(running.loopback(_NAMESPACE, "orders", "billing.shop.svc"), _PORT, server_name="billing.shop")
    record = await app.request("GET", _INVOICE)
    shown = await sidecar.request("GET", _INVOICE)
    json_type = {"content-type": "application/json"}
    created = await sidecar.request("POST", "/invoices", json_type, _ORDER)
    hostile = await sidecar.request("POST", "/invoices", json_type, _HOSTILE)
    await app.close()
    await sidecar.close()
    seen = {
        "before": record.document,
        "after": shown.document,
        "sent": _ORDER.decode(),
        "received": created.document.get("received", ""),
        "hostile": {name: hostile.document.get(name) for name in ("status", "type", "detail")},
    }
    tell(
        "3. Only declared fields leave, on both ways",
        f"billing's record:  {_without_caller(record.document)}\n"
        f"what orders gets:  {_without_caller(shown.document)}\n"
        f"orders sends:      {_ORDER.decode()}\n"
        f"billing receives:  {seen['received']}\n"
        f"a hostile body:    {_HOSTILE.decode()}\n"
        f"is refused:        {hostile.status}, {hostile.document.get('detail')}",
    )
    return seen


def _without_caller(document: dict[str, object]) -> str:
    """A record without what the demonstration's app adds about its caller."""
    return json.dumps({name: value for name, value in document.items() if name not in ("caller", "headers")})


async def _once_up(client: Client, path: str) -> Any:
    """The first answer that is not the sidecar's own word that no endpoint is known yet."""
    while True:
        response = await client.request("GET", path)
        if response.status != 503:
            return response
        await asyncio.sleep(0.05)


async def _refused(running: Standalone, tell: Tell) -> dict[str, Any]:
    billing = await running.sidecar(_NAMESPACE, "billing")

    def tls(service_account: str) -> ssl.SSLContext:
        return mutual_tls(running.bundle, running.credential(_NAMESPACE, service_account))

    stranger = await _handshake(billing.address, mutual_tls(running.bundle, None))
    without_flow = await _handshake(billing.address, tls("intruder"))
    unlawful = await _problem(billing.address, tls("marketing"), "GET")
    undeclared = await _problem(billing.address, tls("orders"), "DELETE")
    tell(
        "4. Everybody else is refused",
        f"a peer without a certificate: {stranger or 'WAS LET IN'}\n"
        f"a service account without a flow, with a genuine certificate: {without_flow or 'WAS LET IN'}\n"
        f"marketing, whose flow is unlawful: {unlawful['status']}, {unlawful['flows']}\n"
        f"orders, with an undeclared operation: {undeclared['status']}, {undeclared['detail']}",
    )
    return {
        "withoutCertificate": stranger,
        "withoutFlow": without_flow,
        "unlawfulFlow": unlawful,
        "undeclaredOperation": undeclared,
    }


async def _problem(address: str, tls: ssl.SSLContext, method: str) -> dict[str, Any]:
    """What a caller that goes past its own sidecar is answered by the receiver's."""
    client = Client(address, PEER_PORT, tls=tls, server_name=_SERVER_NAME)
    response = await client.request(method, "/invoices/17")
    await client.close()
    return {"status": response.status, **{name: response.document.get(name) for name in ("title", "detail", "flows")}}


async def _handshake(address: str, tls: ssl.SSLContext) -> str:
    """Why a caller was not let in; empty where it was."""
    client = Client(address, PEER_PORT, tls=tls, server_name=_SERVER_NAME)
    try:
        await client.request("GET", "/invoices/17")
    except ssl.SSLError as error:
        return f"TLS handshake refused ({error.reason})"
    except (OSError, EOFError):
        # The alert crosses the first request on its way: TLS 1.3 lets a client speak before it is judged.
        return "TLS handshake refused"
    finally:
        with suppress(OSError):
            await client.close()
    return ""


async def _rotation(running: Standalone, heard: _Heard, tell: Tell) -> dict[str, Any]:
    address = running.loopback(_NAMESPACE, "orders", "billing.shop.svc")
    tell("5. Certificates rotate while requests flow", "")
    async with constant_load(address, _PORT, "/invoices/17") as load:
        await load.sent(100)
        before = heard.rotations
        while heard.rotations - before < ROTATIONS:
            changed, known = heard.changed, heard.rotations
            await changed.wait()
            if heard.rotations > known:
                text = f"rotation {heard.rotations - before}: {load.requests} requests, {len(load.failures)} failed"
                tell("", text)
        await load.sent(100)
    return {"requests": load.requests, "failed": len(load.failures), "rotations": heard.rotations - before}


def _as_promised(seen: dict[str, Any]) -> bool:
    minimized, refused, rotation = seen["minimized"], seen["refused"], seen["rotation"]
    return (
        "marketing" in seen["denied"]["workload"]
        and seen["allowed"]["status"] == 200
        and seen["allowed"]["peer"].endswith("/ns/shop/sa/orders")
        and "customer" in minimized["before"]
        and "customer" not in minimized["after"]
        and minimized["after"]["amount"] == minimized["before"]["amount"]
        and "tulips" in minimized["received"]
        and not any(secret in minimized["received"] for secret in ("Anna", "jane", "Jane"))
        and minimized["hostile"]["status"] == 422
        and bool(refused["withoutCertificate"])
        and bool(refused["withoutFlow"])
        and refused["unlawfulFlow"]["status"] == 403
        and refused["undeclaredOperation"]["status"] == 403
        and rotation["failed"] == 0
        and rotation["rotations"] >= ROTATIONS
    )
