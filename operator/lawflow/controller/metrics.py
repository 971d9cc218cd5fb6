"""Numbers for Prometheus. Labels name kinds, namespaces and conditions, never data subjects or field values."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """All metrics of one controller, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.reconciles = Counter(
            "lawflow_reconciles", "Reconciliations by kind and outcome.", ["kind", "outcome"], registry=self.registry
        )
        self.seconds = Histogram(
            "lawflow_reconcile_seconds", "Duration of reconciliations.", ["kind"], registry=self.registry
        )
        self.flows = Gauge(
            "lawflow_flows", "DataFlows by whether they are lawful.", ["namespace", "lawful"], registry=self.registry
        )
        self.certificate_expiry = Gauge(
            "lawflow_certificate_expiry_timestamp_seconds",
            "When a certificate expires, by what it is for.",
            ["subject"],
            registry=self.registry,
        )
        self.certificates = Counter(
            "lawflow_certificates", "Certificates by delivery and outcome.", ["delivery", "outcome"],
            registry=self.registry,
        )  # fmt: skip
        self.leader = Gauge("lawflow_leader", "1 in the replica that writes.", registry=self.registry)

    def forget_flows(self, namespace: str) -> None:
        """Count the flows of a namespace no more; one that is not counted is passed over."""
        for lawful in ("true", "false"):
            self.flows.remove(namespace, lawful)
