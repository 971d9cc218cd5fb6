"""Whether a user holds the RBAC verb ``bypass`` on dataflows; asked of the API server, remembered shortly."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from lawflow.model.base import GROUP
from lawflow.model.kinds import DATA_FLOW, SUBJECT_ACCESS_REVIEW
from lawflow.store.protocol import Store, StoreError

BYPASS = "bypass"

REMEMBERED_SECONDS = 10.0
"""So long a right outlives its removal; a rollout by one user asks once."""
REMEMBERED_USERS = 1000

_log = logging.getLogger(__name__)

Object = dict[str, Any]


class Access:
    """Asks who may bypass the gate. Where nobody can be asked, nobody may."""

    def __init__(self, store: Store, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._monotonic = monotonic
        self._remembered: OrderedDict[object, tuple[float, bool]] = OrderedDict()

    async def may_bypass(self, user: Object, namespace: str) -> bool:
        """Whether the ``userInfo`` of a review may bypass the gate in that namespace."""
        groups = tuple(sorted(user.get("groups") or ()))
        extra = {name: tuple(values) for name, values in (user.get("extra") or {}).items()}
        key = user.get("username"), user.get("uid"), groups, tuple(sorted(extra.items())), namespace
        known = self._remembered.get(key)
        if known is not None and self._monotonic() < known[0]:
            return known[1]
        try:
            answer = await self._store.create(SUBJECT_ACCESS_REVIEW, _question(user, namespace))
            allowed = answer["status"].get("allowed") is True
        except (StoreError, KeyError) as error:
            _log.warning("nobody could be asked who may bypass the gate", extra={"error": str(error)})
            return False
        self._remembered[key] = (self._monotonic() + REMEMBERED_SECONDS, allowed)
        self._remembered.move_to_end(key)
        if len(self._remembered) > REMEMBERED_USERS:
            self._remembered.popitem(last=False)
        return allowed


def _question(user: Object, namespace: str) -> Object:
    return {
        "apiVersion": SUBJECT_ACCESS_REVIEW.api_version,
        "kind": SUBJECT_ACCESS_REVIEW.name,
        "metadata": {},
        "spec": {
            "user": user.get("username", ""),
            "uid": user.get("uid", ""),
            "groups": user.get("groups") or [],
            "extra": user.get("extra") or {},
            "resourceAttributes": {
                "group": GROUP,
                "resource": DATA_FLOW.plural,
                "verb": BYPASS,
                "namespace": namespace,
            },
        },
    }
