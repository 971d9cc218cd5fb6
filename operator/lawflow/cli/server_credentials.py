"""What a server proves itself with, from files that are replaced while it runs."""

import logging
from collections.abc import Callable
from pathlib import Path

from lawflow.identity.pem import PemError, certificates_from_pem, private_key_from_pem
from lawflow.xds.server import ServerCredentials

_log = logging.getLogger(__name__)


def credentials_of(certificate: Path, key: Path, roots: Callable[[], str]) -> Callable[[], ServerCredentials]:
    """A server's credentials: its own from files, read anew where they changed, and the roots, PEM, as they are now.

    While new files cannot be used the old ones stay. Raises PemError or OSError where there never were usable ones.
    """
    held: list[tuple[object, str, str]] = []

    def credentials() -> ServerCredentials:
        try:
            mark = certificate.stat().st_mtime_ns, key.stat().st_mtime_ns
            if not held or held[0][0] != mark:
                private, chain = key.read_text(encoding="utf-8"), certificate.read_text(encoding="utf-8")
                private_key_from_pem(private)
                certificates_from_pem(chain)
                held[:] = [(mark, private, chain)]
        except (OSError, PemError) as error:
            if not held:
                raise
            _log.error("the new certificate cannot be used, the old one stays", extra={"problem": str(error)})
        _, private, chain = held[0]
        return ServerCredentials(private, chain, roots())

    return credentials
