"""Leadership by a coordination Lease: at most one replica writes, and another takes over when it is gone.

A holder that is killed holds the Lease until it lapses. A holder that cannot renew stops before it lapses: it counts
from before the last successful request was sent, on a clock that no one sets.
"""

import asyncio
import datetime as dt
import logging
import random
import time
from dataclasses import dataclass

from lawflow.model.kinds import LEASE
from lawflow.store.protocol import ConflictError, NotFoundError, Object, Store, StoreError

LEASE_NAME = "lawflow-controller"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LeaseSettings:
    """Name and pace of the Lease; the durations are those that Kubernetes' own components use."""

    namespace: str
    identity: str
    """Unique to this process: a restarted pod of the same name is another holder."""
    name: str = LEASE_NAME
    duration: float = 15.0
    """Seconds after which a silent holder has lost the Lease."""
    renew_deadline: float = 10.0
    """Seconds after which a holder that cannot renew stops by itself."""
    retry: float = 2.0
    """Seconds between two attempts."""


class LeadershipLostError(Exception):
    """The Lease could not be renewed in time, or another holds it: this process must stop writing at once."""


class Leader:
    """One candidate for a Lease."""

    def __init__(self, store: Store, settings: LeaseSettings) -> None:
        self._store = store
        self._settings = settings
        self._seen: tuple[object, float] = (None, 0.0)
        self._renewed = 0.0

    async def acquire(self) -> None:
        """Return when this process holds the Lease."""
        while not await self._attempt():
            await self._pause()

    async def hold(self) -> None:
        """Renew for ever. Raises LeadershipLostError."""
        settings = self._settings
        while True:
            await self._pause()
            left = self._renewed + settings.renew_deadline - time.monotonic()
            try:
                async with asyncio.timeout(max(left, 0.0)):
                    held = await self._attempt()
            except TimeoutError:
                held = False
            if held:
                continue
            if time.monotonic() - self._renewed >= settings.renew_deadline:
                raise LeadershipLostError(f"the Lease {settings.name} was not renewed for {settings.renew_deadline} s")
            if self._holder not in (None, settings.identity):
                raise LeadershipLostError(f"the Lease {settings.name} is held by {self._holder}")

    async def release(self) -> None:
        """Let the next one in without waiting. Call it only when nothing writes any more."""
        try:
            lease = await self._store.get(LEASE, self._settings.namespace, self._settings.name)
            if lease and lease["spec"].get("holderIdentity") == self._settings.identity:
                await self._write(lease, {"holderIdentity": "", "leaseDurationSeconds": 1})
        except StoreError as error:
            _log.info("the Lease could not be released and lapses by itself: %s", error)

    async def _attempt(self) -> bool:
        began = time.monotonic()
        try:
            won = await self._take()
        except ConflictError:
            return False
        except StoreError as error:
            _log.warning("the Lease cannot be asked for: %s", error)
            return False
        if won:
            self._renewed = began
            self._holder = self._settings.identity
        return won

    _holder: str | None = None

    async def _take(self) -> bool:
        settings = self._settings
        lease = await self._store.get(LEASE, settings.namespace, settings.name)
        now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        mine = {
            "holderIdentity": settings.identity,
            "leaseDurationSeconds": max(1, round(settings.duration)),
            "renewTime": now,
        }
        if lease is None:
            metadata = {"namespace": settings.namespace, "name": settings.name}
            created: Object = {"apiVersion": LEASE.api_version, "kind": LEASE.name, "metadata": metadata}
            await self._store.create(LEASE, created | {"spec": mine | {"acquireTime": now, "leaseTransitions": 0}})
            return True
        spec = lease.get("spec") or {}
        self._holder = spec.get("holderIdentity") or None
        if self._holder == settings.identity:
            await self._write(lease, mine)
            return True
        # The holder's clock may be wrong: a Lease has lapsed when it was seen unchanged for its duration here.
        version = self._holder, spec.get("renewTime"), spec.get("leaseTransitions")
        if version != self._seen[0]:
            self._seen = version, time.monotonic()
        if self._holder and time.monotonic() - self._seen[1] < spec.get("leaseDurationSeconds", settings.duration):
            return False
        transitions = spec.get("leaseTransitions", 0) + 1
        await self._write(lease, mine | {"acquireTime": now, "leaseTransitions": transitions})
        return True

    async def _write(self, lease: Object, spec: Object) -> None:
        """Only over the version that was read; ConflictError where another was faster."""
        settings = self._settings
        version = {"resourceVersion": lease["metadata"]["resourceVersion"]}
        try:
            await self._store.patch(LEASE, settings.namespace, settings.name, {"metadata": version, "spec": spec})
        except NotFoundError as error:
            raise ConflictError(str(error)) from None

    async def _pause(self) -> None:
        await asyncio.sleep(self._settings.retry * random.uniform(0.8, 1.2))  # noqa: S311  (jitter, no secret)
