"""What the xDS server and its standby count."""

from collections import Counter

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from lawflow.xds.handover import key_of
from lawflow.xds.last_known import LastKnown
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


class Known(Collector):
    """What the standby could serve, read at each scrape."""

    def __init__(self, known: LastKnown) -> None:
        self._known = known

    def collect(self) -> list[GaugeMetricFamily]:
        """Service accounts whose last policy is held, by namespace."""
        held = {key_of(name).identity for name in self._known.versions}
        accounts = Counter(identity.namespace for identity in held)
        text = "Service accounts whose sidecars could start without an xDS server."
        return [_gauge("lawflow_standby_service_accounts", text, accounts)]


def _gauge(name: str, text: str, counts: Counter[str]) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, text, labels=["namespace"])
    for namespace, count in sorted(counts.items()):
        gauge.add_metric([namespace], count)
    return gauge
