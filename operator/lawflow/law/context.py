"""What rules may look at beside the flow itself."""

from dataclasses import dataclass, field
from typing import Literal

from lawflow.law.legal import LegalData, default_legal_data
from lawflow.resolve import Objects


@dataclass(frozen=True)
class Context:
    """Objects that the flow may refer to, legal data, and what the user has settled.

    ``unresolved`` says how a reference to an object that is not at hand weighs: ``deny`` where all objects are at hand
    (a cluster), ``info`` where they may lie elsewhere (files).
    """

    objects: Objects = field(default_factory=Objects)
    legal: LegalData = field(default_factory=default_legal_data)
    disabled_rules: frozenset[str] = frozenset()
    unresolved: Literal["deny", "info"] = "deny"
