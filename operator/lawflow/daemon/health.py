"""Health and metrics over HTTP: /healthz, /readyz, /metrics, for probes and Prometheus alone."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

REQUEST_SECONDS = 10.0
"""Longest that a client may take over its request."""
REQUEST_BYTES = 16 * 1024

_TEXT = "text/plain"


@asynccontextmanager
async def serve_health(
    registry: CollectorRegistry, ready: Callable[[], bool], host: str, port: int
) -> AsyncIterator[int]:
    """Answer while the block runs; yields the port, which is a free one for 0.

    ``ready`` says whether the process does its work or stands by for it. Raises OSError where the port is taken.
    """

    def answer(path: str) -> tuple[HTTPStatus, str, bytes]:
        match path.partition("?")[0]:
            case "/healthz":
                return HTTPStatus.OK, _TEXT, b"ok\n"
            case "/readyz" if not ready():
                return HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, b"starting\n"
            case "/readyz":
                return HTTPStatus.OK, _TEXT, b"ok\n"
            case "/metrics":
                return HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(registry)
            case _:
                return HTTPStatus.NOT_FOUND, _TEXT, b"use /healthz, /readyz or /metrics\n"

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                method, path, _ = head.split(b" ", 2)
                status, kind, body = answer(path.decode("latin-1"))
                if method not in (b"GET", b"HEAD"):
                    status, kind, body = HTTPStatus.METHOD_NOT_ALLOWED, _TEXT, b"use GET\n"
                header = f"HTTP/1.1 {status} {status.phrase}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
                writer.write(header.encode() + b"Connection: close\r\n\r\n" + (b"" if method == b"HEAD" else body))
                await writer.drain()
        except (TimeoutError, ValueError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, host, port, limit=REQUEST_BYTES)
    async with server:
        yield server.sockets[0].getsockname()[1]
