"""The aggregated discovery service over gRPC with mutual TLS."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import grpc
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2

from lawflow.identity.spiffe import SpiffeId, SpiffeIdError
from lawflow.mesh.sidecar import Identity
from lawflow.xds.source import RefusedError, Source
from lawflow.xds.stream import Stream

CONNECTION_SECONDS = 1800
"""Longest life of a connection. A live one is not authenticated anew when certificates are replaced; half a
certificate's life bounds how long a lost identity is still believed."""

_OPTIONS = (
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


class DiscoveryService(ads_pb2_grpc.AggregatedDiscoveryServiceServicer):  # type: ignore[misc] # generated, untyped
    """Sends every sidecar what its certificate entitles it to, now and at each change."""

    def __init__(
        self,
        source: Source,
        trust_domain: str,
        *,
        resumes: bool = True,
    ) -> None:
        """``resumes`` says whether sidecars are served, too, that have their configuration already."""
        self._source = source
        self._resumes = resumes
        self._trust_domain = trust_domain
        self._streams: set[Stream] = set()
        self._answered = asyncio.Event()

    def connections(self) -> list[Connection]:
        """All connected sidecars."""
        return [
            Connection(
                stream.identity,
                stream.node,
                stream.bundle_acknowledged(self._source),
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
        stream = Stream(await authenticated(context, self._trust_domain))
        await self._source.opened()
        wake = asyncio.Event()
        reader = asyncio.create_task(self._read(requests, stream, wake))
        try:
            while not reader.done() or wake.is_set():
                wake.clear()
                changed = self._source.change()
                # Before its first request nobody knows what the sidecar is to be served by.
                for response in stream.respond(self._source) if stream in self._streams else ():
                    yield response
                await _first(wake, changed, reader)
            reader.result()
        except RefusedError as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        finally:
            reader.cancel()
            self._streams.discard(stream)
            self._announce()

    async def _read(
        self, requests: AsyncIterator[discovery_pb2.DeltaDiscoveryRequest], stream: Stream, wake: asyncio.Event
    ) -> None:
        async for request in requests:
            if request.initial_resource_versions and not self._resumes:
                raise RefusedError("a sidecar that has its configuration goes on with it until an xDS server is back")
            rejected_before = stream.rejected.get(request.type_url)
            stream.receive(request)
            reason = stream.rejected.get(request.type_url)
            if reason and reason != rejected_before:
                _log.error(
                    "a sidecar rejected its configuration and keeps the last one",
                    extra={"sidecar": str(stream.identity), "type": request.type_url, "reason": reason},
                )
            if stream not in self._streams:
                self._source.admit(stream.key)
                self._streams.add(stream)
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
    service: DiscoveryService,
    address: str,
    port: int,
    credentials: Callable[[], ServerCredentials],
    *handlers: grpc.GenericRpcHandler,
    connection_seconds: float = CONNECTION_SECONDS,
) -> tuple[grpc.aio.Server, int]:
    """A running server and its port, which is a free one for ``port`` 0.

    ``credentials`` is asked again at each handshake, in a thread of gRPC: it must be quick. ``handlers`` serve what
    else is asked for at the port, and connections end after ``connection_seconds``.

    Raises AddressInUseError where the port is taken.
    """
    age = "grpc.max_connection_age_ms", round(connection_seconds * 1000)
    server = grpc.aio.server(options=(*_OPTIONS, age))
    server.add_generic_rpc_handlers(handlers)
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


class Configurations:
    """What gRPC is configured with at each handshake: something only where the credentials changed.

    Each configuration replaces that of handshakes under way, which gRPC does not guard: one for every handshake ends
    the process as soon as a caller breaks two off.
    """

    def __init__(self, credentials: Callable[[], ServerCredentials]) -> None:
        self._credentials = credentials
        self._last: ServerCredentials | None = None

    def __call__(self) -> grpc.ServerCertificateConfiguration | None:
        """The configuration to take from now on, None for that of before. gRPC asks one question at a time."""
        now = self._credentials()
        if now == self._last:
            return None
        self._last = now
        pair = now.private_key.encode(), now.certificate_chain.encode()
        return grpc.ssl_server_certificate_configuration([pair], now.roots.encode())


def _channel_security(credentials: Callable[[], ServerCredentials]) -> grpc.ServerCredentials:
    configurations = Configurations(credentials)
    return grpc.dynamic_ssl_server_credentials(configurations(), configurations, require_client_authentication=True)


async def authenticated(context: "grpc.aio.ServicerContext[Any, Any]", trust_domain: str) -> Identity:
    """Who calls; a call without an X509-SVID of the trust domain is ended, as UNAUTHENTICATED."""
    try:
        caller = _peer(context, trust_domain)
    except SpiffeIdError as error:
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, str(error))
    return caller


def _peer(context: "grpc.aio.ServicerContext[object, object]", trust_domain: str) -> Identity:
    """Who holds the key of the certificate at the other end. Raises SpiffeIdError."""
    # gRPC tells it where the certificate holds exactly one URI, as an X509-SVID does (section 2 of its specification).
    ids = [each.decode() for each in context.auth_context().get("peer_spiffe_id", ())]
    if len(ids) != 1:
        raise SpiffeIdError("the certificate is no X509-SVID: it carries no SPIFFE id, or more than one")
    spiffe_id = SpiffeId.parse(ids[0])
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
