"""What the admission server knows of the cluster, laid out so that a review only looks things up."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from lawflow.model import labels
from lawflow.model.sidecar import Interception
from lawflow.model.status import Finding

ENABLED = "enabled"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the law says of one flow as it stands now."""

    flow: str
    service_account: str
    findings: tuple[Finding, ...] = ()
    """Those that deny, the weightiest first; a flow without any is lawful."""
    ever_lawful: bool = False
    evaluated: bool = True
    """False while the flow, as it stands, has not been judged; nothing else counts then."""

    @property
    def lawful(self) -> bool:
        """Whether the flow may pass data now."""
        return self.evaluated and not self.findings


@dataclass(frozen=True, slots=True)
class Grant:
    """A break-glass grant in force."""

    reason: str
    user: str
    expires: dt.datetime


@dataclass(slots=True)
class NamespaceView:
    """One namespace: what its labels choose, its flows' verdicts, its grants."""

    opted_in: bool = False
    enforce: str = "deny"
    missing_denied: bool = False
    interception: Interception | None = None
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    flows_of_service_account: dict[str, tuple[str, ...]] = field(default_factory=dict)
    grants: Mapping[str, Grant] = field(default_factory=dict)
    """By KIND/NAME of the workload."""

    def read_labels(self, found: Mapping[str, str]) -> None:
        """Take over what the namespace's labels choose; an unknown ``enforce`` counts as deny."""
        enforce = found.get(labels.ENFORCE, "deny")
        self.opted_in = found.get(labels.INJECT) == ENABLED
        self.enforce = enforce if enforce in ("warn", "audit") else "deny"
        self.missing_denied = found.get(labels.MISSING) == "deny"
        self.interception = cast("Interception | None", found.get(labels.INTERCEPTION))

    def put(self, verdict: Verdict) -> None:
        """Add or replace the verdict on a flow."""
        self.remove(verdict.flow)
        self.verdicts[verdict.flow] = verdict
        known = self.flows_of_service_account.get(verdict.service_account, ())
        self.flows_of_service_account[verdict.service_account] = tuple(sorted((*known, verdict.flow)))

    def remove(self, flow: str) -> None:
        """Forget a flow; fine where it is unknown."""
        old = self.verdicts.pop(flow, None)
        if old is None:
            return
        rest = tuple(name for name in self.flows_of_service_account[old.service_account] if name != flow)
        if rest:
            self.flows_of_service_account[old.service_account] = rest
        else:
            del self.flows_of_service_account[old.service_account]


_UNKNOWN = NamespaceView()


class View:
    """All namespaces. One event loop writes and reads it, so a review sees it between two changes."""

    def __init__(self) -> None:
        self.namespaces: dict[str, NamespaceView] = {}

    def namespace(self, name: str) -> NamespaceView:
        """A namespace for reading; one that was never heard of has opted in to nothing."""
        return self.namespaces.get(name, _UNKNOWN)

    def writable(self, name: str) -> NamespaceView:
        """A namespace for writing."""
        return self.namespaces.setdefault(name, NamespaceView())
