"""The admission server as a process: watches, TLS, signals, and an end that cuts nobody off."""

import asyncio
import datetime as dt
import gc
import logging
import signal
import time
from asyncio import Future
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

from lawflow.inject.settings import InjectionSettings
from lawflow.law import LegalData
from lawflow.model.kinds import Kind
from lawflow.model.loopback import CLUSTER_DOMAIN
from lawflow.store.protocol import Store
from lawflow.webhook.access import Access
from lawflow.webhook.admission import Admission
from lawflow.webhook.certificate import ServingCertificate
from lawflow.webhook.http import HttpServer
from lawflow.webhook.knowledge import WATCHED, Knowledge
from lawflow.webhook.metrics import Metrics
from lawflow.webhook.settings import ServerSettings

FLOWS_A_SLICE = 10
"""Flows judged between two looks at the network: about a millisecond."""
DAY = dt.timedelta(days=1)

_log = logging.getLogger(__name__)


async def serve(
    store: Store,
    settings: ServerSettings,
    injection: InjectionSettings,
    legal: LegalData,
    disabled_rules: frozenset[str] = frozenset(),
    cluster_domain: str = CLUSTER_DOMAIN,
) -> int:
    """Serve until SIGTERM (0) or Ctrl-C (130); the exit code is returned.

    Raises OSError and ssl.SSLError where the port or the certificate is not usable, and whatever ends a watch.
    """
    knowledge = Knowledge(legal, disabled_rules, cluster_domain)
    metrics = Metrics()
    admission = Admission(knowledge, Access(store, time.monotonic), injection, _now, metrics)
    http = HttpServer(admission.handle, settings.limits)
    health = HttpServer(admission.handle_health, settings.limits)
    metrics.connections.set_function(lambda: len(http.connections))
    metrics.requests.set_function(lambda: http.requests)
    metrics.flows.set_function(lambda: sum(len(one.verdicts) for one in knowledge.view.namespaces.values()))
    certificate = ServingCertificate(settings.certificate, settings.key)
    create_server = asyncio.get_running_loop().create_server
    listeners = [
        await create_server(
            http.connection,
            settings.host,
            settings.port,
            ssl=certificate.context,
            ssl_handshake_timeout=settings.limits.request_seconds,
            backlog=1024,
        )
    ]
    if settings.health_port:
        listeners.append(await create_server(health.connection, settings.host, settings.health_port))
    _log.info("listening", extra={"host": settings.host, "port": settings.port})
    changed = asyncio.Event()
    tasks = [
        *(_watch(store, kind, knowledge, changed) for kind in WATCHED),
        _judge(knowledge, changed),
        _judge_each_day(knowledge, changed),
        certificate.keep_fresh(settings.certificate_seconds),
    ]
    try:
        async with _running(tasks) as failed:
            number = await _signal_or(failed)
            _log.info("ending", extra={"signal": number.name})
            admission.draining = True
            if number == signal.SIGTERM:
                await asyncio.sleep(settings.drain_seconds)
    finally:
        for listener in listeners:
            listener.close()
        await http.drain(settings.limits.request_seconds)
        await health.drain(0)
    return 0 if number == signal.SIGTERM else 128 + number


@asynccontextmanager
async def _running(coroutines: Sequence[Coroutine[Any, Any, None]]) -> AsyncIterator[Future[Any]]:
    """Run endless coroutines beside the block; yields a future that holds the exception of the first that fails."""
    failed: Future[Any] = asyncio.gather(*coroutines)
    try:
        yield failed
    finally:
        failed.cancel()
        await asyncio.gather(failed, return_exceptions=True)


async def _signal_or(failed: Future[Any]) -> signal.Signals:
    """Wait for SIGTERM or SIGINT; raises what has failed in the meantime."""
    loop = asyncio.get_running_loop()
    came: Future[signal.Signals] = loop.create_future()

    def note(number: signal.Signals) -> None:
        if not came.done():
            came.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, note, number)
    both: list[Future[Any]] = [came, failed]
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    if not came.done():
        failed.result()
    return await came


async def _watch(store: Store, kind: Kind, knowledge: Knowledge, changed: asyncio.Event) -> None:
    async for event in store.watch(kind):
        knowledge.observe(kind, event)
        changed.set()


async def _judge(knowledge: Knowledge, changed: asyncio.Event) -> None:
    frozen = False
    while True:
        await changed.wait()
        changed.clear()
        while knowledge.synced and knowledge.stale:
            knowledge.renew(_now().date(), FLOWS_A_SLICE)
            await asyncio.sleep(0)
        if knowledge.ready and not frozen:
            # What was read at the start lives as long as the process: the collector need not look at it again.
            gc.collect()
            gc.freeze()
            frozen = True


async def _judge_each_day(knowledge: Knowledge, changed: asyncio.Event) -> None:
    while True:
        now = _now()
        midnight = dt.datetime.combine(now.date() + DAY, dt.time(), dt.UTC)
        # A clock may be set back: a second too late is better than yesterday's law.
        await asyncio.sleep((midnight - now).total_seconds() + 1)
        knowledge.doubt_all()
        changed.set()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
