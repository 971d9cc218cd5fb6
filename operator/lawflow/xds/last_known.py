"""The snapshots that the xDS servers handed over last: what sidecars are served that start while none is there."""

import asyncio

from envoy.service.discovery.v3 import discovery_pb2

from lawflow.mesh.resources import ROUTE
from lawflow.mesh.route import closed_route_configuration
from lawflow.xds.encode import Encoded, Encoder
from lawflow.xds.handover import from_message, name_of
from lawflow.xds.source import Key, RefusedError, Snapshot


class LastKnown:
    """A source of streams that judges nothing: each snapshot holds for as long as its policies say."""

    def __init__(self) -> None:
        self.has_server = False
        """Whether any xDS server was ever reached."""
        self.versions: dict[str, str] = {}
        """Version by name of all that is held."""
        self._snapshots: dict[str, Snapshot] = {}
        self._encoder = Encoder()
        self._changed = asyncio.Event()

    def take(self, message: discovery_pb2.DeltaDiscoveryResponse) -> None:
        """Replace a snapshot by the one in the message."""
        name, self.versions[name], self._snapshots[name] = from_message(message)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def opened(self) -> None:
        """Return at once: whoever is not known is refused."""

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

    def closed_route(self, name: str) -> Encoded:
        """A route configuration that denies everything."""
        return self._encoder.encode(ROUTE, closed_route_configuration(name))

    @property
    def bundle_version(self) -> str:
        """Of none: who acknowledged which trust bundle counts at an xDS server alone."""
        return ""
