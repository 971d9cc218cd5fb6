"""Mutual TLS between sidecars: version 1.3 only, leaf and key by file, the peer's identity by name."""

from collections.abc import Iterable

from lawflow.mesh.envoy import ADS, Resource, extension
from lawflow.model import sidecar as contract

_CIPHER_SUITES = (
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
)  # fmt: skip
"""For TLS 1.2, those that RFC 9325 recommends (section 4.2): forward secrecy and authenticated encryption."""

EXTERNAL_ROOTS = "external-roots"
"""Secret with the certificate authorities that hosts outside are known by."""

_TLS = "envoy.extensions.transport_sockets.tls.v3."


def upstream_socket(server_name: str, peer_secret: str, directory: str) -> Resource:
    """The calling end: presents the sidecar's own leaf and checks the peer by the secret ``peer_secret``."""
    return extension(
        "envoy.transport_sockets.tls",
        _TLS + "UpstreamTlsContext",
        sni=server_name,
        max_session_keys=0,
        common_tls_context=_common(directory, {"name": peer_secret, "sds_config": ADS}),
    )


def external_socket(host: str) -> Resource:
    """TLS 1.2 or 1.3 to a host outside, which an authority of the secret EXTERNAL_ROOTS vouches for by name.

    1.2 because not every peer has 1.3 yet.
    """
    return extension(
        "envoy.transport_sockets.tls",
        _TLS + "UpstreamTlsContext",
        sni=host,
        max_session_keys=0,
        common_tls_context={
            "tls_params": _public_parameters(),
            "combined_validation_context": {
                "default_validation_context": {
                    "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": host}}],
                },
                "validation_context_sds_secret_config": {"name": EXTERNAL_ROOTS, "sds_config": ADS},
            },
        },
    )


def app_socket(secret: str) -> Resource:
    """The end towards an app that calls a host outside by TLS: the sidecar is that host by the secret ``secret``."""
    return extension(
        "envoy.transport_sockets.tls",
        _TLS + "DownstreamTlsContext",
        common_tls_context={
            "tls_params": _public_parameters(),
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_certificate_sds_secret_configs": [{"name": secret, "sds_config": ADS}],
        },
    )


def app_secret_name(port: str) -> str:
    """Name of the secret by which a sidecar is the host of a port to its app."""
    return f"app/{port}"


def app_secret(port: str, chain: str, key: str) -> Resource:
    """Certificate and key (PEM) by which a sidecar is the host of a port to its app."""
    certificate = {"certificate_chain": {"inline_string": chain}, "private_key": {"inline_string": key}}
    return {"name": app_secret_name(port), "tls_certificate": certificate}


def external_roots_secret(roots: str) -> Resource:
    """The authorities that hosts outside are known by (PEM); each host's own name is checked beside."""
    return {"name": EXTERNAL_ROOTS, "validation_context": {"trusted_ca": {"inline_string": roots}}}


def downstream_socket(peer_secret: str, directory: str) -> Resource:
    """The called end. Sessions are never resumed: a resumed one would not present its certificate again."""
    return extension(
        "envoy.transport_sockets.tls",
        _TLS + "DownstreamTlsContext",
        require_client_certificate=True,
        disable_stateless_session_resumption=True,
        disable_stateful_session_resumption=True,
        common_tls_context={
            **_common(directory, {"name": peer_secret, "sds_config": ADS}),
            "alpn_protocols": ["h2", "http/1.1"],
        },
    )


def control_plane_socket(server_ids: Iterable[str], directory: str) -> Resource:
    """The sidecar's connection to its xDS servers, whose roots come by file: nothing could deliver them yet."""
    common = _common(directory, {})
    del common["validation_context_sds_secret_config"]
    common["combined_validation_context"] = {
        "default_validation_context": {"match_typed_subject_alt_names": _spiffe_ids(server_ids)},
        "validation_context_sds_secret_config": {
            "name": contract.TRUST_SECRET,
            "sds_config": _file(directory, contract.TRUST_SECRET_FILE),
        },
    }
    return extension("envoy.transport_sockets.tls", _TLS + "UpstreamTlsContext", common_tls_context=common)


def peer_secret(name: str, bundle: str, spiffe_ids: Iterable[str]) -> Resource:
    """Who is believed to be the peer: one of ``spiffe_ids``, vouched for by a root in ``bundle`` (PEM).

    Raises ValueError for no id: Envoy would then take any certificate that the roots vouch for.
    """
    matchers = _spiffe_ids(spiffe_ids)
    if not matchers:
        raise ValueError(f"the secret {name} would admit every peer: give it a SPIFFE id")
    return {
        "name": name,
        "validation_context": {"trusted_ca": {"inline_string": bundle}, "match_typed_subject_alt_names": matchers},
    }


def certificate_secret_file(directory: str) -> Resource:
    """Content of CERTIFICATE_SECRET_FILE: an SDS answer that names leaf and key in the same directory.

    Envoy reads them again when ``directory`` changes, that is when kubelet swaps its ``..data`` link.
    """
    return _secret_file(
        {
            "name": contract.CERTIFICATE_SECRET,
            "tls_certificate": {
                "certificate_chain": {"filename": f"{directory}/{contract.CERTIFICATE_FILE}"},
                "private_key": {"filename": f"{directory}/{contract.KEY_FILE}"},
                "watched_directory": {"path": directory},
            },
        }
    )


def trust_secret_file(directory: str) -> Resource:
    """Content of TRUST_SECRET_FILE: an SDS answer that names the roots of the xDS server."""
    return _secret_file(
        {
            "name": contract.TRUST_SECRET,
            "validation_context": {
                "trusted_ca": {"filename": f"{directory}/{contract.TRUST_FILE}"},
                "watched_directory": {"path": directory},
            },
        }
    )


def _secret_file(secret: Resource) -> Resource:
    return {"version_info": "1", "resources": [{"@type": f"type.googleapis.com/{_TLS}Secret", **secret}]}


def _common(directory: str, validation: Resource) -> Resource:
    return {
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"},
        "tls_certificate_sds_secret_configs": [
            {"name": contract.CERTIFICATE_SECRET, "sds_config": _file(directory, contract.CERTIFICATE_SECRET_FILE)}
        ],
        "validation_context_sds_secret_config": validation,
    }


def _public_parameters() -> Resource:
    return {
        "tls_minimum_protocol_version": "TLSv1_2",
        "tls_maximum_protocol_version": "TLSv1_3",
        "cipher_suites": list(_CIPHER_SUITES),
    }


def _file(directory: str, name: str) -> Resource:
    source = {"path": f"{directory}/{name}", "watched_directory": {"path": directory}}
    return {"path_config_source": source, "resource_api_version": "V3"}


def _spiffe_ids(spiffe_ids: Iterable[str]) -> list[Resource]:
    return [{"san_type": "URI", "matcher": {"exact": spiffe_id}} for spiffe_id in sorted(set(spiffe_ids))]
