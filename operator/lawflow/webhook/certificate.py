"""The serving certificate: read anew when its files change, swapped whole, and never for a pair that does not fit."""

import asyncio
import logging
import os
import ssl
from pathlib import Path

_log = logging.getLogger(__name__)

_Version = tuple[tuple[int, int, int], ...]


class ServingCertificate:
    """A TLS 1.3 server context that always hands out the newest good pair of certificate and key."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises OSError or ssl.SSLError where the first pair is not usable."""
        self._files = (certificate, key)
        self._version = self._read_version()
        self._current = self._load()
        # Handshakes begin here and go on in the newest context: no handshake sees a certificate without its key.
        self.context = self._load()
        self.context.sni_callback = self._choose

    def refresh(self) -> bool:
        """Take over the files if they have changed and fit together; otherwise go on with the pair in use."""
        try:
            version = self._read_version()
            if version == self._version:
                return False
            self._current = self._load()
        except (OSError, ssl.SSLError) as error:
            _log.warning("the new certificate is not usable, the old one stays", extra={"error": str(error)})
            return False
        self._version = version
        _log.info("the serving certificate was replaced")
        return True

    async def keep_fresh(self, seconds: float) -> None:
        """Look at the files for ever, every so many seconds."""
        while True:
            await asyncio.sleep(seconds)
            self.refresh()

    def _choose(self, connection: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._current

    def _load(self) -> ssl.SSLContext:
        certificate, key = self._files
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(certificate, key)
        return context

    def _read_version(self) -> _Version:
        found = [os.stat(file) for file in self._files]  # noqa: PTH116 - one name for both
        return tuple((status.st_ino, status.st_mtime_ns, status.st_size) for status in found)
