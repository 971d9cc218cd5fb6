"""Where manifests come from: files, folders and standard input."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from lawflow.manifest import LocatedObject, LocatedProblem, Manifest, read

STANDARD_INPUT = "-"
SUFFIXES = (".yaml", ".yml", ".json")
_BUILD_FILES = frozenset(("kustomization.yaml", "kustomization.yml"))


class Text(NamedTuple):
    """What a file holds, undecoded, and the name that places in it carry."""

    file: str
    text: bytes


def read_manifests(sources: Iterable[str], standard_input: BinaryIO) -> Manifest:
    """Everything that files, folders (with all below them) and ``-`` hold, in a stable order; never raises."""
    objects: list[LocatedObject] = []
    problems: list[LocatedProblem] = []
    for source in read_texts(sources, standard_input):
        if isinstance(source, LocatedProblem):
            problems.append(source)
            continue
        manifest = read(source.text, source.file)
        objects += manifest.objects
        problems += manifest.problems
    return Manifest(tuple(objects), tuple(problems))


def read_texts(sources: Iterable[str], standard_input: BinaryIO) -> Iterator[Text | LocatedProblem]:
    """The text of every file that files, folders and ``-`` name, or why it cannot be read, in a stable order.

    A file that is named twice, or lies in a folder that is named too, is read once.
    """
    read_already: set[Path] = set()
    for source in dict.fromkeys(sources):
        if source == STANDARD_INPUT:
            yield Text("<stdin>", standard_input.read())
            continue
        path = Path(source)
        try:
            files = list(_files_below(path)) if path.is_dir() else [path]
        except OSError as error:
            yield _unreadable(str(error.filename), str(error.strerror or error).lower(), "let it be read, or move it")
            continue
        if not files:
            yield _unreadable(source, f"no file ends in {', '.join(SUFFIXES)}", "name a folder of manifests")
        for file in files:
            resolved = file.resolve()
            if resolved in read_already:
                continue
            read_already.add(resolved)
            try:
                yield Text(file.as_posix(), file.read_bytes())
            except OSError as error:
                yield _unreadable(str(file), str(error.strerror or error).lower(), "name a file to read")


def _files_below(folder: Path) -> Iterator[Path]:
    """Manifests in a folder. Raises OSError for a folder that cannot be listed: it may hold what would deny."""

    def fail(error: OSError) -> None:
        raise error

    for where, folders, files in os.walk(folder, onerror=fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.endswith(SUFFIXES) and not name.startswith(".") and name not in _BUILD_FILES:
                yield Path(where, name)


def _unreadable(file: str, message: str, fix: str) -> LocatedProblem:
    return LocatedProblem(file, 0, "", message, fix)
