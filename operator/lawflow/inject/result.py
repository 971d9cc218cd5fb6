"""What injection answers."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Refusal:
    """One reason for which a pod cannot get a sidecar, or may not keep the one that it has."""

    code: str
    """Stable, e.g. ``host-network``."""
    path: str
    """Field in the pod, e.g. ``.spec.hostNetwork``."""
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message} ({self.code}): {self.fix}"


@dataclass(frozen=True)
class Injected:
    """The pod with its sidecar. The input is left as it was, and what did not change is shared with it."""

    pod: dict[str, Any]
    warnings: tuple[str, ...] = ()
    """What may keep the sidecar from carrying all that the pod sends."""


@dataclass(frozen=True)
class Refused:
    """Why the pod gets no sidecar; never empty."""

    reasons: tuple[Refusal, ...]


@dataclass(frozen=True)
class Unchanged:
    """The pod stays as it is."""

    reason: str
    """``genuine-sidecar`` (it has one), ``mirror-pod`` (a static pod: nobody can refuse or change it), or
    ``no-pod-template`` (not a workload)."""


InjectionResult = Injected | Refused | Unchanged


def nested(refusals: tuple[Refusal, ...], path: str) -> tuple[Refusal, ...]:
    """The same refusals with paths from the root of the workload whose pod template stands at ``path``."""
    return tuple(Refusal(each.code, path + each.path, each.message, each.fix) for each in refusals)
