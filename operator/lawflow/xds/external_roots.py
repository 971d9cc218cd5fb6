"""The certificate authorities that hosts outside are known by, from files that may change."""

import logging
from pathlib import Path

import certifi

from lawflow.identity.pem import PemError, certificates_from_pem

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
                certificates_from_pem(new)
                text = new if new.endswith("\n") else new + "\n"
                self._known[file] = now, text
        except (OSError, UnicodeDecodeError, PemError) as error:
            _log.error("roots of hosts outside cannot be used", extra={"file": str(file), "problem": str(error)})
        return text
