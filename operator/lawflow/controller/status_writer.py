"""Writes a status once, and only where it differs from what is stored."""

from collections.abc import Collection

from lawflow.controller.events import announce_transitions
from lawflow.controller.settings import Environment
from lawflow.model.kinds import Kind
from lawflow.store.protocol import NotFoundError, Object


async def write_status(
    environment: Environment, kind: Kind, stored: Object, status: Object, told: Collection[str]
) -> None:
    """Bring the stored status to ``status`` and announce transitions of the conditions named in ``told``."""
    metadata = stored["metadata"]
    before = stored.get("status") or {}
    # A merge patch removes a field by null, and only by that.
    patch = {name: None for name in before if name not in status} | {
        name: value for name, value in status.items() if value != before.get(name)
    }
    if patch:
        try:
            written = await environment.store.patch_status(kind, metadata.get("namespace", ""), metadata["name"], patch)
        except NotFoundError:
            return
        # The watch will tell the same later; whoever reads the world next shall not act on the past.
        environment.world.observe(kind, written)
    await announce_transitions(environment, stored, status, told)
