"""A namespace behind the gate: service accounts named after what the law says of their flows."""

import uuid
from dataclasses import dataclass, field
from typing import Any

from tests.support.cluster import Cluster, User
from tests.support.gate import namespace, pod, refusal, workload, write_index
from tests.support.waiting import eventually

Object = dict[str, Any]

LAWFUL, UNLAWFUL, CLOSED, NONE = "lawful", "unlawful", "closed", "none"
"""Service accounts; the flow of each is called the same. ``closed`` was lawful once, ``none`` has no flow."""

REASON = "GDPR-28-3-agreement-missing (28(3)) at .spec.destination.agreement: conclude one and declare it"
INDEX: Object = {
    "lawful": f",{LAWFUL}/{LAWFUL},",
    "unlawful": {
        UNLAWFUL: {"serviceAccount": UNLAWFUL, "reason": REASON},
        CLOSED: {"serviceAccount": CLOSED, "everLawful": True, "reason": REASON},
    },
    "serviceAccounts": {UNLAWFUL: [UNLAWFUL], CLOSED: [CLOSED]},
}


@dataclass
class Shop:
    """The namespace, and short ways to put something into it."""

    cluster: Cluster
    name: str
    index: Object = field(default_factory=lambda: dict(INDEX))

    def workload(self, service_account: str, kind: str = "Deployment", **more: Any) -> Object:
        """A workload of that service account."""
        return workload(f"{service_account}-app", self.name, service_account, kind, **more)

    def pod(self, service_account: str, **metadata: Any) -> Object:
        """A pod of that service account, without a sidecar."""
        return pod(f"{service_account}-pod", self.name, service_account, **metadata)

    def refusal(self, obj: Object, *flags: str, user: User | None = None) -> str:
        """Why the object may not be created; empty where it was."""
        return refusal(self.cluster, obj, *flags, user=user)

    def told(self, obj: Object, *flags: str) -> str:
        """What whoever creates the object is told: the refusal, or warnings."""
        return self.cluster.kubectl("create", "--filename=-", *flags, input=obj, check=False).stderr

    def refused_update(self, obj: Object, *flags: str, user: User | None = None) -> str:
        """Why the object may not be replaced by this one; empty where it was."""
        done = self.cluster.kubectl("replace", "--filename=-", *flags, input=obj, user=user, check=False)
        return done.stderr if done.returncode else ""

    def kubectl(self, *arguments: str, **more: Any) -> str:
        """What kubectl prints, on both channels; AssertionError where it fails."""
        done = self.cluster.kubectl(*arguments, f"--namespace={self.name}", **more)
        return done.stdout + done.stderr

    def label(self, *labels: str) -> None:
        """Change labels of the namespace, as the administrator."""
        self.cluster.kubectl("label", "namespace", self.name, "--overwrite", *labels)

    def write_index(self, probe: Object, refused: bool, **changes: Any) -> None:
        """Change the index, and return when the API server heeds it, as the (refused) probe tells."""
        self.index |= changes
        write_index(self.cluster, self.name, **self.index)
        eventually(
            lambda: bool(self.refusal(probe, "--dry-run=server")) == refused,
            f"the change of the index heeded: {probe['metadata']['name']} {'refused' if refused else 'admitted'}",
        )

    def close(self) -> None:
        """Delete the namespace."""
        self.cluster.kubectl("delete", "namespace", self.name, "--wait=false", "--ignore-not-found")
        self.cluster.kubectl("delete", "pods", "--all", "-n", self.name, "--grace-period=0", "--force", "--wait=false")


def open_shop(cluster: Cluster, **labels: str) -> Shop:
    """A new namespace that has opted in; returns when the API server heeds its index."""
    shop = Shop(cluster, f"shop-{uuid.uuid4().hex[:8]}")
    cluster.apply(namespace(shop.name, **{"lawflow.dev/inject": "enabled"}, **labels))
    for name in (LAWFUL, UNLAWFUL, CLOSED, NONE):
        metadata = {"name": name, "namespace": shop.name}
        cluster.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    write_index(cluster, shop.name, **shop.index)
    audited = labels.get("lawflow.dev/enforce") == "audit"  # of which only the API server's log tells
    eventually(
        lambda: (
            not shop.refusal(shop.workload(LAWFUL), "--dry-run=server")
            and (audited or "GDPR-28-3" in shop.told(shop.workload(UNLAWFUL), "--dry-run=server"))
        ),
        "the namespace's index heeded",
    )
    return shop
