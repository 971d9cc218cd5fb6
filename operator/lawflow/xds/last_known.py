"""The snapshots that the xDS servers handed over last: what sidecars are served that start while none is there."""

import asyncio
from collections.abc import Iterable

from envoy.service.discovery.v3 import discovery_pb2

from lawflow.mesh.resources import ROUTE
from lawflow.mesh.route import closed_route_configuration
from lawflow.xds.encode import Encoded, Encoder
from lawflow.xds.handover import from_message, keys_of, name_of
from lawflow.xds.source import Key, RefusedError, Snapshot


class LastKnown:
    """A source of streams that judges nothing: each snapshot holds for as long as its policies say."""

    def __init__(self) -> None:
        self.served = asyncio.Event()
        """Set once an xDS server was reached."""
        self.versions: dict[str, str] = {}
        """Version by name of all that is held."""
        self._snapshots: dict[str, Snapshot] = {}
        self._encoder = Encoder()
        self._opened = asyncio.Event()
        self._changed = asyncio.Event()

    def reached(self, *, first_hand: bool) -> None:
        """Begin to serve: an xDS server hands over, or (not at first hand) another who stands by."""
        self._opened.set()
        if first_hand:
            self.served.set()

    @property
    def is_open(self) -> bool:
        """Whether anybody has handed over."""
        return self._opened.is_set()

    def take(self, message: discovery_pb2.DeltaDiscoveryResponse, *, first_hand: bool) -> None:
        """Replace a snapshot by the one in the message; what is not at first hand replaces none."""
        name, version, snapshot = from_message(message)
        if not first_hand and name in self.versions:
            return
        self.versions[name], self._snapshots[name] = version, snapshot
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def opened(self) -> None:
        """Return once anybody has handed over; whoever is not known then is refused."""
        await self._opened.wait()

    def change(self) -> asyncio.Event:
        """The event of the next change."""
        return self._changed

    def admit(self, key: Key) -> None:
        """Raises RefusedError where nothing is known of such sidecars."""
        if name_of(key) not in self._snapshots:
            raise RefusedError(
                f"no policy of {key.identity.namespace}/{key.identity.service_account} is known: "
                "its sidecar has to wait for an xDS server"
            )

    def snapshot(self, key: Key) -> Snapshot:
        """What such sidecars were last served."""
        return self._snapshots[name_of(key)]

    def remember(self, keys: Iterable[Key]) -> None:
        """Do nothing: what was never handed over cannot be made."""

    def expected(self) -> list[Key]:
        """All that is held."""
        return list(keys_of(self._snapshots))

    def closed_route(self, name: str) -> Encoded:
        """A route configuration that denies everything."""
        return self._encoder.encode(ROUTE, closed_route_configuration(name))

    @property
    def bundle_version(self) -> str:
        """Of none: who acknowledged which trust bundle counts at an xDS server alone."""
        return ""
