"""What a watcher knows of a collection, and so which changes it missed when it has to list it anew."""

from collections.abc import Iterable, Iterator
from typing import Literal

from lawflow.model.kinds import Kind
from lawflow.store.protocol import Object, WatchEvent


class Known:
    """The objects that a watcher has reported, by namespace and name, with uid and resourceVersion."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._objects: dict[tuple[str, str], tuple[str, str]] = {}

    def changed(self, type_: Literal["ADDED", "MODIFIED", "DELETED"], obj: Object) -> WatchEvent:
        """Take note of one change."""
        key, version = _identity(obj)
        if type_ == "DELETED":
            self._objects.pop(key, None)
        else:
            self._objects[key] = version
        return WatchEvent(type_, obj)

    def relisted(self, objects: Iterable[Object]) -> Iterator[WatchEvent]:
        """The changes between what was known and the whole collection as it is now.

        Of a deleted object only its identity is left. One that was replaced by another of its name is deleted first.
        """
        present = {_identity(obj)[0]: obj for obj in objects}
        for key, (uid, _) in list(self._objects.items()):
            if key not in present or _identity(present[key])[1][0] != uid:
                yield self.changed("DELETED", self._trace(*key, uid))
        for key, obj in present.items():
            if key not in self._objects:
                yield self.changed("ADDED", obj)
            elif self._objects[key] != _identity(obj)[1]:
                yield self.changed("MODIFIED", obj)

    def _trace(self, namespace: str, name: str, uid: str) -> Object:
        metadata = {"namespace": namespace, "name": name, "uid": uid}
        return {"apiVersion": self._kind.api_version, "kind": self._kind.name, "metadata": metadata}


def _identity(obj: Object) -> tuple[tuple[str, str], tuple[str, str]]:
    metadata = obj["metadata"]
    key = metadata.get("namespace", ""), metadata["name"]
    return key, (metadata.get("uid", ""), metadata.get("resourceVersion", ""))
