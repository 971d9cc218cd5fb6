"""ConsentPolicy, a consent regime: whether flows can refer to it."""

import datetime as dt

from lawflow.controller.settings import Environment
from lawflow.controller.simple_status import write_ready
from lawflow.model.kinds import CONSENT_POLICY


async def reconcile(environment: Environment, namespace: str, name: str) -> dt.datetime | None:
    """Write the object's status. What rules say about it stands in the status of the flows that rest on it."""
    await write_ready(environment, CONSENT_POLICY, namespace, name)
    return None
