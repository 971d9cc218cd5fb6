"""Spellings of Envoy's JSON form that more than one resource needs."""

from typing import Any

Resource = dict[str, Any]
"""One Envoy message in the JSON form of protocol buffers, fields in snake case, ``@type`` where Envoy wants an Any."""

TYPE_PREFIX = "type.googleapis.com/"

ADS: Resource = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}
"""Resources come by the aggregated stream; Envoy waits for them however long it takes, rather than start without."""


def typed(message: str, **fields: Any) -> Resource:
    """An Any that holds ``message``, e.g. ``envoy.extensions.filters.http.router.v3.Router``."""
    return {"@type": TYPE_PREFIX + message, **fields}


def extension(name: str, message: str, **fields: Any) -> Resource:
    """An extension by name with its configuration."""
    return {"name": name, "typed_config": typed(message, **fields)}


def socket_address(address: str, port: int) -> Resource:
    """A TCP address."""
    return {"socket_address": {"address": address, "port_value": port}}


def seconds(duration: float) -> str:
    """A duration in the JSON form of google.protobuf.Duration."""
    return f"{duration:g}s"
