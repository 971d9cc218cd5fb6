"""The aggregated discovery service over gRPC with mutual TLS."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import grpc
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2

from lawflow.identity.spiffe import SpiffeId, SpiffeIdError
from lawflow.mesh.sidecar import Identity
from lawflow.xds.snapshots import Capture, Snapshots
from lawflow.xds.stream import Stream

XDS_PORT = 18000
CONNECTION_SECONDS = 1800
"""Longest life of a connection. A live one is not authenticated anew when certificates are replaced; half a
certificate's life bounds how long a lost identity is still believed."""

_OPTIONS = (
    ("grpc.max_connection_age_ms", CONNECTION_SECONDS * 1000),
    ("grpc.max_connection_age_grace_ms", 5_000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.so_reuseport", 0),
)

_log = logging.getLogger(__name__)


class AddressInUseError(OSError):
    """The server cannot listen where it should."""


@dataclass(frozen=True)
class Connection:
    """How one connected sidecar stands: what status and the rotation of roots are decided by."""

    identity: Identity
    node: str
    bundle_acknowledged: str
    rejected: dict[str, str]
    accepted: int
    module: str = ""


async def _explicit(_identity: Identity, _node: str) -> Capture:
    return ()


class DiscoveryService(ads_pb2_grpc.AggregatedDiscoveryServiceServicer):  # type: ignore[misc] # generated, untyped
    """Sends every sidecar what its certificate entitles it to, now and at each change."""

    def __init__(
        self,
        snapshots: Snapshots,
        trust_domain: str,
        interception: Callable[[Identity, str], Awaitable[Capture]] = _explicit,
    ) -> None:
        """``interception`` says, for identity and node id, where redirected connections arrive."""
        self._snapshots = snapshots
        self._interception = interception
        self._trust_domain = trust_domain
        self._streams: set[Stream] = set()
        self._answered = asyncio.Event()

    def connections(self) -> list[Connection]:
        """All connected sidecars."""
        return [
            Connection(
                stream.identity,
                stream.node,
                stream.bundle_acknowledged(self._snapshots),
                dict(stream.rejected),
                stream.accepted,
                stream.module,
            )
            for stream in self._streams
        ]

    def answer(self) -> asyncio.Event:
        """The event of the next request, acknowledgement or rejection of any sidecar, or of the end of its stream."""
        return self._answered

    async def DeltaAggregatedResources(  # noqa: N802 - the name in Envoy's API
        self,
        requests: AsyncIterator[discovery_pb2.DeltaDiscoveryRequest],
        context: "grpc.aio.ServicerContext[discovery_pb2.DeltaDiscoveryRequest, discovery_pb2.DeltaDiscoveryResponse]",
    ) -> AsyncIterator[discovery_pb2.DeltaDiscoveryResponse]:
        """Serve one stream until the sidecar ends it."""
        try:
            stream = Stream(_peer(context, self._trust_domain))
        except SpiffeIdError as error:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, str(error))
        await self._snapshots.opened()
        self._streams.add(stream)
        wake = asyncio.Event()
        reader = asyncio.create_task(self._read(requests, stream, wake))
        try:
            while not reader.done() or wake.is_set():
                wake.clear()
                changed = self._snapshots.change()
                for response in stream.respond(self._snapshots):
                    yield response
                await _first(wake, changed, reader)
            reader.result()
        finally:
            reader.cancel()
            self._streams.discard(stream)
            self._announce()

    async def _read(
        self, requests: AsyncIterator[discovery_pb2.DeltaDiscoveryRequest], stream: Stream, wake: asyncio.Event
    ) -> None:
        async for request in requests:
            if not stream.node:
                stream.capture = await self._interception(stream.identity, request.node.id)
            rejected_before = stream.rejected.get(request.type_url)
            stream.receive(request)
            reason = stream.rejected.get(request.type_url)
            if reason and reason != rejected_before:
                _log.error(
                    "a sidecar rejected its configuration and keeps the last one",
                    extra={"sidecar": str(stream.identity), "type": request.type_url, "reason": reason},
                )
            wake.set()
            self._announce()

    def _announce(self) -> None:
        answered, self._answered = self._answered, asyncio.Event()
        answered.set()


@dataclass(frozen=True)
class ServerCredentials:
    """What the server proves itself with and whom it lets in, all as PEM."""

    private_key: str
    certificate_chain: str
    roots: str


async def start(
    service: DiscoveryService, address: str, port: int, credentials: Callable[[], ServerCredentials]
) -> tuple[grpc.aio.Server, int]:
    """A running server and its port, which is a free one for ``port`` 0.

    ``credentials`` is asked again at each handshake, in a thread of gRPC: it must be quick.

    Raises AddressInUseError where the port is taken.
    """
    server = grpc.aio.server(options=_OPTIONS)
    ads_pb2_grpc.add_AggregatedDiscoveryServiceServicer_to_server(service, server)
    try:
        bound = server.add_secure_port(f"{address}:{port}", _channel_security(credentials))
    except RuntimeError as error:
        bound = 0
        reason = f" ({error})"
    else:
        reason = ""
    if not bound:
        raise AddressInUseError(
            f"cannot listen on {address}:{port}{reason}: end the process that does, or choose another port"
        )
    await server.start()
    return server, bound


def _channel_security(credentials: Callable[[], ServerCredentials]) -> grpc.ServerCredentials:
    def configuration() -> grpc.ServerCertificateConfiguration:
        now = credentials()
        return grpc.ssl_server_certificate_configuration(
            [(now.private_key.encode(), now.certificate_chain.encode())], now.roots.encode()
        )

    return grpc.dynamic_ssl_server_credentials(configuration(), configuration, require_client_authentication=True)


def _peer(context: "grpc.aio.ServicerContext[object, object]", trust_domain: str) -> Identity:
    """Who holds the key of the certificate at the other end. Raises SpiffeIdError."""
    names = [name.decode() for name in context.auth_context().get("x509_subject_alternative_name", ())]
    if len(names) != 1:
        raise SpiffeIdError(f"an X509-SVID carries exactly one name, this certificate {len(names)}")
    spiffe_id = SpiffeId.parse(names[0])
    if spiffe_id.trust_domain != trust_domain:
        raise SpiffeIdError(f"{spiffe_id} is not in the trust domain {trust_domain}")
    return Identity(spiffe_id.namespace, spiffe_id.service_account)


async def _first(wake: asyncio.Event, changed: asyncio.Event, reader: "asyncio.Task[None]") -> None:
    waits = [asyncio.create_task(event.wait()) for event in (wake, changed)]
    try:
        await asyncio.wait([*waits, reader], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
