"""Resources from their JSON form to the bytes on the wire, once for each content."""

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module

import orjson
from google.protobuf import any_pb2, json_format

from lawflow.mesh.envoy import TYPE_PREFIX, Resource

_MESSAGE_MODULES = (
    "envoy.config.cluster.v3.cluster_pb2",
    "envoy.config.core.v3.extension_pb2",
    "envoy.config.endpoint.v3.endpoint_pb2",
    "envoy.config.listener.v3.listener_pb2",
    "envoy.config.route.v3.route_pb2",
    "envoy.config.route.v3.route_components_pb2",
    "envoy.config.bootstrap.v3.bootstrap_pb2",
    "envoy.extensions.filters.http.dynamic_modules.v3.dynamic_modules_pb2",
    "envoy.extensions.filters.http.rbac.v3.rbac_pb2",
    "envoy.extensions.filters.http.router.v3.router_pb2",
    "envoy.extensions.filters.listener.original_dst.v3.original_dst_pb2",
    "envoy.extensions.filters.listener.tls_inspector.v3.tls_inspector_pb2",
    "envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2",
    "envoy.extensions.filters.network.rbac.v3.rbac_pb2",
    "envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2",
    "envoy.extensions.filters.network.set_filter_state.v3.set_filter_state_pb2",
    "envoy.extensions.network.dns_resolver.cares.v3.cares_dns_resolver_pb2",
    "envoy.extensions.retry.host.previous_hosts.v3.previous_hosts_pb2",
    "envoy.extensions.matching.common_inputs.network.v3.network_inputs_pb2",
    "envoy.extensions.transport_sockets.tls.v3.secret_pb2",
    "envoy.extensions.transport_sockets.tls.v3.tls_pb2",
    "envoy.extensions.upstreams.http.v3.http_protocol_options_pb2",
    "google.protobuf.struct_pb2",
    "lawflow.xds.composite",
    "google.protobuf.wrappers_pb2",
)
"""Modules that declare the messages in use; the JSON form of an Any can only be read where they are loaded."""


@dataclass(frozen=True)
class Encoded:
    """A resource as bytes; equal contents have equal versions on every replica and after every restart."""

    version: str
    resource: any_pb2.Any


class Encoder:
    """Encodes resources and remembers the last ``capacity`` results by content."""

    def __init__(self, capacity: int = 10_000) -> None:
        for module in _MESSAGE_MODULES:
            import_module(module)
        self._capacity = capacity
        self._known: OrderedDict[str, Encoded] = OrderedDict()

    def encode(self, type_url: str, resource: Resource) -> Encoded:
        """The encoded resource. Raises google.protobuf.json_format.ParseError where Envoy has no such field."""
        document = orjson.dumps([type_url, resource], option=orjson.OPT_SORT_KEYS)
        version = sha256(document).hexdigest()[:32]
        known = self._known.get(version)
        if known is None:
            known = Encoded(version, message(type_url, resource))
            self._known[version] = known
            if len(self._known) > self._capacity:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(version)
        return known


def message(type_url: str, resource: Resource) -> any_pb2.Any:
    """A resource as a protocol buffer; map entries in order, so that equal contents are equal bytes."""
    packed = any_pb2.Any()
    json_format.ParseDict({"@type": type_url, **resource}, packed)
    assert packed.type_url.startswith(TYPE_PREFIX), "resources are messages of Envoy's API"
    return packed
