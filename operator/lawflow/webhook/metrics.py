"""What the admission server counts, in Prometheus' text format."""

from prometheus_client import CollectorRegistry, Counter, Gauge, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest


class Metrics:
    """Counters with few labels: no namespace and no name, so that their number stays bounded."""

    content_type = CONTENT_TYPE_LATEST.encode()

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)
        reviews = Counter(
            "lawflow_admission_reviews", "Reviews answered.", ("path", "allowed"), registry=self._registry
        )
        self._reviews = {
            (path, allowed): reviews.labels(path, str(allowed).lower())
            for path in ("/mutate", "/validate")
            for allowed in (True, False)
        }
        self._malformed = Counter(
            "lawflow_admission_malformed", "Requests that were no review.", registry=self._registry
        )
        self.connections = Gauge("lawflow_admission_connections", "Open connections.", registry=self._registry)
        self.requests = Gauge("lawflow_admission_requests", "Requests under way.", registry=self._registry)
        self.flows = Gauge("lawflow_admission_flows", "Flows whose verdict is at hand.", registry=self._registry)

    def reviewed(self, path: str, allowed: bool) -> None:
        """Count a review."""
        self._reviews[path, allowed].inc()

    def malformed(self) -> None:
        """Count a request that was no review."""
        self._malformed.inc()

    def exposition(self) -> bytes:
        """All metrics as text."""
        return generate_latest(self._registry)
