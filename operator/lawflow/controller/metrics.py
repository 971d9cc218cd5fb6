"""Numbers for Prometheus. Labels name kinds, namespaces and conditions, never data subjects or field values."""

from prometheus_client import Counter, Gauge, Histogram

from lawflow.daemon.metrics import CertificateMetrics


class Metrics(CertificateMetrics):
    """All metrics of one controller."""

    def __init__(self) -> None:
        super().__init__()
        self.reconciles = Counter(
            "lawflow_reconciles", "Reconciliations by kind and outcome.", ["kind", "outcome"], registry=self.registry
        )
        self.seconds = Histogram(
            "lawflow_reconcile_seconds", "Duration of reconciliations.", ["kind"], registry=self.registry
        )
        self.flows = Gauge(
            "lawflow_flows", "DataFlows by whether they are lawful.", ["namespace", "lawful"], registry=self.registry
        )
        self.leader = Gauge("lawflow_leader", "1 in the replica that writes.", registry=self.registry)

    def forget_flows(self, namespace: str) -> None:
        """Count the flows of a namespace no more; one that is not counted is passed over."""
        for lawful in ("true", "false"):
            self.flows.remove(namespace, lawful)
