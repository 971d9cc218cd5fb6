"""The protocol through which all processes read and write objects; a Kubernetes API and a folder implement it."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from lawflow.model.kinds import Kind

Object = dict[str, Any]
"""A Kubernetes object as decoded JSON."""

FIELD_MANAGER = "lawflow"


class StoreError(Exception):
    """The store could not be reached or refused the call; the message says which call and why."""


class ConflictError(StoreError):
    """The object exists already, or has changed since it was read."""


class NotFoundError(StoreError):
    """The object to change does not exist."""


class ForbiddenError(StoreError):
    """Whoever asked has no right to."""


@dataclass(frozen=True)
class WatchEvent:
    """One change of one object; ``SYNCED`` (no object) follows the last object that existed at the start."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "SYNCED"]
    object: Object


class Store(Protocol):
    """Objects by kind, namespace and name. Namespace is "" for cluster scope."""

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """One object, or ``None`` where it does not exist."""

    async def list(self, kind: Kind, namespace: str | None = None) -> list[Object]:
        """All objects of a kind, in one namespace or in all."""

    def watch(self, kind: Kind, namespace: str | None = None) -> AsyncIterator[WatchEvent]:
        """All objects, then every change, for ever; it resumes by itself and relists where it has to.

        After a relist it reports what changed meanwhile, deletions included, and ``SYNCED`` again.
        """

    async def create(self, kind: Kind, obj: Object) -> Object:
        """Create an object; ConflictError where it exists."""

    async def apply(self, kind: Kind, obj: Object, manager: str = FIELD_MANAGER) -> Object:
        """Create or update by server-side apply, taking over the fields named."""

    async def patch(self, kind: Kind, namespace: str, name: str, patch: Mapping[str, Any]) -> Object:
        """Change an object by JSON merge patch (RFC 7386); NotFoundError where it does not exist."""

    async def patch_status(
        self, kind: Kind, namespace: str, name: str, status: Mapping[str, Any], version: str = ""
    ) -> Object:
        """Change the status subresource by JSON merge patch; NotFoundError where the object does not exist.

        With a ``version``, the resourceVersion of the object as it was judged: ConflictError if it changed since.
        """

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str | None = None) -> None:
        """Delete an object (only the one of that uid, where given); fine where it does not exist."""
