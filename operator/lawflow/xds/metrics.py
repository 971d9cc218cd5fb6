"""What the xDS server counts."""

from collections import Counter

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from lawflow.xds.server import DiscoveryService


class Sidecars(Collector):
    """How the connected sidecars stand, read at each scrape."""

    def __init__(self, service: DiscoveryService) -> None:
        self._service = service

    def collect(self) -> list[GaugeMetricFamily]:
        """Connected sidecars by namespace, and how many of them rejected their last configuration."""
        connected: Counter[str] = Counter()
        rejecting: Counter[str] = Counter()
        for connection in self._service.connections():
            connected[connection.identity.namespace] += 1
            rejecting[connection.identity.namespace] += bool(connection.rejected)
        return [
            _gauge("lawflow_xds_sidecars", "Connected sidecars.", connected),
            _gauge("lawflow_xds_rejecting_sidecars", "Sidecars that rejected their last configuration.", rejecting),
        ]


def _gauge(name: str, text: str, counts: Counter[str]) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, text, labels=["namespace"])
    for namespace, count in sorted(counts.items()):
        gauge.add_metric([namespace], count)
    return gauge
