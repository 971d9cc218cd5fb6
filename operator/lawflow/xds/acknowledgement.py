"""Notes on each pod which trust bundle its sidecar has acknowledged: the rotation of roots waits for that."""

import logging

from lawflow.model import labels
from lawflow.model.kinds import POD
from lawflow.store.protocol import Store, StoreError
from lawflow.xds.server import Connection, DiscoveryService

_log = logging.getLogger(__name__)


async def note_acknowledgements(service: DiscoveryService, store: Store) -> None:
    """Keep the annotations of all connected sidecars' pods up to date, for ever."""
    noted: dict[str, str] = {}
    while True:
        answered = service.answer()
        connections = service.connections()
        for gone in noted.keys() - {connection.node for connection in connections}:
            del noted[gone]
        for connection in connections:
            version = connection.bundle_acknowledged
            if not version or noted.get(connection.node) == version:
                continue
            try:
                await _note(connection, store)
            except StoreError as error:
                _log.warning("an acknowledgement could not be noted", extra={"problem": str(error)})
            else:
                noted[connection.node] = version
        await answered.wait()


async def _note(connection: Connection, store: Store) -> None:
    """Annotate the pod that the sidecar names, if that pod can hold the sidecar's certificate."""
    namespace, _, name = connection.node.partition("/")
    if namespace != connection.identity.namespace or not name:
        return
    pod = await store.get(POD, namespace, name)
    if pod is None:
        return
    account = (pod.get("spec") or {}).get("serviceAccountName") or "default"
    annotations = pod["metadata"].get("annotations") or {}
    if account != connection.identity.service_account:
        return
    if annotations.get(labels.TRUST_BUNDLE) != connection.bundle_acknowledged:
        patch = {"metadata": {"annotations": {labels.TRUST_BUNDLE: connection.bundle_acknowledged}}}
        await store.patch(POD, namespace, name, patch)
