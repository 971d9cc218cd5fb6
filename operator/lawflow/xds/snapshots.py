"""What each sidecar should have now, and word to the streams when that may have changed."""

import asyncio
import datetime as dt
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from lawflow.identity.interception import SECRET_BYTES, app_certificate
from lawflow.mesh.external import policies_by_route
from lawflow.mesh.keys import KeyRing
from lawflow.mesh.policy import Credential, Terms, no_credential
from lawflow.mesh.resources import ROUTE, behind, calls_outside, resources, shows_tokens
from lawflow.mesh.route import closed_route_configuration
from lawflow.mesh.sidecar import (
    Identity,
    MeshSettings,
    Placement,
    PodNetwork,
    ServicePort,
    Sidecar,
    Whereabouts,
    sidecar,
)
from lawflow.xds.credentials import RENEWAL_SECONDS as CREDENTIAL_RENEWAL_SECONDS
from lawflow.xds.encode import Encoded, Encoder
from lawflow.xds.source import Key, Snapshot
from lawflow.xds.world import World

COALESCING_SECONDS = 0.1
"""Changes within this time go out together: a rollout touches many objects, and each push costs every sidecar."""

POLICY_LIFE_SECONDS = 3600
"""How long a policy holds that is not renewed: what a sidecar may do that has lost its control plane."""
POLICY_RENEWAL_SECONDS = 600
"""How often policies are renewed. Each lives for between 50 minutes and an hour more at any time."""


REMEMBERED = 20_000
"""Kinds of sidecars whose snapshots are kept current for the standby; an unused one costs some kilobytes there."""


class Snapshots:
    """Snapshots by identity, computed when asked for and kept until the world or the bundle changes.

    Nothing is served before :meth:`open`: an empty world would close every path at each restart of the server.
    """

    def __init__(
        self,
        world: World,
        settings: MeshSettings,
        placement: Callable[[Identity], Placement] = lambda _identity: Placement(),
        coalescing_seconds: float = COALESCING_SECONDS,
        clock: Callable[[], float] = time.time,
        master: Callable[[], bytes] = bytes,
        external_roots: Callable[[], str] = str,
        credential: Credential = no_credential,
    ) -> None:
        self._world = world
        self._settings = settings
        self._placement = placement
        self._coalescing_seconds = coalescing_seconds
        self._clock = clock
        self._master = master
        self._external_roots = external_roots
        self._credential = credential
        self._encoder = Encoder()
        self._bundle = ("", "")
        self._known: dict[Key, Snapshot] = {}
        self._served: OrderedDict[Key, None] = OrderedDict()
        self._opened = asyncio.Event()
        self._changed = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Begin to serve: the world is complete."""
        self._opened.set()

    @property
    def is_open(self) -> bool:
        """Whether :meth:`open` was called."""
        return self._opened.is_set()

    async def opened(self) -> None:
        """Return once :meth:`open` was called."""
        await self._opened.wait()

    def trust(self, pem: str, version: str) -> None:
        """Set the trust bundle, with the version that acknowledgements are told by."""
        if (pem, version) != self._bundle:
            self._bundle = (pem, version)
            self.touch()

    @property
    def bundle(self) -> str:
        """The trust bundle as PEM; empty before there is one."""
        return self._bundle[0]

    @property
    def bundle_version(self) -> str:
        """Version of the trust bundle that is served now."""
        return self._bundle[1]

    async def renew(self) -> None:
        """Renew the policies of all sidecars before they end, and those with tokens more often, for ever."""
        while True:
            left = CREDENTIAL_RENEWAL_SECONDS - self._clock() % CREDENTIAL_RENEWAL_SECONDS
            await asyncio.sleep(left)
            if self._clock() % POLICY_RENEWAL_SECONDS < CREDENTIAL_RENEWAL_SECONDS:
                self.touch()
            else:
                self._renew_tokens()

    def touch(self) -> None:
        """Note a change; streams hear of it within the coalescing time."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._coalescing_seconds, self._announce)

    def change(self) -> asyncio.Event:
        """The event of the next change; take it before reading a snapshot, so that none is missed."""
        return self._changed

    def snapshot(self, key: Key) -> Snapshot:
        """What such sidecars should have now, in such a network, that read policies of such a schema."""
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._compute(*key)
        return found

    def admit(self, key: Key) -> None:
        """Keep the snapshots of such sidecars current for the standby from now on."""
        self.remember((key,))

    def remember(self, keys: Iterable[Key]) -> None:
        """Count them among those that were served."""
        for key in keys:
            self._served[key] = None
            self._served.move_to_end(key)
        while len(self._served) > REMEMBERED:
            self._served.popitem(last=False)

    def expected(self) -> list[Key]:
        """Whoever was served, and both ends of all flows in every form that anybody was served in: what may be asked
        for next."""
        forms = {key[1:] for key in self._served}
        return list(
            dict.fromkeys([*self._served, *(Key(each, *form) for each in self._world.identities() for form in forms)])
        )

    def closed_route(self, name: str) -> Encoded:
        """A route configuration that denies everything, for a name that is not, or no more, in a snapshot."""
        return self._encoder.encode(ROUTE, closed_route_configuration(name))

    def _announce(self) -> None:
        self._timer = None
        self._known.clear()
        self._tell()

    def _renew_tokens(self) -> None:
        shown = [key for key, snapshot in self._known.items() if snapshot.shows_tokens]
        for key in shown:
            del self._known[key]
        if shown:
            self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _compute(self, identity: Identity, network: PodNetwork, schema: int) -> Snapshot:
        bundle, version = self._bundle
        wanted = sidecar(
            identity,
            self._world.passages(identity),
            self._settings,
            self._world.local_ports(identity),
            replace(self._placement(identity), network=network),
        )
        services = {behind(outbound.port, self._settings) for outbound in wanted.outbound}
        endpoints = {service: self._world.addresses(service) for service in services}
        roots = self._external_roots() if calls_outside(wanted) else ""
        certificates, whereabouts = self._app_certificates(wanted), self._whereabouts(wanted)
        terms = self._terms(schema)
        plain = resources(wanted, self._settings, bundle, endpoints, terms, roots, certificates, whereabouts)
        return Snapshot(
            {
                type_url: {name: self._encoder.encode(type_url, resource) for name, resource in group.items()}
                for type_url, group in plain.items()
            },
            version,
            policies_by_route(wanted),
            shows_tokens(wanted),
        )

    def _app_certificates(self, wanted: Sidecar) -> dict[str, tuple[str, str]]:
        """By port, what the sidecar is a host outside with to its app; none without the secret that it derives from."""
        ports = [each.port for each in wanted.outbound if each.port.terminates and self._settings.terminates]
        if not ports or len(secret := self._master()) != SECRET_BYTES:
            return {}
        now, namespace = dt.datetime.fromtimestamp(self._clock(), dt.UTC), wanted.identity.namespace
        return {port.name: app_certificate(secret, namespace, port.service[1], now) for port in ports}

    def _whereabouts(self, wanted: Sidecar) -> Mapping[ServicePort, Whereabouts]:
        if not wanted.placement.capture:
            return {}
        services = [outbound.port.service for outbound in wanted.outbound if not outbound.port.external]
        return {
            service: self._world.whereabouts(service) for service in (*services, *self._settings.system_destinations)
        }

    def _terms(self, schema: int) -> Terms:
        """In steps of time, so that equal policies stay equal between two renewals."""
        now = int(self._clock())
        begun = now - now % POLICY_RENEWAL_SECONDS
        return Terms(begun + POLICY_LIFE_SECONDS, KeyRing.at(self._master(), begun), self._credential, schema)
