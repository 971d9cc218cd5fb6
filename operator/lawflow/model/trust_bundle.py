"""Where the controller publishes the roots, and what others issue with: a ConfigMap and Secrets beside Lawflow."""

SYSTEM_NAMESPACE = "lawflow-system"
"""Default of Lawflow's own namespace."""
CONFIG_MAP_NAME = "lawflow-trust-bundle"
BUNDLE_KEY = "ca.crt"
"""The roots as PEM."""
VERSION_KEY = "version"
"""What sidecars acknowledge the roots by."""
JWKS_KEY = "jwks.json"
"""The keys that tokens are verified with, as a JSON Web Key Set (RFC 7517)."""
TOKEN_KEYS_NAME = "lawflow-token-keys"  # noqa: S105 - a name
"""Secret in Lawflow's own namespace with the keys that tokens are signed with, for the xDS server."""
TOKEN_KEYS_KEY = "keys.json"  # noqa: S105 - a name
ISSUER_NAME = "lawflow-issuer"
"""Secret in Lawflow's own namespace with the authority that issues now, for the signer of pod certificates."""
APP_ROOTS_NAME = "lawflow-app-roots"
"""ConfigMap in a namespace whose apps have their TLS to hosts outside ended by their sidecar: under BUNDLE_KEY, the
roots to trust for it."""
XDS_SERVICE_ACCOUNT = "lawflow-xds"
"""Whom sidecars take for their xDS server, in Lawflow's own namespace; also the name of its Service."""
STANDBY_SERVICE_ACCOUNT = "lawflow-standby"
"""Whom they take for it while it cannot be reached; also the name of its Service."""
XDS_REPLICAS = "lawflow-xds-replicas"
"""Service whose name leads to each xDS server by itself."""
STANDBY_REPLICAS = "lawflow-standby-replicas"
"""Service whose name leads to each who stands by."""
XDS_PORT = 18000
"""Where both serve."""
