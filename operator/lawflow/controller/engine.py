"""The controller itself: changes in, keys to look at, one reconcile() for each. It knows no Kopf and no cluster."""

import asyncio
import datetime as dt
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing

from lawflow.controller import (
    authority,
    certificate,
    consent_policy,
    data_controller,
    dataflow,
    dataset,
    namespace,
    network_rules,
    protection,
    serving,
)  # fmt: skip
from lawflow.controller.affected import observe
from lawflow.controller.settings import Environment
from lawflow.controller.world import WATCHED
from lawflow.daemon.queue import Key
from lawflow.model.kinds import (
    CONSENT_POLICY,
    DATA_CONTROLLER,
    DATA_FLOW,
    DATASET,
    NAMESPACE,
    Kind,
)  # fmt: skip
from lawflow.store.protocol import NotFoundError, Object

Reconcile = Callable[[Environment, str, str], Awaitable[dt.datetime | None]]

RECONCILERS: Mapping[str, Reconcile] = {
    DATA_FLOW.name: dataflow.reconcile,
    CONSENT_POLICY.name: consent_policy.reconcile,
    DATASET.name: dataset.reconcile,
    DATA_CONTROLLER.name: data_controller.reconcile,
    NAMESPACE.name: namespace.reconcile,
    authority.KIND: authority.reconcile,
    protection.KIND: protection.reconcile,
    certificate.KIND: certificate.reconcile,
    serving.KIND: serving.reconcile,
    network_rules.KIND: network_rules.reconcile,
}
"""By the kind of key; some are no kinds of objects but of duties."""

_log = logging.getLogger(__name__)


class Controller:
    """Feeds changes to the world and lets reconcile() follow. One process at a time may run it (see leader.py)."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.queue = environment.queue
        self._due: dict[Key, dt.datetime] = {}
        self._day = environment.today

    def observe(self, kind: Kind, obj: Object, *, deleted: bool = False) -> None:
        """Take in one change from a watch."""
        observe(self.environment, kind, obj, deleted=deleted)

    async def resync(self) -> None:
        """List everything anew, so that nothing is missing and nothing is left of what is gone."""
        self.environment.policies.clear()
        self.environment.app_roots.clear()
        for kind in WATCHED:
            known = self.environment.world.known(kind)
            try:
                listed = await self.environment.store.list(kind)
            except NotFoundError:
                _log.info("the API server does not serve %s: the controller goes without", kind.plural)
                continue
            for obj in self.environment.world.absent(kind, known, listed):
                self.observe(kind, obj, deleted=True)
            for obj in listed:
                self.observe(kind, obj)
        self.queue.add(authority.KEY, serving.KEY, protection.KEY)

    async def run(self) -> None:
        """Work for ever: reconcile, wake what is due, list anew now and then. Call resync() first."""
        settings = self.environment.settings
        async with asyncio.TaskGroup() as group:
            group.create_task(self.queue.work(self._look, settings.workers))
            group.create_task(self._every(settings.tick, self.tick))
            group.create_task(self._every(settings.resync, self.resync))

    async def follow(self) -> None:
        """Feed the controller from the store's own watches, for ever: where there is no Kopf."""
        async with asyncio.TaskGroup() as group:
            for kind in WATCHED:
                group.create_task(self._follow(kind))

    async def tick(self) -> None:
        """Have everything looked at whose time has come; all flows where a day has begun."""
        now = self.environment.now
        for key in [key for key, moment in self._due.items() if moment <= now]:
            del self._due[key]
            self.queue.add(key)
        if self.environment.today != self._day:
            self._day = self.environment.today
            self.queue.add(*(self._key(DATA_FLOW, obj) for obj in self.environment.world.all(DATA_FLOW)))

    async def _look(self, key: Key) -> None:
        kind, where, name = key
        metrics = self.environment.metrics
        self._due.pop(key, None)
        with metrics.seconds.labels(kind).time():
            try:
                again = await RECONCILERS[kind](self.environment, where, name)
            except Exception:
                metrics.reconciles.labels(kind, "failed").inc()
                raise
        metrics.reconciles.labels(kind, "done").inc()
        if again:
            self._due[key] = again

    async def _follow(self, kind: Kind) -> None:
        async with aclosing(self.environment.store.watch(kind)) as watch:  # type: ignore[type-var]
            async for event in watch:
                if event.type != "SYNCED":
                    self.observe(kind, event.object, deleted=event.type == "DELETED")

    async def _every(self, period: dt.timedelta, action: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(period.total_seconds())
            try:
                await action()
            except Exception:
                _log.exception("%s failed and is tried again in %s", action.__name__, period)

    @staticmethod
    def _key(kind: Kind, obj: Object) -> Key:
        metadata = obj["metadata"]
        return kind.name, metadata.get("namespace", ""), metadata["name"]
