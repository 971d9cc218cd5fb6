"""What the xDS server proves itself with, as gRPC asks for it."""

import pytest

from lawflow.xds.server import Configurations, ServerCredentials

pytestmark = pytest.mark.unit


def test_grpc_is_configured_anew_only_where_the_credentials_changed() -> None:
    held = [ServerCredentials("key", "chain", "roots")]
    configurations = Configurations(lambda: held[0])
    assert configurations() is not None
    assert configurations() is None
    for changed in (
        ServerCredentials("another", "chain", "roots"),
        ServerCredentials("another", "new chain", "roots"),
        ServerCredentials("another", "new chain", "new roots"),
    ):
        held[0] = changed
        assert configurations() is not None
        assert configurations() is None
