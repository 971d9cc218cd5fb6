"""What a sidecar says of its pod's network."""

from ipaddress import ip_address

from google.protobuf import struct_pb2

from lawflow.mesh.bootstrap import ADDRESSES, INTERCEPTION
from lawflow.mesh.sidecar import PodNetwork
from lawflow.xds.source import RefusedError


def pod_network(metadata: struct_pb2.Struct) -> PodNetwork:
    """The network in a node's metadata, IPv4 first; that of a host where nothing is said of addresses.

    Pods of both interceptions may run under one service account. Raises RefusedError.
    """
    addresses = _text(metadata, ADDRESSES).split(",")
    families = {_version(each) for each in addresses if each} or {4}
    return PodNetwork(tuple(sorted(families)), _text(metadata, INTERCEPTION) == "redirect")


def _version(address: str) -> int:
    try:
        return ip_address(address).version
    except ValueError:
        raise RefusedError(f"{address!r} is no address that a sidecar's pod could have") from None


def _text(metadata: struct_pb2.Struct, key: str) -> str:
    return str(metadata[key]) if key in metadata else ""
