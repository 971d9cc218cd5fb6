"""What one sidecar has to do: whom its workload may call, and who may call its workload, by which flows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from lawflow.model.dataflow import DescriptorSet
from lawflow.model.loopback import CLUSTER_DOMAIN, loopback_destinations
from lawflow.model.operation import Operation
from lawflow.model.peer import HTTPS_PORT, ExternalDestination, ServiceDestination
from lawflow.model.sidecar import CERTIFICATE_DIRECTORY
from lawflow.resolve import ResolvedFlow

ServicePort = tuple[str, str, int]
"""Namespace, name and port of a Service; of a host outside, "", its DNS name in lower case, and its port."""


Address = tuple[str, int]
"""IP address and port."""


@dataclass(frozen=True)
class Whereabouts:
    """Where apps reach a port of a Service in the cluster's network."""

    service: tuple[Address, ...] = ()
    """The Service's own addresses: any pod behind it may answer."""
    pods: tuple[Address, ...] = ()
    """Those of its ready pods, each with the port at which it serves: who calls one wants that pod."""


@dataclass(frozen=True, order=True)
class Identity:
    """A service account: what certificates name, and what flows start and end at."""

    namespace: str
    service_account: str

    def spiffe_id(self, trust_domain: str) -> str:
        """The SPIFFE id of the service account, in the form that certificates carry."""
        return f"spiffe://{trust_domain}/ns/{self.namespace}/sa/{self.service_account}"


class PodNetwork(NamedTuple):
    """What the listeners of a sidecar depend on in its pod."""

    families: tuple[int, ...] = (4,)
    """Versions of IP that the pod has addresses of."""
    redirected: bool = False
    """Whether rules in its network send the app's connections to the sidecar (mode redirect)."""


PLAIN_NETWORK = PodNetwork()

_ANY = {4: "0.0.0.0", 6: "::"}  # noqa: S104 - peers reach a pod on any of its addresses
_LOOPBACK = {4: "127.0.0.1", 6: "::1"}


@dataclass(frozen=True)
class Placement:
    """Where a sidecar listens. The defaults are those of a pod, which has a network of its own."""

    address: str = ""
    """Where peers reach it; empty for all addresses."""
    workload: str = ""
    """Tells the loopback addresses of workloads apart that share one network."""
    certificate_directory: str = CERTIFICATE_DIRECTORY
    network: PodNetwork = PLAIN_NETWORK

    @property
    def reached_at(self) -> tuple[str, ...]:
        """The addresses to listen at for peers."""
        return (self.address,) if self.address else tuple(_ANY[family] for family in self.network.families)

    @property
    def capture(self) -> tuple[str, ...]:
        """Loopback addresses, one a family, where redirected connections arrive; empty in mode explicit."""
        return tuple(_LOOPBACK[family] for family in self.network.families) if self.network.redirected else ()


@dataclass(frozen=True)
class MeshSettings:
    """What holds for all sidecars of a mesh."""

    trust_domain: str = "cluster.local"
    cluster_domain: str = CLUSTER_DOMAIN
    egress: "Identity | None" = None
    """The gateway through which everything leaves that is bound for hosts outside; also the name of its Service.
    Without one each sidecar calls them itself, as on a single host."""
    terminates: bool = False
    """Whether sidecars end the TLS of apps towards hosts outside where a flow says so."""
    max_connection_duration: float = 1800
    """Seconds that a connection between sidecars may live. A live connection is not authenticated anew when a
    certificate is replaced, so this bounds how long a lost identity is still believed: half a certificate's life."""
    system_destinations: tuple[ServicePort, ...] = ()
    """Ports of Services that captured connections reach without a flow, as they are: the cluster's own."""


@dataclass(frozen=True)
class Passage:
    """A flow, why it is closed, and until when its verdict holds."""

    flow: ResolvedFlow
    closed: str = ""
    """Empty where it is open."""
    not_after: int | None = None
    """Seconds since 1970 from which on the verdict is too old; ``None`` where nothing in it ages."""


@dataclass(frozen=True)
class Rule:
    """What one flow lets its source call at one port of a Service."""

    flow: str
    """NAMESPACE/NAME."""
    source: str
    """SPIFFE id."""
    operations: tuple[Operation, ...] = ()
    purposes: tuple[str, ...] = ()
    """Those of operations that name none."""
    closed: str = ""
    not_after: int | None = None
    descriptor_sets: tuple[DescriptorSet, ...] = ()
    audience: str = ""
    """Whom the source shows a token to; "" where it shows none."""


@dataclass(frozen=True)
class PeerPort:
    """One port of a Service, with the flows that lead there."""

    service: ServicePort
    protocol: Literal["http", "tcp"]
    peer: str
    """SPIFFE id of the workloads behind the Service, or of the egress gateway; "" where a host is called without."""
    rules: tuple[Rule, ...]
    external: ExternalDestination | None = None
    """Set where the port is one of a host outside."""

    @property
    def name(self) -> str:
        """NAMESPACE/NAME:PORT or HOST:PORT, the stem of the names of all resources about this port."""
        namespace, name, port = self.service
        return f"{name}:{port}" if self.external else f"{namespace}/{name}:{port}"

    @property
    def host(self) -> str:
        """The host and port that requests name (RFC 9110, section 7.2)."""
        namespace, name, port = self.service
        if self.external:
            return name if port == HTTPS_PORT else f"{name}:{port}"
        return f"{name}.{namespace}.svc:{port}"

    @property
    def server_name(self) -> str:
        """The TLS server name by which a caller says which port of which Service or host outside it wants."""
        namespace, name, port = self.service
        return f"p{port}.{name}.external" if self.external else f"p{port}.{name}.{namespace}.svc"

    @property
    def speaks_tls(self) -> bool:
        """Whether the app itself speaks TLS here, and so names the host outside that it wants."""
        return self.external is not None and self.external.tls != "originate"

    @property
    def terminates(self) -> bool:
        """Whether the source's sidecar ends the TLS of its app here."""
        return self.external is not None and self.external.tls == "terminate"

    @property
    def open_rules(self) -> tuple[Rule, ...]:
        """The flows that let something through."""
        return tuple(rule for rule in self.rules if not rule.closed)


