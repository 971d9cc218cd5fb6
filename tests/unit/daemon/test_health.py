"""What probes and Prometheus are told, over a real socket."""

import asyncio

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter

from lawflow.daemon.health import serve_health

pytestmark = pytest.mark.unit


async def test_probes_and_prometheus_get_their_answers_and_everybody_else_is_told_where_to_ask() -> None:
    registry, ready = CollectorRegistry(), asyncio.Event()
    Counter("lawflow_answers", "Answers.", registry=registry).inc()
    async with (
        serve_health(registry, ready.is_set, "127.0.0.1", 0) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/readyz")).status_code == 503
        ready.set()
        assert (await client.get("/readyz?verbose")).status_code == 200
        assert "lawflow_answers_total 1.0" in (await client.get("/metrics")).text
        assert (await client.head("/metrics")).content == b""
        assert (await client.post("/healthz")).status_code == 405
        assert "/readyz" in (await client.get("/")).text
