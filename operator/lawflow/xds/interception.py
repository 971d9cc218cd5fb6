"""How a sidecar's pod intercepts, read from the pod itself: pods of both modes may run under one service account."""

import asyncio
import logging
from collections import OrderedDict
from ipaddress import ip_address

from lawflow.mesh.sidecar import Identity
from lawflow.model import labels
from lawflow.model.kinds import POD
from lawflow.store.protocol import Object, Store, StoreError
from lawflow.xds.source import Capture

REMEMBERED = 20_000
"""Pods whose answer is kept for a time when the API server gives none."""
RETRY_SECONDS = 1.0

_LOOPBACK = {4: "127.0.0.1", 6: "::1"}

_log = logging.getLogger(__name__)


class Interceptions:
    """Asks for a sidecar's pod when its stream begins.

    Node and pod are what the sidecar says of itself. Both only choose how it is served what its certificate entitles it
    to, and nothing more.
    """

    def __init__(self, store: Store, retry_seconds: float = RETRY_SECONDS) -> None:
        self._store = store
        self._retry_seconds = retry_seconds
        self._known: OrderedDict[str, Capture] = OrderedDict()

    async def __call__(self, identity: Identity, node: str) -> Capture:
        """Where redirected connections arrive at the sidecar; waits until its pod has an address."""
        while True:
            found = await self._ask(identity, node)
            if found is not None:
                self._known[node] = found
                self._known.move_to_end(node)
                if len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)
                return found
            if node in self._known:
                return self._known[node]
            await asyncio.sleep(self._retry_seconds)

    async def _ask(self, identity: Identity, node: str) -> Capture | None:
        namespace, _, name = node.partition("/")
        if namespace != identity.namespace or not name:
            return ()
        try:
            pod = await self._store.get(POD, namespace, name)
        except StoreError as error:
            _log.warning("a sidecar's pod could not be read", extra={"node": node, "problem": str(error)})
            return None
        return () if pod is None else capture(pod)


def capture(pod: Object) -> Capture | None:
    """The loopback addresses, IPv4 first, of the families that a pod has; ``None`` while it has no address."""
    if (pod["metadata"].get("annotations") or {}).get(labels.INTERCEPTION) != "redirect":
        return ()
    status = pod.get("status") or {}
    addresses = [each["ip"] for each in status.get("podIPs") or () if each.get("ip")]
    families = sorted({ip_address(each).version for each in addresses})
    return tuple(_LOOPBACK[family] for family in families) or None
