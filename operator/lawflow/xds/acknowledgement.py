"""Notes on each pod what its sidecar took: the rotation of roots waits for that, and status tells of rejections."""

import logging

from lawflow.model import labels
from lawflow.model.kinds import POD
from lawflow.store.protocol import Store, StoreError
from lawflow.xds.server import Connection, DiscoveryService

MODULE_LENGTH = 64
REASON_LENGTH = 512
"""Envoy quotes what it rejects, which may be long."""

Notes = dict[str, str | None]
"""Annotations of a pod; ``None`` for one that it must not have."""

_log = logging.getLogger(__name__)


async def note_acknowledgements(service: DiscoveryService, store: Store) -> None:
    """Keep the annotations of all connected sidecars' pods up to date, for ever."""
    noted: dict[str, Notes] = {}
    while True:
        answered = service.answer()
        connections = service.connections()
        for gone in noted.keys() - {connection.node for connection in connections}:
            del noted[gone]
        for connection in connections:
            notes = notes_of(connection)
            if notes == noted.get(connection.node):
                continue
            try:
                await _note(connection, notes, store)
            except StoreError as error:
                _log.warning("an acknowledgement could not be noted", extra={"problem": str(error)})
            else:
                noted[connection.node] = notes
        await answered.wait()


def notes_of(connection: Connection) -> Notes:
    """What the pod of a sidecar should say; nothing of the trust bundle before one was acknowledged."""
    rejected = "; ".join(reason for _, reason in sorted(connection.rejected.items()))[:REASON_LENGTH]
    version = connection.bundle_acknowledged
    notes: Notes = {labels.POLICY_REJECTED: rejected or None}
    if version:
        notes[labels.TRUST_BUNDLE] = version
    if connection.module:
        notes[labels.MODULE] = connection.module[:MODULE_LENGTH]
    return notes


async def _note(connection: Connection, notes: Notes, store: Store) -> None:
    """Annotate the pod that the sidecar names, if that pod can hold the sidecar's certificate."""
    namespace, _, name = connection.node.partition("/")
    if namespace != connection.identity.namespace or not name:
        return
    pod = await store.get(POD, namespace, name)
    if pod is None:
        return
    account = (pod.get("spec") or {}).get("serviceAccountName") or "default"
    annotations = pod["metadata"].get("annotations") or {}
    if account == connection.identity.service_account and any(
        annotations.get(name) != text for name, text in notes.items()
    ):
        await store.patch(POD, namespace, name, {"metadata": {"annotations": notes}})
