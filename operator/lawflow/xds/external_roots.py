"""The certificate authorities that hosts outside are known by, from files that may change."""

import logging
import ssl
from pathlib import Path

import certifi

PUBLIC = Path(certifi.where())
"""Those that Mozilla trusts for the public web."""

_log = logging.getLogger(__name__)


class ExternalRoots:
    """Reads files of roots, PEM. What cannot be read or is no PEM is logged and left as it was before."""

    def __init__(self, *files: Path) -> None:
        self._files = files
        self._known: dict[Path, tuple[int, str]] = {}

    def __call__(self) -> str:
        """All roots as they are now, PEM."""
        return "".join(self._text(file) for file in self._files)

    def _text(self, file: Path) -> str:
        changed, text = self._known.get(file, (-1, ""))
        try:
            now = file.stat().st_mtime_ns
            if now != changed:
                new = file.read_text(encoding="utf-8")
                # As strict as a TLS library: roots that are in use break one or another rule for certificates.
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=new)
                text = new if new.endswith("\n") else new + "\n"
                self._known[file] = now, text
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            _log.error("roots of hosts outside cannot be used", extra={"file": str(file), "problem": str(error)})
        return text
