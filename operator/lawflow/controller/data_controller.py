"""DataController, who answers for processing: whether flows can refer to it."""

import datetime as dt

from lawflow.controller.settings import Environment
from lawflow.controller.simple_status import write_ready
from lawflow.model.kinds import DATA_CONTROLLER


async def reconcile(environment: Environment, namespace: str, name: str) -> dt.datetime | None:
    """Write the object's status. What rules say about it stands in the status of the flows that rest on it."""
    await write_ready(environment, DATA_CONTROLLER, namespace, name)
    return None
