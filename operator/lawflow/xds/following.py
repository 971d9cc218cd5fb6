"""The standby's side of the handover: one stream from each xDS server, for as long as there are any.

Until the first of them is reached, those who stand by already are followed as well: who has just started knows nothing.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping
from typing import NamedTuple

import grpc
from envoy.service.discovery.v3 import discovery_pb2

from lawflow.xds.handover import METHOD
from lawflow.xds.last_known import LastKnown
from lawflow.xds.server import ServerCredentials

LOOKUP_SECONDS = 2.0
"""How often the name is looked up behind which the servers are, and streams that ended are begun anew."""

_log = logging.getLogger(__name__)


class Servers(NamedTuple):
    """Where servers are that hand over."""

    host: str
    """Leads to every one of them."""
    port: int
    name: str
    """What their certificates say."""


async def stand_by(
    known: LastKnown, xds: Servers, others: Servers, credentials: Callable[[], ServerCredentials]
) -> None:
    """Follow the xDS servers, for ever, and until one is reached the others who stand by.

    ``credentials`` is what this side proves itself with.
    """
    async with asyncio.TaskGroup() as group:
        group.create_task(follow(known, xds, credentials))
        from_others = group.create_task(follow(known, others, credentials, first_hand=False))
        await known.served.wait()
        from_others.cancel()


async def follow(
    known: LastKnown, servers: Servers, credentials: Callable[[], ServerCredentials], *, first_hand: bool = True
) -> None:
    """Take over what every server hands over, for ever."""
    streams: dict[str, asyncio.Task[None]] = {}
    async with asyncio.TaskGroup() as group:
        while True:
            for address in await _addresses(servers.host, servers.port):
                if address not in streams or streams[address].done():
                    work = _follow_one(known, address, servers.name, credentials(), first_hand=first_hand)
                    streams[address] = group.create_task(work)
            for ended in [address for address, stream in streams.items() if stream.done()]:
                del streams[ended]
            await asyncio.sleep(LOOKUP_SECONDS)


async def _addresses(host: str, port: int) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        # No address, no server: what is held is the last that is known.
        return []
    return sorted(
        {
            f"[{address[0]}]:{port}" if family == socket.AF_INET6 else f"{address[0]}:{port}"
            for family, *_, address in found
        }
    )


async def _follow_one(
    known: LastKnown, address: str, server_name: str, credentials: ServerCredentials, *, first_hand: bool
) -> None:
    async with channel_to(address, server_name, credentials) as channel:
        try:
            call = snapshots_from(channel, known.versions)
            await call.wait_for_connection()
            known.reached(first_hand=first_hand)
            async for message in call:
                known.take(message, first_hand=first_hand)
        except grpc.aio.AioRpcError as error:
            _log.warning("a server hands nothing over", extra={"server": address, "problem": error.details()})


def channel_to(address: str, server_name: str, credentials: ServerCredentials) -> grpc.aio.Channel:
    """A connection to such a server by mutual TLS."""
    security = grpc.ssl_channel_credentials(
        credentials.roots.encode(), credentials.private_key.encode(), credentials.certificate_chain.encode()
    )
    return grpc.aio.secure_channel(
        address, security, options=(*_OPTIONS, ("grpc.ssl_target_name_override", server_name))
    )


def snapshots_from(
    channel: grpc.aio.Channel, held: Mapping[str, str]
) -> "grpc.aio.UnaryStreamCall[discovery_pb2.DeltaDiscoveryRequest, discovery_pb2.DeltaDiscoveryResponse]":
    """What the server hands over to one that holds ``held``, versions by name. Raises AioRpcError when read."""
    method: grpc.aio.UnaryStreamMultiCallable[
        discovery_pb2.DeltaDiscoveryRequest, discovery_pb2.DeltaDiscoveryResponse
    ] = channel.unary_stream(
        METHOD,
        request_serializer=discovery_pb2.DeltaDiscoveryRequest.SerializeToString,
        response_deserializer=discovery_pb2.DeltaDiscoveryResponse.FromString,
    )
    return method(discovery_pb2.DeltaDiscoveryRequest(initial_resource_versions=held))


_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)
