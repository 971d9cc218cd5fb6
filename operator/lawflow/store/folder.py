"""The store over a folder of manifests, for one process on one host; see :mod:`lawflow.store.manifests`."""

import asyncio
import logging
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from lawflow.manifest import LocatedProblem
from lawflow.model.kinds import Kind
from lawflow.store.changes import Known
from lawflow.store.manifests import (
    DEFAULT_NAMESPACE,
    Area,
    Cache,
    Key,
    last_edit,
    load,
    path_of,
    signature,
    write,
    written,
)
from lawflow.store.merge import compose, merge_patch
from lawflow.store.protocol import FIELD_MANAGER, ConflictError, NotFoundError, Object, StoreError, WatchEvent

POLL_SECONDS = 0.2
"""How often a watched folder is looked at: a change shows within a blink, and a look costs one stat a file."""
SETTLING_SECONDS = 0.05
"""A manifest that was written to more recently may not be whole yet."""
LONGEST_SETTLING_SECONDS = 1.0
READINGS = 3
"""How often a folder is read at most that is written to while it is read: half of a manifest may have been seen."""

_log = logging.getLogger(__name__)


class FolderStore:
    """Objects from the manifests in a folder and its subfolders.

    A file that cannot be read, or an object that does not fit its schema, is a problem in :attr:`problems`; all other
    objects go on. An object whose new text cannot be used is gone, and so closes what depends on it.
    """

    def __init__(self, folder: Path, *, poll_seconds: float = POLL_SECONDS) -> None:
        self.folder = folder
        self.problems: tuple[LocatedProblem, ...] = ()
        self._poll_seconds = poll_seconds
        self._objects: dict[Key, Object] = {}
        self._removals: Counter[Key] = Counter()
        self._signature: object = None
        self._version = 0
        self._looked = 0.0
        self._cache: Cache = {}
        self._lock = asyncio.Lock()
        self._changed = asyncio.Event()

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """One object, or ``None`` where it does not exist."""
        async with self._lock:
            await self._refresh()
        return deepcopy(self._objects.get(_key(kind, namespace, name)))

    async def list(self, kind: Kind, namespace: str | None = None) -> list[Object]:
        """All objects of a kind, in one namespace or in all, by namespace and name."""
        async with self._lock:
            await self._refresh()
        return _listed(self._objects, kind, namespace)

    async def watch(self, kind: Kind, namespace: str | None = None) -> AsyncIterator[WatchEvent]:
        """All objects, then every change, for ever."""
        known = Known(kind)
        async with self._lock:
            await self._refresh()
        changed = self._changed
        for event in known.relisted(_listed(self._objects, kind, namespace)):
            yield event
        yield WatchEvent("SYNCED", {})
        while True:
            await self._wait(changed)
            changed = self._changed
            for event in known.relisted(_listed(self._objects, kind, namespace)):
                yield event

    async def change(self) -> None:
        """Return at the next change of any object or problem."""
        changed = self._changed
        while not changed.is_set():
            await self._wait(changed)

    async def create(self, kind: Kind, obj: Object) -> Object:
        """Create an object; ConflictError where it exists."""
        async with self._lock:
            await self._refresh()
            metadata = dict(obj["metadata"])
            if not metadata.get("name"):
                metadata["name"] = f"{metadata.pop('generateName', '')}{uuid.uuid4().hex[:5]}"
            key = _key(kind, metadata.get("namespace", ""), metadata["name"])
            if key in self._objects:
                raise ConflictError(f"{_named(key)} exists already")
            return await self._put(kind, key, {**obj, "metadata": metadata})

    async def apply(self, kind: Kind, obj: Object, manager: str = FIELD_MANAGER) -> Object:
        """Create or change an object. Maps are merged and lists replaced; for a single writer that is the same."""
        async with self._lock:
            await self._refresh()
            key = _key(kind, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
            if key not in self._objects:
                return await self._put(kind, key, obj)
            return await self._change(key, {name: part for name, part in obj.items() if name != "status"})

    async def patch(self, kind: Kind, namespace: str, name: str, patch: Mapping[str, Any]) -> Object:
        """Change an object by JSON merge patch (RFC 7386); NotFoundError where it does not exist."""
        async with self._lock:
            await self._refresh()
            return await self._change(self._existing(_key(kind, namespace, name)), patch)

    async def patch_status(
        self, kind: Kind, namespace: str, name: str, status: Mapping[str, Any], version: str = ""
    ) -> Object:
        """Change the status by JSON merge patch; NotFoundError where the object does not exist.

        With a ``version``, ConflictError if the object changed since.
        """
        async with self._lock:
            await self._refresh()
            key = self._existing(_key(kind, namespace, name))
            if version and version != self._objects[key]["metadata"]["resourceVersion"]:
                raise ConflictError(f"{_named(key)} has changed since version {version}")
            before = self._objects[key].get("status") or {}
            after = merge_patch(before, status)
            if after != before:
                await self._write("status", key, after)
            return self._now(key)

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str | None = None) -> None:
        """Delete an object that Lawflow made. Raises StoreError for one of the user's, which only the user removes."""
        async with self._lock:
            await self._refresh()
            key = _key(kind, namespace, name)
            current = self._objects.get(key)
            if current is None or (uid is not None and current["metadata"]["uid"] != uid):
                return
            path = path_of(self.folder, "objects", key)
            if not await asyncio.to_thread(path.exists):
                raise StoreError(f"{_named(key)} stands in a file of {self.folder}: remove it there")
            await asyncio.to_thread(path.unlink)
            await self._refresh()

    async def _wait(self, changed: asyncio.Event) -> None:
        """Return at the change, or after a look at the folder."""
        try:
            async with asyncio.timeout(self._poll_seconds):
                await changed.wait()
        except TimeoutError:
            async with self._lock:
                # Of many watches one looks, and the others hear of it.
                if asyncio.get_running_loop().time() - self._looked >= self._poll_seconds:
                    await self._refresh()

    async def _settle(self) -> None:
        """Wait while somebody writes: half a manifest would take away what its other half declares."""
        until = asyncio.get_running_loop().time() + LONGEST_SETTLING_SECONDS
        while asyncio.get_running_loop().time() < until:
            age = time.time() - await asyncio.to_thread(last_edit, self.folder)
            if not 0 <= age < SETTLING_SECONDS:
                return
            await asyncio.sleep(SETTLING_SECONDS - age)

    def _existing(self, key: Key) -> Key:
        if key not in self._objects:
            raise NotFoundError(f"{_named(key)} does not exist")
        return key

    async def _put(self, kind: Kind, key: Key, obj: Object) -> Object:
        document = {"apiVersion": kind.api_version, "kind": kind.name, **obj}
        document["metadata"] = {**obj["metadata"], "namespace": key[1]} if key[1] else obj["metadata"]
        document.pop("status", None)
        await self._write("objects", key, document)
        return self._now(key)

    async def _change(self, key: Key, patch: Mapping[str, Any]) -> Object:
        own = path_of(self.folder, "objects", key)
        if await asyncio.to_thread(own.exists):
            before = await asyncio.to_thread(written, own) or {}
            after = merge_patch(before, patch)
            area: Area = "objects"
        else:
            before = await asyncio.to_thread(written, path_of(self.folder, "patches", key)) or {}
            after = compose(before, patch)
            area = "patches"
        if after != before:
            await self._write(area, key, after)
        return self._now(key)

    def _now(self, key: Key) -> Object:
        """The object after a change of ours; NotFoundError where its file lost it in the meantime."""
        return deepcopy(self._objects[self._existing(key)])

    async def _write(self, area: Area, key: Key, document: Any) -> None:
        await asyncio.to_thread(write, path_of(self.folder, area, key), document)
        await self._refresh()

    async def _refresh(self) -> None:
        """Look at the folder, and read it where anything has changed. Raises StoreError where there is no folder."""
        if not await asyncio.to_thread(self.folder.is_dir):
            raise StoreError(f"{self.folder} is not a folder: name one that holds manifests")
        self._looked = asyncio.get_running_loop().time()
        seen = await asyncio.to_thread(signature, self.folder)
        if seen == self._signature:
            return
        for _ in range(READINGS):
            if self._signature is not None:
                await self._settle()
                seen = await asyncio.to_thread(signature, self.folder)
            content = await asyncio.to_thread(load, self.folder, self._cache)
            if await asyncio.to_thread(signature, self.folder) == seen:
                break
        self._signature = seen
        problems = tuple(content.problems)
        for problem in problems:
            if problem not in self.problems:
                _log.warning("%s", problem)
        self._version += 1
        self._removals.update(self._objects.keys() - content.objects.keys())
        fresh = {key: self._versioned(key, obj) for key, obj in content.objects.items()}
        if (fresh, problems) != (self._objects, self.problems):
            self._objects, self.problems = fresh, problems
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()

    def _versioned(self, key: Key, obj: Object) -> Object:
        if removals := self._removals[key]:
            # Who returns under an old name is another object, as in a cluster: of a uid that went nothing is heard.
            uid = uuid.uuid5(uuid.NAMESPACE_URL, f"{obj['metadata']['uid']}/{removals}")
            obj = {**obj, "metadata": {**obj["metadata"], "uid": str(uid)}}
        before = self._objects.get(key)
        if before is not None:
            version = before["metadata"]["resourceVersion"]
            same = {**obj, "metadata": {**obj["metadata"], "resourceVersion": version}}
            if same == before:
                return before
        return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self._version)}}


def _key(kind: Kind, namespace: str, name: str) -> Key:
    return kind.name, (namespace or DEFAULT_NAMESPACE) if kind.namespaced else "", name


def _named(key: Key) -> str:
    kind, namespace, name = key
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"


def _listed(objects: Mapping[Key, Object], kind: Kind, namespace: str | None) -> list[Object]:
    return [
        deepcopy(obj)
        for (name, where, _), obj in sorted(objects.items(), key=lambda item: item[0])
        if name == kind.name and namespace in (None, where)
    ]
