"""Pods whose network lacks the rules of mode redirect: they never start, so they are made again, where somebody does.

The rules come with a pod's network, which is made once. The container that misses them fails again and again in the
same network; only another pod gets another one.
"""

import datetime as dt

from lawflow.controller.capture import MISSING
from lawflow.controller.events import announce
from lawflow.controller.settings import Environment
from lawflow.controller.world import ENDED
from lawflow.model import labels
from lawflow.model.kinds import POD

KIND = "NetworkRules"
PAUSE = dt.timedelta(seconds=5)
"""Between two pods of one owner on one node: a node without the plugin must not turn pods over as fast as it can."""
REMEMBERED = 10_000


async def reconcile(environment: Environment, namespace: str, name: str) -> dt.datetime | None:
    """Delete a pod whose rules are missing, if another one follows it; returns when to look again."""
    pod = environment.world.get(POD, namespace, name)
    if pod is None or pod["metadata"].get("deletionTimestamp") or pod["status"].get("capture") != MISSING:
        return None
    if pod["status"].get("phase") in ENDED:
        return None  # a Job, for one, makes others and keeps it to be looked at
    metadata, now = pod["metadata"], environment.now
    said = f"the network of pod {name} lacks the rules of interception redirect: {pod['status']['captureFailure']}"
    controllers = [each for each in metadata.get("ownerReferences") or () if each.get("controller")]
    if not controllers or labels.MIRROR in metadata["annotations"]:
        fix = "nobody makes it again: delete it and create it anew once lawflow-network runs on its node"
        await announce(environment, pod, "Warning", MISSING, f"{said}; {fix}", once=metadata.get("uid", ""))
        return None
    turn = controllers[0].get("uid", ""), pod["spec"].get("nodeName", "")
    last = environment.deletions.get(turn)
    if last is not None and now - last < PAUSE:
        return last + PAUSE
    if len(environment.deletions) >= REMEMBERED:
        environment.deletions.clear()
    environment.deletions[turn] = now
    owner = environment.world.owner(pod)
    text = f"{said}; it is deleted, so that another one follows it"
    await announce(environment, owner, "Warning", MISSING, text, once=metadata.get("uid", ""))
    await environment.store.delete(POD, namespace, name, metadata.get("uid"))
    return None
