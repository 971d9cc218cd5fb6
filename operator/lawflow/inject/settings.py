"""What injection is told: settings of the installation, and the data of one service account."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from lawflow.model.loopback import LoopbackDestination
from lawflow.model.sidecar import SIGNER_NAME, USER_ID, Interception, RedirectBy

Delivery = Literal["podCertificate", "secret"]
"""How key and leaf reach the sidecar: made on the node and signed on request, or from a Secret per service account."""


@dataclass(frozen=True)
class SidecarRelease:
    """One release of the sidecar: everything that differs from release to release, and from nothing else.

    The bootstrap is the same for all pods (what differs between pods comes by ADS or from the environment), so the
    gate can compare it to the letter. It changes with the version alone, and the old text is kept (mesh.releases): a
    running sidecar whose text nobody knows any more gets no new certificate.
    """

    version: str
    image: str
    """By digest where possible: the gate allows exactly this reference."""
    bootstrap: str
    """Envoy's bootstrap as JSON or YAML text, made by the mesh."""
    concurrency: int = 2
    """Envoy's worker threads."""


@dataclass(frozen=True)
class InjectionSettings:
    """Settings of the installation."""

    release: SidecarRelease
    previous: tuple[SidecarRelease, ...] = ()
    """The two releases before: their sidecars stay genuine, so that an upgrade forces no rollout."""
    interception: Interception = "explicit"
    """Default mode; the namespace's label and the pod's annotation win over it."""
    redirect_by: RedirectBy = "cni"
    """How pods in mode redirect come by their rules."""
    delivery: Delivery = "podCertificate"
    signer_name: str = SIGNER_NAME
    user_id: int = USER_ID
    image_pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"
    requests: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({"cpu": "50m", "memory": "96Mi"}), hash=False
    )
    # An idle Envoy holds 67 MB, and the limits on bodies and spool in a busy one fit beside it. A CPU limit is set
    # because a ResourceQuota on limits.cpu refuses pods without one.
    limits: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({"cpu": "2", "memory": "256Mi"}), hash=False
    )
    startup_seconds: int = 300
    """How long Envoy may take to get its first configuration before the kubelet restarts it."""

    @property
    def releases(self) -> tuple[SidecarRelease, ...]:
        """Those whose sidecars are genuine, the current one first."""
        return (self.release, *self.previous)


@dataclass(frozen=True)
class IdentityData:
    """What injection must know about the service account that a pod runs as."""

    destinations: tuple[LoopbackDestination, ...] = ()
    """Declared destinations of its flows, from ``loopback_destinations``; used in mode explicit."""
    interception: Interception | None = None
    """The namespace's choice of mode, from its label."""
