"""Files that are replaced together, as kubelet replaces those of a volume: a ``..data`` link is swapped at once.

Envoy watches the directory for that swap. Files that are overwritten in place would be read half-written, or not at
all.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp

_DATA = "..data"


def deliver(directory: Path, files: Mapping[str, str]) -> None:
    """Put ``files`` (text by name) into ``directory``, readable by the owner alone, all in one step."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = Path(mkdtemp(prefix="..", dir=directory))
    for name, text in files.items():
        write_private(fresh / name, text)
    link = directory / "..data_new"
    link.unlink(missing_ok=True)
    link.symlink_to(fresh.name)
    current = directory / _DATA
    stale = directory / current.readlink() if current.is_symlink() else None
    link.replace(current)
    for name in files:
        visible = directory / name
        if not visible.is_symlink():
            visible.symlink_to(f"{_DATA}/{name}")
    if stale is not None and stale != fresh:
        shutil.rmtree(stale, ignore_errors=True)


def write_private(path: Path, text: str) -> None:
    """Write a new file that nobody else can read, not even between its creation and a chmod."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def replace_private(path: Path, text: str) -> None:
    """Write a file that nobody else can read, so that a crash leaves either the old text or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    write_private(temporary, text)
    temporary.replace(path)
