"""The controller's process: health, metrics, leadership, watches, and an orderly end."""

import asyncio
import datetime as dt
import logging
import os
import signal
import socket
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lawflow.controller.engine import Controller
from lawflow.controller.leader import Leader, LeadershipLostError, LeaseSettings
from lawflow.controller.settings import Environment, Settings
from lawflow.controller.watching import watch
from lawflow.controller.world import World
from lawflow.daemon.health import serve_health
from lawflow.store.kubernetes import KubernetesStore, load_configuration

LOST = 1
"""Exit code of a replica that lost its leadership: it starts again as a candidate."""
INTERRUPTED = 130

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ProcessSettings:
    """How the process reaches the API server and is reached itself."""

    kubeconfig: Path | None = None
    context: str | None = None
    host: str = "0.0.0.0"  # noqa: S104  (a pod's address is not known beforehand)
    port: int = 8080
    """Metrics and health; 0 takes any free port."""
    identity: str = field(default_factory=lambda: f"{socket.gethostname()}_{uuid.uuid4()}")
    lease_duration: float = 15.0
    renew_deadline: float = 10.0
    retry: float = 2.0


async def run(settings: Settings, process: ProcessSettings, clock: Callable[[], dt.datetime]) -> int:
    """Run until a signal comes or leadership is lost; returns the exit code."""
    stop = asyncio.Event()
    received: list[signal.Signals] = []

    def end(number: signal.Signals) -> None:
        received.append(number)
        stop.set()

    def handle_signals() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, end, number)

    handle_signals()
    configuration = await load_configuration(process.kubeconfig, process.context)
    async with KubernetesStore(configuration) as store:
        environment = Environment(store, World(), settings, clock)
        lease = LeaseSettings(
            settings.namespace, process.identity, duration=process.lease_duration,
            renew_deadline=process.renew_deadline, retry=process.retry,
        )  # fmt: skip
        # A candidate that stands by is ready, or no rollout would end.
        async with serve_health(environment.metrics.registry, lambda: True, process.host, process.port) as port:
            _log.info("metrics and health at port %d", port)
            leader = Leader(store, lease)
            lost = await _lead(Controller(environment), leader, store, stop, handle_signals)
    if lost:
        return LOST
    return INTERRUPTED if signal.SIGINT in received else os.EX_OK


async def _lead(
    controller: Controller,
    leader: Leader,
    store: KubernetesStore,
    stop: asyncio.Event,
    handle_signals: Callable[[], None],
) -> bool:
    """Wait for leadership and work under it; returns whether it was lost."""
    stopping = asyncio.create_task(stop.wait())
    acquiring = asyncio.create_task(leader.acquire())
    await asyncio.wait((stopping, acquiring), return_when=asyncio.FIRST_COMPLETED)
    if stop.is_set():
        acquiring.cancel()
        await asyncio.gather(acquiring, return_exceptions=True)
        await leader.release()
        return False
    acquiring.result()
    _log.info("this replica leads")
    controller.environment.metrics.leader.set(1)
    working = [
        asyncio.create_task(leader.hold()),
        asyncio.create_task(_work(controller, store, stop, handle_signals)),
    ]
    await asyncio.wait((stopping, *working), return_when=asyncio.FIRST_COMPLETED)
    # Kopf takes a cancellation for an end like any other; only the flag keeps it from being started again.
    stop.set()
    for task in (stopping, *working):
        task.cancel()
    results = await asyncio.gather(*working, return_exceptions=True)
    controller.environment.metrics.leader.set(0)
    failures = [each for each in results if isinstance(each, Exception)]
    for failure in failures:
        _log.error("the controller stops: %s", failure, exc_info=_told(failure))
    if not failures:
        await leader.release()
    return bool(failures)


def _told(failure: Exception) -> Exception | None:
    """What the log shows the whole of; lost leadership is no defect."""
    return None if isinstance(failure, LeadershipLostError) else failure


async def _work(
    controller: Controller,
    store: KubernetesStore,
    stop: asyncio.Event,
    handle_signals: Callable[[], None],
) -> None:
    await _resync(controller, stop)
    async with asyncio.TaskGroup() as group:
        group.create_task(controller.run())
        group.create_task(watch(controller, store.configuration, stop, handle_signals))


async def _resync(controller: Controller, stop: asyncio.Event) -> None:
    """List everything once, however long the API server takes to answer."""
    while not stop.is_set():
        try:
            await controller.resync()
            return
        except Exception as error:
            _log.warning("the first listing failed and begins anew: %s", error)
            await asyncio.sleep(2.0)
