"""Health and metrics of the xDS server, over plain HTTP."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from lawflow.xds.server import DiscoveryService

HEAD_SECONDS = 5.0
"""Longest time that a caller may take for its request."""


class Sidecars(Collector):
    """How the connected sidecars stand, read at each scrape."""

    def __init__(self, service: DiscoveryService) -> None:
        self._service = service

    def collect(self) -> list[GaugeMetricFamily]:
        """Connected sidecars by namespace, and how many of them rejected their last configuration."""
        connected: Counter[str] = Counter()
        rejecting: Counter[str] = Counter()
        for connection in self._service.connections():
            connected[connection.identity.namespace] += 1
            rejecting[connection.identity.namespace] += bool(connection.rejected)
        return [
            _gauge("lawflow_xds_sidecars", "Connected sidecars.", connected),
            _gauge("lawflow_xds_rejecting_sidecars", "Sidecars that rejected their last configuration.", rejecting),
        ]


@contextlib.asynccontextmanager
async def health(service: DiscoveryService, ready: Callable[[], bool], host: str, port: int) -> AsyncIterator[int]:
    """Answer ``/healthz``, ``/readyz`` and ``/metrics``; yields the port, which is a free one for 0."""
    registry = CollectorRegistry()
    registry.register(Sidecars(service))

    def answer(path: str) -> tuple[str, bytes]:
        match path:
            case "/healthz":
                return "200 OK", b"ok\n"
            case "/readyz":
                return ("200 OK", b"ok\n") if ready() else ("503 Service Unavailable", b"reading the cluster\n")
            case "/metrics":
                return "200 OK", generate_latest(registry)
            case _:
                return "404 Not Found", b"ask for /healthz, /readyz or /metrics\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            async with asyncio.timeout(HEAD_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            parts = head.split(b" ", 2)
            status, body = answer(parts[1].partition(b"?")[0].decode("latin-1") if len(parts) == 3 else "")
            fields = f"content-type: text/plain\r\ncontent-length: {len(body)}\r\nconnection: close"
            writer.write(f"HTTP/1.1 {status}\r\n{fields}\r\n\r\n".encode() + body)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, host, port)
    async with server:
        yield server.sockets[0].getsockname()[1]


def _gauge(name: str, text: str, counts: Counter[str]) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, text, labels=["namespace"])
    for namespace, count in sorted(counts.items()):
        gauge.add_metric([namespace], count)
    return gauge
