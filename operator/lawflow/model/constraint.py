"""Constraints: what the fields of one object must satisfy together, said once for the API server and for Python.

They are matters of form. What the law asks for is a finding, never a constraint: an object that lacks it stays
admissible, so that its status can say what is missing.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticCustomError

VIOLATED = "constraint_violated"
"""The type of pydantic error that a violated constraint raises."""


@dataclass(frozen=True)
class Constraint:
    """One constraint on a model; ``holds`` and ``cel`` (with ``self``) are the same predicate twice."""

    message: str
    fix: str
    holds: Callable[[Any], bool]
    cel: str
    field: str = ""
    """The field to point at, e.g. ``.name``; the whole model by default."""


def check(model: object, constraints: Iterable[Constraint]) -> None:
    """Raise the first constraint that a model violates, as an error that pydantic collects."""
    for constraint in constraints:
        if not constraint.holds(model):
            context = {"fix": constraint.fix, "field": constraint.field}
            # Braces in the message would be taken for places to fill in.
            raise PydanticCustomError(VIOLATED, "{message}", {"message": constraint.message, **context})


def validations(constraints: Iterable[Constraint]) -> list[dict[str, str]]:
    """The constraints as ``x-kubernetes-validations`` of a structural schema."""
    return [
        {
            "rule": constraint.cel,
            "message": f"{constraint.message}; {constraint.fix}",
            **({"fieldPath": constraint.field} if constraint.field else {}),
        }
        for constraint in constraints
    ]
