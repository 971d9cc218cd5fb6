"""A folder of manifests as an API server would serve it: the user's files, overlaid with what Lawflow wrote."""

import datetime as dt
import json
import os
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from lawflow.manifest import LocatedObject, LocatedProblem, read
from lawflow.model.foreign import shape_problems
from lawflow.model.kinds import KINDS
from lawflow.model.parse import InvalidObjectError, Problem, is_custom, parse
from lawflow.store.merge import merge_patch
from lawflow.store.protocol import Object

STATE = ".lawflow"
"""The folder within the folder that Lawflow writes; nothing else is ever written."""
SUFFIXES = (".yaml", ".yml", ".json")
DEFAULT_NAMESPACE = "default"

Key = tuple[str, str, str]
"""Kind, namespace ("" for cluster scope) and name."""
Cache = dict[Path, tuple[object, Any]]
"""What files were when they were last read, and what was read."""
Area = Literal["objects", "patches", "status"]
"""What Lawflow writes: objects of its own, merge patches for users' objects, status of either."""

_CLUSTER = "_cluster"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.:]{0,251}[a-z0-9])?")


@dataclass
class Content:
    """The objects in a folder, and everything in it that cannot be used."""

    objects: dict[Key, Object] = field(default_factory=dict)
    problems: list[LocatedProblem] = field(default_factory=list)


def last_edit(folder: Path) -> float:
    """When a manifest was last written to, in seconds since the epoch; 0 where there is none."""
    return max((stat.st_mtime for path in _manifests(folder) if (stat := _stat(path)) is not None), default=0.0)


@dataclass
class _File:
    objects: list[tuple[Key, Object, LocatedObject]] = field(default_factory=list)
    problems: list[LocatedProblem] = field(default_factory=list)


def signature(folder: Path) -> object:
    """What tells one state of the folder from the next, without reading the files."""
    return tuple(
        (str(path), stat.st_mtime_ns, stat.st_size, stat.st_ino)
        for path in (*_manifests(folder), *_written(folder))
        if (stat := _stat(path)) is not None
    )


def load(folder: Path, cache: Cache) -> Content:
    """Read everything. What cannot be used becomes a problem with file, line, path and fix; the rest goes on.

    A file that is as it was when ``cache`` saw it is not read again.
    """
    content = Content()
    manifests, written_files = _manifests(folder), _written(folder)
    for path in manifests:
        part: _File = _cached(cache, path, partial(_read, path, str(path.relative_to(folder))), _File())
        content.problems += part.problems
        for key, obj, located in part.objects:
            if key in content.objects:
                message = f"{key[0]} {key[2]} is here a second time; the first one counts"
                content.problems.append(located.problem(Problem(".metadata.name", message, "remove or rename one")))
            else:
                content.objects[key] = obj
    for path in written_files:
        document, modified = _cached(cache, path, partial(_read_written, path), (None, 0))
        if document is not None:
            _overlay(path.relative_to(folder / STATE).parts, document, modified, content)
    for path in cache.keys() - {*manifests, *written_files}:
        del cache[path]
    return content


def path_of(folder: Path, area: Area, key: Key) -> Path:
    """Where Lawflow writes about one object."""
    kind, namespace, name = key
    return folder / STATE / area / kind / (namespace or _CLUSTER) / f"{name}.json"


def written(path: Path) -> Any:
    """What Lawflow wrote to ``path``; ``None`` where there is nothing, or nothing that can be read."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def write(path: Path, document: Any) -> None:
    """Write a document so that a crash leaves either the old one or the new one; the owner alone can read it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1, sort_keys=True)
    temporary.replace(path)


def _manifests(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )


def _written(folder: Path) -> list[Path]:
    """In an order in which objects come before the patches and the status that change them."""
    areas: tuple[Area, ...] = ("objects", "patches", "status")
    return [path for area in areas for path in sorted((folder / STATE / area).glob("*/*/[!.]*.json"))]


def _cached(cache: Cache, path: Path, fresh: Callable[[int], Any], gone: Any) -> Any:
    """What was read from a file; ``fresh`` reads it, given its time of modification in nanoseconds."""
    stat = _stat(path)
    if stat is None:
        return gone
    mark = stat.st_mtime_ns, stat.st_size, stat.st_ino
    if path not in cache or cache[path][0] != mark:
        cache[path] = mark, fresh(stat.st_mtime_ns)
    return cache[path][1]


def _read_written(path: Path, modified: int) -> tuple[Any, int]:
    return written(path), modified


def _read(path: Path, name: str, modified: int) -> _File:
    try:
        text = path.read_bytes()
    except OSError as error:
        unreadable = LocatedProblem(name, 1, "", f"cannot be read: {error.strerror}", "make it readable")
        return _File(problems=[unreadable])
    manifest = read(text, name)
    file = _File(problems=list(manifest.problems))
    for located in manifest.objects:
        if problems := list(_take(located, modified, file)):
            file.problems += [located.problem(problem) for problem in problems]
    return file


def _take(located: LocatedObject, modified: int, file: _File) -> Iterator[Problem]:
    """Add one object to those of its file, or say why it cannot be used."""
    obj = {name: part for name, part in located.object.items() if name != "status"}
    kind = KINDS.get(obj["kind"])
    metadata = dict(obj["metadata"])
    if not metadata.get("name"):
        yield Problem(".metadata.name", "required field is missing", "name it: nothing generates names here")
        return
    for part in ("name", "namespace"):
        # Names become names of files.
        if metadata.get(part) and not _NAME.fullmatch(metadata[part]):
            yield Problem(f".metadata.{part}", f"{metadata[part]!r} is no name", "use a-z, 0-9, dots and dashes")
            return
    if kind is None or kind.namespaced:
        metadata["namespace"] = metadata.get("namespace") or DEFAULT_NAMESPACE
    else:
        metadata.pop("namespace", None)
    obj["metadata"] = metadata
    if is_custom(obj):
        try:
            parse(obj)
        except InvalidObjectError as error:
            yield from error.problems
            return
    elif problems := shape_problems(obj):
        yield from problems
        return
    key = obj["kind"], metadata.get("namespace", ""), metadata["name"]
    file.objects.append((key, _served(key, obj, modified), located))


def _overlay(place: Sequence[str], document: Any, modified: int, content: Content) -> None:
    """Put what Lawflow wrote over what the user's files say."""
    area, kind, namespace, file_name = place
    key = kind, "" if namespace == _CLUSTER else namespace, file_name.removesuffix(".json")
    below = content.objects.get(key)
    if area == "objects":
        # The user's file is the stronger one.
        content.objects.setdefault(key, _served(key, document, modified))
    elif below is None:
        return
    elif area == "status":
        content.objects[key] = {**below, "status": document}
    else:
        patched = merge_patch(below, document)
        changed = {name: part for name, part in patched.items() if name not in ("metadata", "status")}
        unchanged = {name: part for name, part in below.items() if name not in ("metadata", "status")}
        generation = below["metadata"]["generation"]
        if changed != unchanged:
            generation = max(generation, modified // 1_000_000)
        content.objects[key] = {**patched, "metadata": {**patched["metadata"], "generation": generation}}


def _served(key: Key, obj: Object, modified: int) -> Object:
    """An object with what an API server would add.

    The generation is the time of the last change in milliseconds: it needs no memory, and grows with every edit.
    """
    moment = dt.datetime.fromtimestamp(modified / 1e9, dt.UTC)
    metadata = {
        "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(key))),
        "creationTimestamp": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        **obj["metadata"],
        "generation": modified // 1_000_000,
    }
    return {**obj, "metadata": metadata}


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
