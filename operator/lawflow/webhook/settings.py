"""Limits and paths of the admission server, each with its reason."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Limits:
    """What one server takes on; beyond it a request is refused, and the API server goes on without us."""

    body_bytes: int = 10 * 1024 * 1024
    """Largest review: an object of 1.5 MiB (etcd's limit) comes twice in an update, and custom resources are larger."""
    header_bytes: int = 16 * 1024
    """Request line and headers together; the API server sends under 1 KiB."""
    request_seconds: float = 10.0
    """From the first byte of a request to its answer: the longest time-out that our webhooks are registered with."""
    idle_seconds: float = 120.0
    """How long a connection may stay open without a request; the API server closes its own after 90 s."""
    connections: int = 1000
    """Open connections; a stranger's must not exhaust file descriptors."""
    concurrent_requests: int = 256
    """Requests that are being received or answered."""
    buffered_bytes: int = 128 * 1024 * 1024
    """Bodies of all those requests together: it bounds the memory of the process."""


@dataclass(frozen=True)
class ServerSettings:
    """Where the server listens, its certificate, and how it ends."""

    certificate: Path
    key: Path
    host: str = "0.0.0.0"  # noqa: S104 - a pod's address is not known beforehand
    port: int = 9443
    health_port: int = 8080
    """Plain HTTP for probes and metrics, apart from reviews; 0 for none."""
    limits: Limits = Limits()
    certificate_seconds: float = 10.0
    """How often the certificate's files are looked at; the kubelet swaps them within a minute of a renewal."""
    drain_seconds: float = 5.0
    """On SIGTERM: how long to go on serving, unready, until every API server has heard that this endpoint is gone."""
