"""What an xDS server hands to the standby: every snapshot that may be asked for, and each change of one.

One gRPC method beside the discovery service. Its messages are those of incremental xDS: the standby says which
snapshots it holds, by name and version, and gets one response for each that is new or another. Those who stand by hand
what they hold to each other in the same way.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from hashlib import sha256
from typing import Protocol

import grpc
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf import any_pb2, json_format, struct_pb2

from lawflow.mesh.sidecar import Identity, PodNetwork
from lawflow.xds.encode import Encoded
from lawflow.xds.server import authenticated
from lawflow.xds.source import Key, Snapshot

METHOD = "/lawflow.Handover/Follow"
PERIOD_SECONDS = 1.0
"""Shortest pause between two looks at all snapshots: about as old they may be at the standby."""
PAUSE_PER_LOOK = 4
"""Longer pauses where a look takes long, so that it costs a fifth of a core at most."""


class Holder(Protocol):
    """Who has something to hand over."""

    async def opened(self) -> None:
        """Return once there is anything."""

    def remember(self, keys: Iterable[Key]) -> None:
        """Hold what such sidecars are served from now on, too, where it can be made."""

    def expected(self) -> list[Key]:
        """What sidecars that may come."""

    def snapshot(self, key: Key) -> Snapshot:
        """What such sidecars are served now, of those that are expected."""


class Handover:
    """Serves METHOD to the standby, and to nobody else: it is told of all sidecars."""

    def __init__(self, snapshots: Holder, standby: Identity, trust_domain: str) -> None:
        self._snapshots = snapshots
        self._standby = standby
        self._trust_domain = trust_domain

    def handler(self) -> grpc.GenericRpcHandler:
        """What the gRPC server takes."""
        _, service, method = METHOD.split("/")
        follow = grpc.unary_stream_rpc_method_handler(
            self.follow,
            request_deserializer=discovery_pb2.DeltaDiscoveryRequest.FromString,
            response_serializer=discovery_pb2.DeltaDiscoveryResponse.SerializeToString,
        )
        return grpc.method_handlers_generic_handler(service, {method: follow})

    async def follow(
        self,
        request: discovery_pb2.DeltaDiscoveryRequest,
        context: "grpc.aio.ServicerContext[discovery_pb2.DeltaDiscoveryRequest, discovery_pb2.DeltaDiscoveryResponse]",
    ) -> AsyncIterator[discovery_pb2.DeltaDiscoveryResponse]:
        """Every snapshot that the standby lacks, for ever."""
        if await authenticated(context, self._trust_domain) != self._standby:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "only the standby is told of all sidecars")
        await self._snapshots.opened()
        # A stream that has nothing to tell yet is one all the same.
        await context.send_initial_metadata(())
        held = dict(request.initial_resource_versions)
        # What it holds was served by another server, or before a restart: it must not grow old there.
        self._snapshots.remember(keys_of(held))
        last: dict[str, Snapshot] = {}
        while True:
            began = time.monotonic()
            for key in self._snapshots.expected():
                snapshot, name = self._snapshots.snapshot(key), name_of(key)
                if last.get(name) is snapshot:
                    continue
                last[name] = snapshot
                version = version_of(snapshot)
                if held.get(name) != version:
                    held[name] = version
                    yield to_message(name, version, snapshot)
                # Between two snapshots the sidecars have their turn.
                await asyncio.sleep(0)
            await asyncio.sleep(max(PERIOD_SECONDS, PAUSE_PER_LOOK * (time.monotonic() - began)))


def name_of(key: Key) -> str:
    """A key as text."""
    mode = "redirect" if key.network.redirected else "explicit"
    families = map(str, key.network.families)
    return "/".join([key.identity.namespace, key.identity.service_account, str(key.schema), mode, *families])


def key_of(name: str) -> Key:
    """The key that a text was made of. Raises ValueError."""
    namespace, service_account, schema, mode, *families = name.split("/")
    network = PodNetwork(tuple(map(int, families)), mode == "redirect")
    return Key(Identity(namespace, service_account), network, int(schema))


def keys_of(names: Iterable[str]) -> Iterator[Key]:
    """Those that this release can read."""
    for name in names:
        with contextlib.suppress(ValueError):
            yield key_of(name)


def version_of(snapshot: Snapshot) -> str:
    """Equal contents have equal versions, on every server."""
    parts = [
        f"{type_url} {name} {each.version}"
        for type_url, group in snapshot.resources.items()
        for name, each in group.items()
    ]
    return sha256("\n".join([snapshot.bundle_version, *sorted(parts)]).encode()).hexdigest()[:32]


def to_message(name: str, version: str, snapshot: Snapshot) -> discovery_pb2.DeltaDiscoveryResponse:
    """A snapshot under its name: the first resource tells of it, the others are those in it."""
    about, relied_on = any_pb2.Any(), {route: list(names) for route, names in snapshot.policies_by_route.items()}
    about.Pack(json_format.ParseDict({_BUNDLE: snapshot.bundle_version, _POLICIES: relied_on}, struct_pb2.Struct()))
    resources = [
        discovery_pb2.Resource(name=each, version=encoded.version, resource=encoded.resource)
        for group in snapshot.resources.values()
        for each, encoded in group.items()
    ]
    first = discovery_pb2.Resource(name=name, version=version, resource=about)
    return discovery_pb2.DeltaDiscoveryResponse(resources=[first, *resources])


def from_message(message: discovery_pb2.DeltaDiscoveryResponse) -> tuple[str, str, Snapshot]:
    """Name, version and snapshot in a message."""
    first, *rest = message.resources
    struct = struct_pb2.Struct()
    first.resource.Unpack(struct)
    about = json_format.MessageToDict(struct)
    resources: dict[str, dict[str, Encoded]] = {}
    for each in rest:
        resources.setdefault(each.resource.type_url, {})[each.name] = Encoded(each.version, each.resource)
    relied_on = {route: tuple(names) for route, names in about[_POLICIES].items()}
    return first.name, first.version, Snapshot(resources, about[_BUNDLE], relied_on)


_BUNDLE = "bundleVersion"
_POLICIES = "policiesByRoute"
