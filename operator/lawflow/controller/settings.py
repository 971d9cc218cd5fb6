"""What the controller is told when it starts, and what every reconcile() is given."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field

from lawflow.controller.conditions import Observation
from lawflow.controller.metrics import Metrics
from lawflow.controller.references import Referrers
from lawflow.controller.world import World
from lawflow.daemon.queue import Queue
from lawflow.identity.lifecycle import AuthorityState
from lawflow.inject.settings import Delivery, InjectionSettings
from lawflow.law.legal import LegalData, default_legal_data
from lawflow.model.dataflow import DataFlow
from lawflow.model.sidecar import SIGNER_NAME
from lawflow.store.protocol import Object, Store


@dataclass(frozen=True)
class Settings:
    """Settings of the installation; durations are of the wall clock."""

    namespace: str = "lawflow-system"
    """Lawflow's own namespace: the Lease and the certificate authority are kept there, and nobody else reads it."""
    trust_domain: str = "cluster.local"
    delivery: Delivery = "podCertificate"
    signer_name: str = SIGNER_NAME
    """Whose roots are published where the delivery is podCertificate."""
    credential_lifetime: dt.timedelta = dt.timedelta(hours=1)
    """Life of a certificate that is delivered by Secret; a pod certificate lives as long as its request says."""
    root_lifetime: dt.timedelta = dt.timedelta(days=3650)
    issuer_lifetime: dt.timedelta = dt.timedelta(days=90)
    bundle_settling: dt.timedelta = dt.timedelta(hours=1)
    """How long a new root is shipped before certificates of its issuer are handed out."""
    injection: InjectionSettings | None = None
    """What the gate injects; without it no sidecar is genuine."""
    legal: LegalData = field(default_factory=default_legal_data)
    disabled_rules: frozenset[str] = frozenset()
    judged_on: dt.date | None = None
    """The day on which verdicts are given, for trials; the present day where there is none."""
    break_glass: dt.timedelta = dt.timedelta(hours=4)
    """How long a break-glass grant holds."""
    guard_secrets: bool = True
    """Whether to ask who may read Secrets before a certificate is put into one: a folder has nobody to ask."""
    network_policies: bool = True
    egress: tuple[str, str] | None = None
    """Namespace and service account of the gateway to hosts outside; ``None`` where sidecars call them themselves."""
    terminates: bool = False
    """Whether sidecars end the TLS of apps towards hosts outside where a flow says so."""
    workers: int = 8
    """Objects that are reconciled at once; each waits for the API server most of its time."""
    tick: dt.timedelta = dt.timedelta(seconds=5)
    """How often due dates are looked up."""
    resync: dt.timedelta = dt.timedelta(minutes=10)
    """How often everything is listed anew: watches may lose deletions while the server has forgotten its history."""


@dataclass(frozen=True)
class Environment:
    """Where a reconcile() runs: it reads the world, writes to the store, and takes the time from the clock."""

    store: Store
    world: World
    settings: Settings
    clock: Callable[[], dt.datetime]
    metrics: Metrics = field(default_factory=Metrics)
    queue: Queue = field(default_factory=Queue)
    """Where a reconcile() asks for others to follow."""
    referrers: Referrers = field(default_factory=Referrers)
    credentials: dict[tuple[str, str], Observation] = field(default_factory=dict)
    """CredentialsReady by namespace and service account; ("", "") speaks of the authority, and so of all."""
    authority: list[AuthorityState] = field(default_factory=list)
    """The certificate authority as it is stored, once it was read; issue with nothing else."""
    announced: dict[tuple[str, ...], None] = field(default_factory=dict)
    """Transitions that this process has told of."""
    deletions: dict[tuple[str, str], dt.datetime] = field(default_factory=dict)
    """When a pod whose network lacked its rules was deleted last, by its owner's uid and its node."""
    policies: dict[str, dict[str, Object]] = field(default_factory=dict)
    """NetworkPolicies that this process wrote or found, by namespace and name; a resync forgets them."""

    app_roots: dict[str, str] = field(default_factory=dict)
    """Roots for apps that this process wrote or found, PEM, by namespace."""

    @property
    def now(self) -> dt.datetime:
        """The present moment in UTC."""
        return self.clock()

    def flows_into(self, namespace: str) -> list[DataFlow]:
        """Flows from anywhere that lead to a Service of this namespace."""
        found = []
        for kind, where, name in sorted(self.referrers.to_services_of(namespace)):
            flow = self.world.flow(where, name)
            if flow and kind == flow.kind:
                found.append(flow)
        return found

    @property
    def today(self) -> dt.date:
        """The day on which verdicts are given: the present one in UTC unless another is set."""
        return self.settings.judged_on or self.now.date()
