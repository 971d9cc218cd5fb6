"""What rules ask about a workload."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lawflow.law.rule import Part
from lawflow.model.workload import PodTemplate
from lawflow.resolve import Key


@dataclass(frozen=True)
class WorkloadFacts:
    """A workload with its flows, the flows that it names but that do not exist, and who shares its service account."""

    template: PodTemplate
    flows: tuple[Key, ...]
    missing: tuple[str, ...]
    sharing: tuple[tuple[tuple[str, str], frozenset[Key]], ...]
    """Kind and name of each other workload with the same service account, and its flows."""

    facets = ("",)

    @property
    def path(self) -> str:
        """Path of the pod template; empty for a Pod."""
        return self.template.path

    @property
    def names(self) -> Mapping[str, Any]:
        """Names that messages may use."""
        return {"account": self.template.service_account}


def _none(_situation: Any) -> tuple[WorkloadFacts, ...]:
    return ()


WORKLOAD: Part[WorkloadFacts] = Part("workload", _none)
"""Rules about workloads; a flow has no such part, ``evaluate_workload`` asks them."""
