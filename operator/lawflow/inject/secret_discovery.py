"""The two SDS answers that let Envoy read renewed certificates from files.

Envoy reloads a file-based certificate only where it came by SDS, so each secret needs an SDS answer in a file. A plain
Envoy image has no such file: it travels as an annotation that the certificate volume projects. The texts depend on
nothing but the sidecar's contract; the gate compares them, since annotations can be edited.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from lawflow.model import sidecar as contract

_TRANSPORT_SOCKETS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3"
_WATCHED = {"path": contract.CERTIFICATE_DIRECTORY}


def _answer(name: str, **secret: Any) -> str:
    resource = {"@type": f"{_TRANSPORT_SOCKETS}.Secret", "name": name, **secret}
    return json.dumps({"version_info": "1", "resources": [resource]}, separators=(",", ":"))


def _file(name: str) -> dict[str, str]:
    return {"filename": f"{contract.CERTIFICATE_DIRECTORY}/{name}"}


ANNOTATIONS: Mapping[str, str] = MappingProxyType(
    {
        "lawflow.dev/certificate-sds": _answer(
            contract.CERTIFICATE_SECRET,
            tls_certificate={
                "certificate_chain": _file(contract.CERTIFICATE_FILE),
                "private_key": _file(contract.KEY_FILE),
                "watched_directory": _WATCHED,
            },
        ),
        "lawflow.dev/trust-sds": _answer(
            contract.TRUST_SECRET,
            validation_context={"trusted_ca": _file(contract.TRUST_FILE), "watched_directory": _WATCHED},
        ),
    }
)
"""SDS answers by the annotation that carries them."""

FILES: Mapping[str, str] = MappingProxyType(
    {
        "lawflow.dev/certificate-sds": contract.CERTIFICATE_SECRET_FILE,
        "lawflow.dev/trust-sds": contract.TRUST_SECRET_FILE,
    }
)
"""File in the certificate volume by annotation."""
