"""Serves the mesh to sidecars: an aggregated discovery service in its incremental form, over mutual TLS.

:mod:`lawflow.xds.world` keeps what the store says, :mod:`lawflow.xds.snapshots` turns it into encoded resources for
each sidecar, :mod:`lawflow.xds.stream` decides what one stream is sent, :mod:`lawflow.xds.server` speaks gRPC.
"""

import os

# gRPC's fork handlers serve children that go on in Python; ours are other programs, and get a warning each on stderr.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
# Every handshake that a stranger fails would be a line on stderr; what matters is logged by the server itself.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
