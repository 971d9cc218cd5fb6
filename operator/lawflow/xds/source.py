"""What streams send, and where they take it from."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from lawflow.mesh.policy import SCHEMA
from lawflow.mesh.sidecar import PLAIN_NETWORK, Identity, PodNetwork
from lawflow.xds.encode import Encoded


class Key(NamedTuple):
    """What a snapshot depends on, beside the world: sidecars with the same of it are served the same."""

    identity: Identity
    network: PodNetwork = PLAIN_NETWORK
    schema: int = SCHEMA


@dataclass(frozen=True)
class Snapshot:
    """All resources of one sidecar, by type URL and name, and the version of the trust bundle in them."""

    resources: Mapping[str, Mapping[str, Encoded]]
    bundle_version: str
    policies_by_route: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The policies that a route relies on, where they are not named like it."""
    shows_tokens: bool = False
    """Whether there are tokens in it, which live for minutes."""


class RefusedError(Exception):
    """A sidecar is not served here, and has to ask another server; says why."""


class Source(Protocol):
    """Where streams take from what they send."""

    async def opened(self) -> None:
        """Return once there is anything to serve."""

    def change(self) -> asyncio.Event:
        """The event of the next change; take it before reading a snapshot, so that none is missed."""

    def admit(self, key: Key) -> None:
        """Take note that such a sidecar begins a stream. Raises RefusedError where it is not served here."""

    def snapshot(self, key: Key) -> Snapshot:
        """What such sidecars should have now, of those that were admitted."""

    def closed_route(self, name: str) -> Encoded:
        """A route configuration that denies everything, for a name that is not, or no more, in a snapshot."""

    @property
    def bundle_version(self) -> str:
        """Version of the trust bundle that is served now."""
