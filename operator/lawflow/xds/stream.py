"""One sidecar's stream in the incremental xDS protocol: what it subscribed to, what it has, what it is sent next.

Written after "xDS REST and gRPC protocol", section "Incremental xDS", of Envoy's documentation. No I/O here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from envoy.service.discovery.v3 import discovery_pb2

from lawflow.mesh.bootstrap import MODULE
from lawflow.mesh.policy import SCHEMA, SCHEMAS
from lawflow.mesh.resources import CLUSTER, ENDPOINT, EXTENSION, LISTENER, ROUTE, SECRET
from lawflow.mesh.sidecar import PLAIN_NETWORK, Identity, PodNetwork
from lawflow.xds.encode import Encoded
from lawflow.xds.pod_network import pod_network
from lawflow.xds.source import Key, Snapshot, Source

ORDER = (CLUSTER, ENDPOINT, SECRET, EXTENSION, LISTENER, ROUTE)
"""Make before break: what is referred to goes out before what refers to it."""


@dataclass
class Subscription:
    """What a stream wants and has of one type."""

    wildcard: bool = False
    names: set[str] = field(default_factory=set)
    held: dict[str, str] = field(default_factory=dict)
    """Version by name, as last sent, or as held before the stream began; "" for one that was reported missing."""
    sent: dict[str, str] = field(default_factory=dict)
    """Version of the trust bundle by nonce, for responses that are not answered yet."""
    offered: dict[str, dict[str, str]] = field(default_factory=dict)
    """Version by name in those responses, by nonce."""
    refused: dict[str, str] = field(default_factory=dict)
    """Version by name of what the sidecar did not take."""
    started: bool = False
    told: bool = False
    """Whether it was answered at all: Envoy waits for a first answer to a wildcard, even an empty one."""


@dataclass(eq=False)
class Stream:
    """The state of one stream. It trusts the certificate's identity and nothing that the sidecar says of itself."""

    identity: Identity
    node: str = ""
    module: str = ""
    """Version of the sidecar's module and schema of its policies, as it says; "" where it says nothing."""
    rejected: dict[str, str] = field(default_factory=dict)
    """By type URL, why the sidecar did not take the last response; gone once it takes one."""
    accepted: int = 0
    """Responses that the sidecar took."""
    network: PodNetwork = PLAIN_NETWORK
    """That of its pod, as it says. It only chooses how it is served what its certificate entitles it to."""
    _subscriptions: dict[str, Subscription] = field(default_factory=dict)
    _responses: int = 0
    _bundle_acknowledged: str = ""

    @property
    def key(self) -> Key:
        """What it is served by."""
        return Key(self.identity, self.network, self.schema)

    @property
    def schema(self) -> int:
        """Version of the policies that it is written; the newest where it says nothing, or reads none that is."""
        schema = self.module.rpartition("/")[2]
        return int(schema) if schema and self._reads_policies() else SCHEMA

    def receive(self, request: discovery_pb2.DeltaDiscoveryRequest) -> None:
        """Take in a request: a subscription, an acknowledgement, a rejection, or the first and one of the others."""
        self.node = request.node.id or self.node
        if MODULE in request.node.metadata:
            self.network = pod_network(request.node.metadata)
            self.module = str(request.node.metadata[MODULE])
            if not self._reads_policies():
                self.rejected[EXTENSION] = (
                    f"the sidecar's module {self.module} reads policies of a schema that is not written any more, "
                    "so it lets nothing through: roll its workload out again"
                )
        subscription = self._subscriptions.setdefault(request.type_url, Subscription())
        if not subscription.started:
            subscription.started = True
            subscription.held.update(request.initial_resource_versions)
            subscription.wildcard = not request.resource_names_subscribe
        for name in request.resource_names_unsubscribe:
            subscription.wildcard = subscription.wildcard and name != "*"
            subscription.names.discard(name)
            subscription.held.pop(name, None)
        for name in request.resource_names_subscribe:
            if name == "*":
                subscription.wildcard = True
                continue
            # A name that is subscribed again is wanted again: Envoy asks so when a cluster warms anew.
            if name not in request.initial_resource_versions:
                subscription.held.pop(name, None)
            subscription.names.add(name)
        if request.response_nonce:
            self._answered(request, subscription)

    def respond(self, source: Source) -> Iterator[discovery_pb2.DeltaDiscoveryResponse]:
        """Everything that the sidecar lacks, in an order that it can apply."""
        snapshot = source.snapshot(self.key)
        for type_url in ORDER:
            subscription = self._subscriptions.get(type_url)
            if subscription is not None and (response := self._response(type_url, subscription, snapshot, source)):
                yield response

    def bundle_acknowledged(self, source: Source) -> str:
        """Version of the trust bundle that the sidecar has; one that needs none has the current one."""
        needed = source.snapshot(self.key).resources.get(SECRET)
        return self._bundle_acknowledged if needed else source.bundle_version

    def _answered(self, request: discovery_pb2.DeltaDiscoveryRequest, subscription: Subscription) -> None:
        bundle_version = subscription.sent.pop(request.response_nonce, None)
        offered = subscription.offered.pop(request.response_nonce, {})
        if request.HasField("error_detail"):
            subscription.refused.update(offered)
            self.rejected[request.type_url] = request.error_detail.message
            return
        self.rejected.pop(request.type_url, None)
        self.accepted += 1
        if request.type_url == SECRET and bundle_version is not None and not subscription.sent:
            self._bundle_acknowledged = bundle_version

    def _response(
        self, type_url: str, subscription: Subscription, snapshot: Snapshot, source: Source
    ) -> discovery_pb2.DeltaDiscoveryResponse | None:
        current = snapshot.resources.get(type_url, {})
        if type_url == EXTENSION and not self._reads_policies():
            current = {}
        wanted: dict[str, Encoded] = {}
        missing: list[str] = []
        for name in {*subscription.names, *(current if subscription.wildcard else ())}:
            if name in current:
                is_closed = type_url == ROUTE and self._is_policy_refused(name, snapshot)
                wanted[name] = source.closed_route(name) if is_closed else current[name]
            elif type_url == ROUTE:
                # Envoy keeps a route configuration that is removed; an emptied one takes effect at once.
                wanted[name] = source.closed_route(name)
            else:
                missing.append(name)
        if subscription.wildcard:
            missing += [name for name in subscription.held if name not in current and name not in subscription.names]
        changed = {name: each for name, each in wanted.items() if subscription.held.get(name) != each.version}
        removed = [name for name in missing if subscription.held.get(name) != ""]
        if not changed and not removed and (subscription.told or not subscription.wildcard):
            if type_url == SECRET and not subscription.sent and type_url not in self.rejected:
                self._bundle_acknowledged = snapshot.bundle_version
            return None
        subscription.told = True
        self._responses += 1
        nonce = str(self._responses)
        subscription.sent[nonce] = snapshot.bundle_version
        subscription.offered[nonce] = {name: each.version for name, each in changed.items()}
        subscription.held.update(subscription.offered[nonce])
        for name in removed:
            if name in subscription.names:
                subscription.held[name] = ""
            else:
                subscription.held.pop(name, None)
        return discovery_pb2.DeltaDiscoveryResponse(
            type_url=type_url,
            nonce=nonce,
            resources=[
                discovery_pb2.Resource(name=name, version=each.version, resource=each.resource)
                for name, each in sorted(changed.items())
            ],
            removed_resources=sorted(removed),
        )

    def _reads_policies(self) -> bool:
        schema = self.module.rpartition("/")[2]
        return not schema or (schema.isdecimal() and int(schema) in SCHEMAS)

    def _is_policy_refused(self, name: str, snapshot: Snapshot) -> bool:
        """Whether the module rejected the policy of a port as it is now: it applies the last one, which may be dead.

        Then the port is closed by other means that it cannot fail to understand.
        """
        if not self._reads_policies():
            return True
        policies = snapshot.resources.get(EXTENSION, {})
        subscription = self._subscriptions.get(EXTENSION)
        return subscription is not None and any(
            (policy := policies.get(each)) is not None and subscription.refused.get(each) == policy.version
            for each in snapshot.policies_by_route.get(name, (name,))
        )
