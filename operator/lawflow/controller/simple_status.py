"""Status of the kinds that flows refer to: whether the object fits its schema, and so can be referred to."""

from lawflow.controller.conditions import Observation, conditions
from lawflow.controller.settings import Environment
from lawflow.controller.status import invalid_status
from lawflow.controller.status_writer import write_status
from lawflow.model.kinds import Kind
from lawflow.store.protocol import Object

ACCEPTED = "flows can refer to it; what rules say about it stands in the status of the flows that do"


async def write_ready(environment: Environment, kind: Kind, namespace: str, name: str) -> None:
    """Write Ready, or the problems with the object's schema."""
    stored = environment.world.get(kind, namespace, name)
    if stored is None:
        return
    generation = stored["metadata"].get("generation", 0)
    previous = stored.get("status") or {}
    problems = environment.world.problems(kind, namespace, name)
    status: Object
    if problems:
        status = invalid_status(problems, generation, previous, environment.now)
    else:
        ready = Observation("Ready", "True", "Accepted", ACCEPTED)
        status = {
            "observedGeneration": generation,
            "conditions": conditions([ready], previous.get("conditions") or (), generation, environment.now),
            "findings": [],
        }
    await write_status(environment, kind, stored, status, {"Ready"} if problems else ())
