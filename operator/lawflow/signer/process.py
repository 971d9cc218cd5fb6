"""The signer's process: it watches requests and answers each, again and again where it has to wait."""

import logging
from contextlib import aclosing

from lawflow.daemon.health import serve_health
from lawflow.daemon.queue import Key, Queue
from lawflow.daemon.termination import until_terminated
from lawflow.identity.pod_certificate import is_open
from lawflow.model.kinds import POD_CERTIFICATE_REQUEST
from lawflow.model.workload import Object
from lawflow.signer.patience import PATIENCE_SECONDS
from lawflow.signer.requests import Signer
from lawflow.store.protocol import WatchEvent

WORKERS = 8
"""Requests that are answered at once; each waits for the API server most of its time."""

_log = logging.getLogger(__name__)


class OpenRequests:
    """The requests that nobody has answered, as a watch tells them, and the work on them."""

    def __init__(self, signer: Signer) -> None:
        self.synced = False
        """Whether all requests that existed at the start have been seen."""
        self._signer = signer
        self._open: dict[Key, Object] = {}
        self._queue = Queue(PATIENCE_SECONDS)

    async def follow(self) -> None:
        """Keep them current, for ever."""
        async with aclosing(self._signer.store.watch(POD_CERTIFICATE_REQUEST)) as events:  # type: ignore[type-var]
            async for event in events:
                if event.type == "SYNCED":
                    self.synced = True
                else:
                    self._take(event)

    async def work(self) -> None:
        """Have each answered, for ever; one that could not be is tried again."""
        await self._queue.work(self._look, WORKERS)

    def _take(self, event: WatchEvent) -> None:
        request, metadata = event.object, event.object["metadata"]
        key = POD_CERTIFICATE_REQUEST.name, metadata["namespace"], metadata["name"]
        if event.type == "DELETED" or not is_open(request, self._signer.settings.signer_name):
            self._open.pop(key, None)
        else:
            self._open[key] = request
            self._queue.add(key)

    async def _look(self, key: Key) -> None:
        if request := self._open.get(key):
            await self._signer.answer(request)


async def run(signer: Signer, host: str, port: int) -> None:
    """Answer requests until SIGTERM; health and metrics are at ``port``, which is a free one for 0.

    Raises OSError where the port is taken.
    """
    requests = OpenRequests(signer)
    async with serve_health(signer.metrics.registry, lambda: requests.synced, host, port) as bound:
        _log.info("metrics and health at port %d", bound)
        await until_terminated(requests.follow(), requests.work())