@dataclass(frozen=True)
class Outbound:
    """A port that the workload may call, and the loopback address that stands for its Service."""

    port: PeerPort
    address: str

    @property
    def listening_port(self) -> int:
        """Where the app calls."""
        return self.port.external.called_port if self.port.external else self.port.service[2]


@dataclass(frozen=True)
class Inbound:
    """A port that others may call, and where the workload serves it."""

    port: PeerPort
    local_port: int


@dataclass(frozen=True)
class Sidecar:
    """Everything that one service account's sidecars have to do."""

    identity: Identity
    outbound: tuple[Outbound, ...] = ()
    inbound: tuple[Inbound, ...] = ()
    placement: Placement = field(default_factory=Placement)


def sidecar(
    identity: Identity,
    passages: Iterable[Passage],
    settings: MeshSettings,
    local_ports: Mapping[ServicePort, int] | None = None,
    placement: Placement | None = None,
) -> Sidecar:
    """What the sidecars of ``identity`` have to do under the flows of a cluster.

    ``local_ports`` gives the port at which a Service's workload serves it, where that is not the Service's own.
    """
    placement = placement or Placement()
    known = list(passages)
    leaving = [passage for passage in known if source_of(passage.flow) == identity]
    # A flow that the other side has not accepted must leave no trace there.
    arriving = [
        passage
        for passage in known
        if destination_of(passage.flow, settings.egress) == identity and passage.flow.accepted
    ]
    addresses = {
        destination.host: destination.address
        for destination in loopback_destinations(
            (passage.flow.flow for passage in leaving), settings.cluster_domain, placement.workload
        )
    }
    return Sidecar(
        identity,
        tuple(
            Outbound(port, addresses[port.service[1] if port.external else f"{port.service[1]}.{port.service[0]}.svc"])
            for port in _ports(leaving, settings)
        ),
        tuple(
            Inbound(port, (local_ports or {}).get(port.service, port.service[2])) for port in _ports(arriving, settings)
        ),
        placement,
    )


def source_of(flow: ResolvedFlow) -> Identity:
    """The service account that a flow starts at."""
    return Identity(flow.namespace, flow.flow.spec.source.service_account_name)


def destination_of(flow: ResolvedFlow, egress: Identity | None = None) -> Identity | None:
    """The service account that a flow ends at; outside the cluster that is the gateway's, ``None`` without one."""
    service = flow.flow.spec.destination.service
    if service is None:
        return egress
    return Identity(service.namespace or flow.namespace, service.service_account_name or service.name)


def _ports(passages: Iterable[Passage], settings: MeshSettings) -> list[PeerPort]:
    found: dict[ServicePort, list[Passage]] = {}
    for passage in passages:
        found.setdefault(_service_port(passage.flow), []).append(passage)
    return [_port(service, found[service], settings) for service in sorted(found)]


def _port(service: ServicePort, passages: list[Passage], settings: MeshSettings) -> PeerPort:
    destination = passages[0].flow.flow.spec.destination
    peer = destination_of(passages[0].flow, settings.egress)
    rules = tuple(
        Rule(
            f"{passage.flow.namespace}/{passage.flow.flow.metadata.name}",
            source_of(passage.flow).spiffe_id(settings.trust_domain),
            passage.flow.flow.spec.operations,
            tuple(each.purpose for each in passage.flow.flow.spec.purposes),
            passage.closed or _contradiction(passage.flow, passages[0].flow, settings),
            passage.not_after,
            passage.flow.flow.spec.descriptor_sets,
            _audience(destination.external),
        )
        for passage in passages
    )
    spiffe_id = peer.spiffe_id(settings.trust_domain) if peer else ""
    return PeerPort(service, _protocol(passages[0].flow), spiffe_id, rules, destination.external)


def _contradiction(flow: ResolvedFlow, first: ResolvedFlow, settings: MeshSettings) -> str:
    """Why a flow cannot share its port with the first one: a port has one protocol and one identity behind it."""
    external = flow.flow.spec.destination.external
    if external and external.tls == "terminate" and not settings.terminates:
        return "its tls is terminate, which this installation does not serve: use originate or passthrough"
    name = f"{first.namespace}/{first.flow.metadata.name}"
    if _protocol(flow) != _protocol(first) or destination_of(flow) != destination_of(first):
        return f"it names another protocol or service account for this port than {name}"
    other = first.flow.spec.destination.external
    # At the gateway both are alike; at one source they would need two listeners.
    if external and other and external.tls != other.tls and source_of(flow) == source_of(first):
        return f"it names another tls for this port than {name}"
    return ""


def _audience(external: ExternalDestination | None) -> str:
    return external.token_audience if external else ""


def _protocol(flow: ResolvedFlow) -> Literal["http", "tcp"]:
    external = flow.flow.spec.destination.external
    if external is not None:
        return "tcp" if external.tls == "passthrough" else "http"
    return _service(flow).protocol


def _service(flow: ResolvedFlow) -> ServiceDestination:
    service = flow.flow.spec.destination.service
    assert service is not None, "only flows to Services have a port"
    return service


def _service_port(flow: ResolvedFlow) -> ServicePort:
    if external := flow.flow.spec.destination.external:
        return "", external.host.lower().rstrip("."), external.port
    service = _service(flow)
    return service.namespace or flow.namespace, service.name, service.port
