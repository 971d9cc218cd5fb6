"""Where manifests come from: files, folders and standard input."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from lawflow.manifest import LocatedObject, LocatedProblem, Manifest, read

STANDARD_INPUT = "-"
SUFFIXES = (".yaml", ".yml", ".json")
_BUILD_FILES = frozenset(("kustomization.yaml", "kustomization.yml"))


def read_manifests(sources: Iterable[str], standard_input: BinaryIO) -> Manifest:
    """Everything that files, folders (with all below them) and ``-`` hold, in a stable order; never raises.

    A file that is named twice, or lies in a folder that is named too, is read once.
    """
    objects: list[LocatedObject] = []
    problems: list[LocatedProblem] = []
    read_already: set[Path | str] = set()
    for source in dict.fromkeys(sources):
        if source == STANDARD_INPUT:
            manifest = read(standard_input.read(), "<stdin>")
            objects += manifest.objects
            problems += manifest.problems
            continue
        path = Path(source)
        files = list(_files_below(path)) if path.is_dir() else [path]
        if not files:
            problems.append(_unreadable(source, f"no file ends in {', '.join(SUFFIXES)}", "name a folder of manifests"))
        for file in files:
            resolved = file.resolve()
            if resolved in read_already:
                continue
            read_already.add(resolved)
            try:
                data = file.read_bytes()
            except OSError as error:
                problems.append(_unreadable(str(file), str(error.strerror or error).lower(), "name a file to read"))
                continue
            manifest = read(data, file.as_posix())
            objects += manifest.objects
            problems += manifest.problems
    return Manifest(tuple(objects), tuple(problems))


def _files_below(folder: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.endswith(SUFFIXES) and not name.startswith(".") and name not in _BUILD_FILES:
                yield Path(where, name)


def _unreadable(file: str, message: str, fix: str) -> LocatedProblem:
    return LocatedProblem(file, 1, "", message, fix)
