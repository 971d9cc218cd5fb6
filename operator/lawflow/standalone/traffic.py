"""A tiny HTTP app and a client for demonstrations, tests and measurements; not part of any data path."""

import asyncio
import contextlib
import json
import ssl
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lawflow.identity.credential import Credential
from lawflow.identity.pem import certificates_to_pem, private_key_to_pem

CUSTOMER = {"name": "Jane Doe", "email": "jane.doe@example.org", "iban": "NL91ABNA0417164300"}
"""What the app's record says of its customer; the demonstration's flow declares nothing of it."""
_CALLER = "URI="


@dataclass(frozen=True)
class Response:
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, object]:
        """The body as a JSON object; empty where it is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


@contextlib.asynccontextmanager
async def invoice_app(host: str = "127.0.0.1") -> AsyncIterator[int]:
    """An app that answers a GET with all it knows of the invoice in the path, who asked, and the names of headers.

    It answers a POST with what it received. Yields its port.
    """
    open_connections: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_connections.add(writer)
        try:
            while True:
                line, headers = await _head(reader)
                received = await reader.readexactly(int(headers.get("content-length", "0")))
                method, path, _ = line.split(" ")
                answer: dict[str, object] = (
                    {"received": received.decode()}
                    if method == "POST"
                    else {
                        "invoice": path.rpartition("/")[2],
                        "customer": CUSTOMER,
                        "amount": 129.95,
                        "caller": caller(headers),
                        "headers": sorted(headers),
                    }
                )
                body = json.dumps(answer).encode()
                head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            open_connections.discard(writer)
            writer.close()

    server = await asyncio.start_server(serve, host, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in list(open_connections):
            writer.close()


def caller(headers: dict[str, str]) -> str:
    """The SPIFFE id of the peer, as its sidecar tells the app."""
    elements = headers.get("x-forwarded-client-cert", "").split(";")
    return next((each.removeprefix(_CALLER) for each in elements if each.startswith(_CALLER)), "")


class Client:
    """One connection that is kept open from request to request."""

    def __init__(self, address: str, port: int, *, tls: ssl.SSLContext | None = None, server_name: str = "") -> None:
        self._address = address
        self._port = port
        self._tls = tls
        self._server_name = server_name
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> Response:
        """Send a request and read its answer. Raises OSError (ssl.SSLError among them) and EOFError."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                self._address, self._port, ssl=self._tls, server_hostname=self._server_name if self._tls else None
            )
        reader, writer = self._streams
        fields = {"host": self._server_name or "app", "content-length": str(len(body)), **(headers or {})}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        writer.write(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body)
        await writer.drain()
        line, received = await _head(reader)
        body = await reader.readexactly(int(received.get("content-length", "0")))
        if received.get("connection", "").lower() == "close":
            await self.close()
        return Response(int(line.split(" ")[1]), received, body)

    def peer_spiffe_id(self) -> str:
        """The SPIFFE id in the certificate that the other end presented; empty without TLS."""
        return next((name for kind, name in self._peer().get("subjectAltName", ()) if kind == "URI"), "")

    def peer_serial_number(self) -> str:
        """The serial number of the certificate that the other end presented; empty without TLS."""
        return str(self._peer().get("serialNumber", ""))

    def _peer(self) -> dict[str, Any]:
        found = self._streams[1].get_extra_info("peercert") if self._streams else None
        return found or {}

    async def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._streams is not None:
            writer = self._streams[1]
            self._streams = None
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def mutual_tls(
    bundle: str, credential: Credential | None, *, highest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> ssl.SSLContext:
    """The client's side of TLS: trusts ``bundle``, presents ``credential`` or nothing."""
    context = ssl.create_default_context(cadata=bundle)
    # X509-SVIDs carry no host name; who connects compares the SPIFFE id instead.
    context.check_hostname = False
    context.maximum_version = highest
    if credential is not None:
        with tempfile.TemporaryDirectory(prefix="lawflow-") as directory:
            file = Path(directory) / "credential.pem"
            file.touch(mode=0o600)
            file.write_text(
                private_key_to_pem(credential.key) + certificates_to_pem(credential.chain), encoding="utf-8"
            )
            context.load_cert_chain(file)
    return context


@dataclass
class Load:
    """Constant traffic, and what became of it."""

    requests: int = 0
    failures: list[str] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def sent(self, count: int) -> None:
        """Return once ``count`` more requests were answered or failed."""
        until = self.requests + count
        while self.requests < until:
            changed = self._changed
            await changed.wait()

    def count(self, failure: str) -> None:
        """Count one request; ``failure`` is empty where it succeeded."""
        self.requests += 1
        if failure:
            self.failures.append(failure)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


@contextlib.asynccontextmanager
async def constant_load(
    address: str, port: int, path: str, *, workers: int = 4, pause_seconds: float = 0.002
) -> AsyncIterator[Load]:
    """GET ``path`` without end over ``workers`` connections; anything but 200 is a failure."""
    load = Load()

    async def work() -> None:
        client = Client(address, port)
        try:
            while True:
                failure = ""
                try:
                    response = await client.request("GET", path)
                    if response.status != 200:
                        failure = f"status {response.status}: {response.body[:200]!r}"
                except (OSError, EOFError) as error:
                    failure = f"{type(error).__name__}: {error}"
                    await client.close()
                load.count(failure)
                await asyncio.sleep(pause_seconds)
        finally:
            await client.close()

    tasks = [asyncio.create_task(work()) for _ in range(workers)]
    try:
        yield load
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _head(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    """First line and headers of a message. Raises EOFError where the other end closed."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise ConnectionError("the head of a message is too long") from None
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        if name:
            headers[name.lower()] = value.strip()
    return first, headers
