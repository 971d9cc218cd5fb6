"""A folder of manifests as an API server would serve it: the user's files, overlaid with what Lawflow wrote."""

import datetime as dt
import json
import os
import re
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lawflow.manifest import LocatedObject, LocatedProblem, read
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
Area = Literal["objects", "patches", "status"]
"""What Lawflow writes: objects of its own, merge patches for users' objects, status of either."""

_CLUSTER = "_cluster"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.:]{0,251}[a-z0-9])?")


@dataclass
class Content:
    """The objects in a folder, and everything in it that cannot be used."""

    objects: dict[Key, Object] = field(default_factory=dict)
    problems: list[LocatedProblem] = field(default_factory=list)


def signature(folder: Path) -> object:
    """What tells one state of the folder from the next, without reading the files."""
    return tuple(
        (str(path), stat.st_mtime_ns, stat.st_size, stat.st_ino)
        for path in (*_manifests(folder), *_written(folder))
        if (stat := _stat(path)) is not None
    )


def load(folder: Path) -> Content:
    """Read everything. What cannot be used becomes a problem with file, line, path and fix; the rest goes on."""
    content = Content()
    for path in _manifests(folder):
        name = str(path.relative_to(folder))
        stat = _stat(path)
        try:
            text = path.read_bytes()
        except OSError as error:
            unreadable = LocatedProblem(name, 1, "", f"cannot be read: {error.strerror}", "make it readable")
            content.problems.append(unreadable)
            continue
        manifest = read(text, name)
        content.problems += manifest.problems
        for located in manifest.objects:
            _take(located, stat.st_mtime_ns if stat else 0, content)
    for path in _written(folder):
        _overlay(path, folder / STATE, content)
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


def _take(located: LocatedObject, modified: int, content: Content) -> None:
    obj = {name: part for name, part in located.object.items() if name != "status"}
    kind = KINDS.get(obj["kind"])
    metadata = dict(obj["metadata"])
    if not metadata.get("name"):
        missing = Problem(".metadata.name", "required field is missing", "name it: nothing generates names here")
        content.problems.append(located.problem(missing))
        return
    for part in ("name", "namespace"):
        # Names become names of files.
        if metadata.get(part) and not _NAME.fullmatch(metadata[part]):
            malformed = Problem(f".metadata.{part}", f"{metadata[part]!r} is no name", "use a-z, 0-9, dots and dashes")
            content.problems.append(located.problem(malformed))
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
            content.problems += [located.problem(problem) for problem in error.problems]
            return
    key = obj["kind"], metadata.get("namespace", ""), metadata["name"]
    if key in content.objects:
        message = f"{key[0]} {metadata['name']} is here a second time; the first one counts"
        content.problems.append(located.problem(Problem(".metadata.name", message, "remove or rename one of them")))
        return
    content.objects[key] = _served(key, obj, modified)


def _overlay(path: Path, state: Path, content: Content) -> None:
    area, kind, namespace, file_name = path.relative_to(state).parts
    key = kind, "" if namespace == _CLUSTER else namespace, file_name.removesuffix(".json")
    document, stat = written(path), _stat(path)
    if document is None or stat is None:
        return
    below = content.objects.get(key)
    if area == "objects":
        # The user's file is the stronger one.
        content.objects.setdefault(key, _served(key, document, stat.st_mtime_ns))
    elif below is None:
        return
    elif area == "status":
        content.objects[key] = {**below, "status": document}
    else:
        patched = merge_patch(below, document)
        changed = {name: part for name, part in patched.items() if name not in ("metadata", "status")}
        unchanged = {name: part for name, part in below.items() if name not in ("metadata", "status")}
        modified = stat.st_mtime_ns if changed != unchanged else 0
        generation = max(below["metadata"]["generation"], modified // 1_000_000)
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
