"""Numbers about certificates, which have one name whichever process counts them."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class CertificateMetrics:
    """What a process that issues certificates tells of them, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.certificates = Counter(
            "lawflow_certificates", "Certificates by delivery and outcome.", ["delivery", "outcome"],
            registry=self.registry,
        )  # fmt: skip
        self.certificate_expiry = Gauge(
            "lawflow_certificate_expiry_timestamp_seconds",
            "When a certificate expires, by what it is for.",
            ["subject"],
            registry=self.registry,
        )
