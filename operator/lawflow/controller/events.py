"""Events for people: one for each transition, however often it is announced."""

import datetime as dt
import hashlib
from collections.abc import Collection
from contextlib import suppress
from typing import Literal

from lawflow.controller.conditions import MESSAGE_LENGTH
from lawflow.controller.settings import Environment
from lawflow.identity.validity import rfc3339
from lawflow.model.kinds import EVENT, NAMESPACE
from lawflow.store.protocol import ConflictError, NotFoundError, Object

Weight = Literal["Normal", "Warning"]
RECENT = dt.timedelta(minutes=2)
"""A transition this young is announced again by a controller that has just started: its predecessor may have been
killed between writing the status and the event. The event's name keeps that from becoming a second one."""

REMEMBERED = 10_000
"""Transitions that a process remembers to have told of; one that it forgot is told once more, to no effect."""


async def announce(
    environment: Environment, regarding: Object, weight: Weight, reason: str, message: str, *, once: str
) -> None:
    """Tell that something happened to an object. Of all calls for it with the same ``once`` only the first counts,
    whichever process makes them.
    """
    metadata = regarding["metadata"]
    namespace = metadata.get("namespace") or "default"
    at = rfc3339(environment.now)
    identity = "/".join((regarding["kind"], metadata.get("uid", ""), reason, once))
    name = f"{metadata['name'][:200]}.{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    event: Object = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": namespace, "name": name},
        "involvedObject": {
            "apiVersion": regarding["apiVersion"],
            "kind": regarding["kind"],
            "namespace": metadata.get("namespace", ""),
            "name": metadata["name"],
            "uid": metadata.get("uid", ""),
        },
        "type": weight,
        "reason": reason,
        "message": message[:MESSAGE_LENGTH],
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
        "source": {"component": "lawflow"},
        "reportingComponent": "lawflow.dev/controller",
    }
    place = environment.world.get(NAMESPACE, "", namespace)
    if place and place["metadata"].get("deletionTimestamp"):
        return  # nothing can be created there any more, and nobody will look
    with suppress(ConflictError, NotFoundError):
        await environment.store.create(EVENT, event)


async def announce_transitions(
    environment: Environment, regarding: Object, status: Object, types: Collection[str]
) -> None:
    """Tell of all conditions of these types whose status changed a moment ago."""
    for each in status.get("conditions") or ():
        moment = dt.datetime.fromisoformat(each["lastTransitionTime"])
        if each["type"] not in types or each["status"] == "Unknown" or environment.now - moment > RECENT:
            continue
        weight: Weight = "Warning" if each["status"] == "False" else "Normal"
        key = regarding["metadata"].get("uid", ""), each["type"], each["status"], each["lastTransitionTime"]
        if key not in environment.announced:
            reason = each["reason"] if each["reason"].startswith(each["type"]) else f"{each['type']}{each['reason']}"
            await announce(environment, regarding, weight, reason, each["message"], once=each["lastTransitionTime"])
            if len(environment.announced) >= REMEMBERED:
                environment.announced.clear()
            environment.announced[key] = None
