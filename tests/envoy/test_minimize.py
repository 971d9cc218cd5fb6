"""``lawflow minimize`` foretells what the sidecars' Envoys make of a message: both are asked, and must agree."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from tests.support.shop import BILLING, PORT, SECONDS, Heard, write_shop

from lawflow.manifest import read
from lawflow.minimize.attempt import Outcome, Passed, Sample, attempt
from lawflow.minimize.policy import Direction, trial
from lawflow.model.dataflow import DataFlow
from lawflow.model.parse import parse
from lawflow.resolve import ResolvedFlow
from lawflow.standalone.engine import StandaloneSettings, standalone

pytestmark = pytest.mark.envoy

OPERATION = """\
    - name: try
      methods: [POST]
      path: /tries/{subject}
      subject: {in: path, name: subject}
      request:
        fields:
          - {pointer: /id, category: pd:Identifying, necessity: tells whose it is, protect: truncate}
          - {pointer: /items/*/sku, category: none}
          - {pointer: /born, category: pd:BirthDate, necessity: tells the year, protect: generalize}
        headers:
          - {name: X-Order, category: none}
          - {name: x-user, category: pd:Identifying, necessity: tells whose it is, protect: mask}
        query:
          - {name: page, category: none}
          - {name: to, category: pd:Identifying, necessity: tells whose it is, protect: mask}
      response:
        fields: [{pointer: /ok, category: none}, {pointer: /who, category: pd:Identifying, protect: mask}]
        headers: [{name: etag, category: none}]
"""
JSON = ("content-type", "application/json")
Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Message:
    """What came over a connection: the first line's words, headers and body."""

    line: tuple[str, ...]
    headers: dict[str, str]
    body: bytes


async def received(reader: asyncio.StreamReader) -> Message:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    return Message(tuple(head[0].split(" ")), headers, await reader.readexactly(int(headers.get("content-length", 0))))


def written(line: str, headers: Headers, body: bytes) -> bytes:
    fields = [f"{name}: {value}" for name, value in (*headers, ("content-length", len(body)))]
    return "\r\n".join([line, *fields, "", ""]).encode() + body


@dataclass
class App:
    """Answers everything alike and keeps what reached it."""

    headers: Headers = (JSON,)
    body: bytes = b"{}"
    status: int = 200
    seen: list[Message] = field(default_factory=list)

    def answer(self, headers: Headers = (JSON,), body: bytes = b"{}", status: int = 200) -> None:
        """Answer so from now on, and forget what has come."""
        self.headers, self.body, self.status = headers, body, status
        self.seen.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                self.seen.append(await received(reader))
                writer.write(written(f"HTTP/1.1 {self.status} Any", self.headers, self.body))
                await writer.drain()
        writer.close()


@dataclass
class Trying:
    """A running shop, and the same flow without one."""

    app: App
    address: str
    flow: ResolvedFlow

    async def over_the_wire(self, path: str, headers: Headers, body: bytes) -> Message:
        reader, writer = await asyncio.open_connection(self.address, PORT)
        writer.write(written(f"POST {path} HTTP/1.1", (("host", "billing.shop"), *headers), body))
        answer = await received(reader)
        writer.close()
        return answer

    def foretold(self, direction: Direction, path: str, headers: Headers, body: bytes) -> Outcome:
        operation = next(each for each in self.flow.flow.spec.operations if each.name == "try")
        sample = Sample("POST", path, headers, body, status=self.app.status)
        return attempt(trial(self.flow, direction, b"\0" * 32), operation, sample, direction)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def trying(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Trying]:
    app = App()
    folder: Path = tmp_path_factory.mktemp("shop")
    server = await asyncio.start_server(app.serve, "127.0.0.1", 0)
    file = write_shop(folder, server.sockets[0].getsockname()[1])
    file.write_text(file.read_text().replace("  operations:\n", f"  operations:\n{OPERATION}", 1))
    documents = [each.object for each in read(file.read_bytes(), file.name).objects]
    flows = [parse(each) for each in documents if each["metadata"]["name"] == "orders-to-billing"]
    assert isinstance(flows[0], DataFlow)
    async with standalone(StandaloneSettings(folder), Heard().take) as running:
        async with asyncio.timeout(SECONDS):
            await running.sidecar("shop", "orders")
            await running.sidecar("shop", "billing")
        shop = Trying(app, running.loopback("shop", "orders", BILLING), ResolvedFlow(flows[0]))
        async with asyncio.timeout(SECONDS):
            while not app.seen:
                with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                    await shop.over_the_wire("/tries/warm", (JSON,), b"{}")
                await asyncio.sleep(0.02)
        yield shop
    server.close()


REQUESTS: list[tuple[str, Headers, bytes]] = [
    ("/tries/7", (JSON,), b'{"id":"anna-7","name":"Anna","items":[{"sku":1,"price":2},3],"born":"1984-02-29"}'),
    ("/tries/7?page=1&mail=a%40b&to=x%20y", (JSON, ("cookie", "a=b"), ("X-Order", "5"), ("x-user", "anna")), b"{}"),
    ("/tries/7?mail=a", (JSON, ("x-user", "anna"), ("x-user", "bert"), ("lawflow-flow", "shop/forged")), b'{"id":1}'),
    ("/tries/7", (JSON, ("content-encoding", "gzip")), gzip.compress(b'{"id":"anna","name":"Anna"}', mtime=0)),
    ("/tries/7", (("content-type", "application/x-ndjson"),), b'{"id":"anna","x":1}\n\n{"y":2}\n'),
    ("/tries/7", (("content-type", "application/x-www-form-urlencoded"),), b"id=anna&name=Anna"),
    ("/tries/7", (("accept", "text/plain"),), b""),
    ("/tries/7", (JSON, ("lawflow-purpose", "dpv:PaymentManagement")), b"[]"),
    ("/tries/7", (JSON, ("lawflow-purpose", "dpv:Marketing")), b"{}"),
    ("/tries/7", (JSON,), b'{"id":1,"id":2}'),
    ("/tries/7", (JSON,), b'{"id":1'),
    ("/tries/7", (("content-type", "text/plain"),), b"Anna"),
    ("/tries/7?page=1&page=2", (JSON,), b"{}"),
    ("/tries/7/more", (JSON,), b"{}"),
    ("/tries/7", (JSON, ("content-encoding", "br")), b"{}"),
    ("/tries/7", (JSON,), b'{"id":"' + b"x" * (1 << 20) + b'"}'),
    ("/tries/7", (JSON,), b'{"more":"' + b"x" * (1 << 20) + b'"}'),
]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("path", "headers", "body"), REQUESTS)
async def test_a_request_reaches_the_app_as_foretold(trying: Trying, path: str, headers: Headers, body: bytes) -> None:
    trying.app.answer()
    answer = await trying.over_the_wire(path, headers, body)
    expected = trying.foretold("request", path, headers, body)
    if not isinstance(expected, Passed):
        assert trying.app.seen == []
        assert (answer.line[1], answer.body) == (str(expected.status), expected.document)
        return
    (seen,) = trying.app.seen
    assert (seen.line[1], seen.body) == (expected.path, expected.body)
    foretold = dict(expected.headers)
    # Of a flow that is alone nobody has to be told the name; the receiver's sidecar puts the caller's certificate in.
    assert "lawflow-flow" not in foretold
    put_in = {"host", "x-forwarded-client-cert"} | (set() if body else {"content-length"})
    assert {name: value for name, value in seen.headers.items() if name not in put_in} == foretold


RESPONSES: list[tuple[int, Headers, bytes]] = [
    (200, (JSON, ("etag", "1"), ("set-cookie", "a=b"), ("x-id", "5")), b'{"ok":true,"who":"Anna","more":{"a":1}}'),
    (200, (JSON,), b'[{"ok":1}]'),
    (200, (JSON,), b'{"ok":1,"ok":2}'),
    (200, (("content-type", "text/html"),), b"<p>Anna</p>"),
    (404, (("content-type", "text/html"),), b"<p>Anna</p>"),
    (404, (JSON,), b'{"ok":false,"error":"Anna"}'),
    (206, (JSON,), b'{"ok"'),
]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("status", "headers", "body"), RESPONSES)
async def test_a_response_reaches_the_caller_as_foretold(
    trying: Trying, status: int, headers: Headers, body: bytes
) -> None:
    trying.app.answer(headers, body, status)
    answer = await trying.over_the_wire("/tries/7", (JSON,), b"{}")
    expected = trying.foretold("response", "/tries/7", headers, body)
    if not isinstance(expected, Passed):
        # The source reads the document of its peer, and writes it anew.
        told = (answer.line[1], json.loads(answer.body))
        assert told == (str(expected.status), json.loads(expected.document))
        return
    assert (answer.line[1], answer.body) == (str(status), expected.body)
    put_in = {"date", "server", "x-envoy-upstream-service-time"}
    assert {name: value for name, value in answer.headers.items() if name not in put_in} == dict(expected.headers)
