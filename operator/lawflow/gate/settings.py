"""What the gate must know of the installation."""

from dataclasses import dataclass

from lawflow.model.sidecar import SIGNER_NAME, USER_ID


@dataclass(frozen=True)
class GateSettings:
    """Names of the installation. The defaults are those of the chart."""

    namespace: str = "lawflow-system"
    """Lawflow's own namespace: the gate is never in its way."""
    exempt_namespaces: tuple[str, ...] = ("kube-system", "kube-node-lease")
    """Namespaces of the cluster itself: a gate there could keep a cluster from recovering."""
    index_writers: tuple[str, ...] = ("system:serviceaccount:lawflow-system:lawflow-controller",)
    """User names that write FlowIndexes, the status of DataFlows and the label ``index-ready``: the controller."""
    sidecar_uid: int = USER_ID
    signer_name: str = SIGNER_NAME

    @property
    def untouched(self) -> list[str]:
        """Every namespace that the gate leaves alone."""
        return [*self.exempt_namespaces, self.namespace]
