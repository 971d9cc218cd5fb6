"""Health and metrics over HTTP: /healthz, /readyz, /metrics, for probes and Prometheus alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

REQUEST_SECONDS = 10.0
"""Longest that a client may take over its request."""
REQUEST_BYTES = 16 * 1024


class Health:
    """What the probes are told."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.alive = False
        """Whether the process does its work or stands by for it: a candidate is ready, or no rollout would end."""
        self.synced = False

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, content type and body for a path."""
        match path.partition("?")[0]:
            case "/healthz":
                return 200, "text/plain", b"ok\n"
            case "/readyz":
                return (200, "text/plain", b"ok\n") if self.alive else (503, "text/plain", b"starting\n")
            case "/metrics":
                return 200, CONTENT_TYPE_LATEST, generate_latest(self.registry)
            case _:
                return 404, "text/plain", b"use /healthz, /readyz or /metrics\n"


@asynccontextmanager
async def serve(health: Health, host: str, port: int) -> AsyncIterator[int]:
    """Serve while the block runs; yields the port."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                method, path, _ = head.split(b" ", 2)
                status, kind, body = health.answer(path.decode("latin-1"))
                if method not in (b"GET", b"HEAD"):
                    status, kind, body = 405, "text/plain", b"use GET\n"
                header = f"HTTP/1.1 {status} .\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
                writer.write(header.encode() + b"Connection: close\r\n\r\n" + (b"" if method == b"HEAD" else body))
                await writer.drain()
        except (TimeoutError, ValueError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, host, port, limit=REQUEST_BYTES)
    async with server:
        yield server.sockets[0].getsockname()[1]
