"""How a sidecar is served: as its pod is reached and was made, whatever else runs under its service account."""

import pytest
from google.protobuf import struct_pb2

from lawflow.mesh.bootstrap import ADDRESSES, INTERCEPTION
from lawflow.mesh.sidecar import PodNetwork
from lawflow.xds.pod_network import pod_network
from lawflow.xds.source import RefusedError

pytestmark = pytest.mark.unit


def metadata(addresses: str, interception: str) -> struct_pb2.Struct:
    made = struct_pb2.Struct()
    made.update({ADDRESSES: addresses, INTERCEPTION: interception})
    return made


@pytest.mark.parametrize(
    ("addresses", "interception", "expected"),
    [
        ("10.0.0.1", "explicit", PodNetwork((4,))),
        ("10.0.0.1", "redirect", PodNetwork((4,), redirected=True)),
        ("fd00::1,10.0.0.1", "redirect", PodNetwork((4, 6), redirected=True)),
        ("fd00::1", "explicit", PodNetwork((6,))),
        ("", "", PodNetwork((4,))),
    ],
)
def test_the_families_are_those_that_the_pod_has(addresses: str, interception: str, expected: PodNetwork) -> None:
    assert pod_network(metadata(addresses, interception)) == expected


def test_a_sidecar_that_says_nothing_is_on_a_host() -> None:
    assert pod_network(struct_pb2.Struct()) == PodNetwork()


def test_what_is_no_address_is_named() -> None:
    with pytest.raises(RefusedError, match=r"'\$\(POD_ADDRESSES\)' is no address"):
        pod_network(metadata("$(POD_ADDRESSES)", "explicit"))
