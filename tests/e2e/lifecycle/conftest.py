"""A market in the shared installation, for tests that disturb its pods and nothing else."""

from collections.abc import Iterator

import pytest
from tests.e2e.lifecycle.market import Market, account, charging, flow, place, server, service, workload
from tests.support.node.cluster import NodeCluster

NAMESPACE = "market"


@pytest.fixture(scope="package")
def market(installed: NodeCluster) -> Iterator[Market]:
    """Two pods of ``server`` that ``client`` keeps calling, and one of ``neighbour`` that ``passer`` does."""
    found = Market(installed, NAMESPACE)
    pairs = {"client": "server", "passer": "neighbour"}
    accounts = [account(NAMESPACE, name) for pair in pairs.items() for name in pair]
    found.apply(*place(NAMESPACE), *accounts)
    found.apply(*(flow(NAMESPACE, f"{source}-to-{target}", source, target) for source, target in pairs.items()))
    found.apply(*(service(NAMESPACE, name) for name in pairs.values()))
    found.apply(server(NAMESPACE, "server", replicas=2), server(NAMESPACE, "neighbour"))
    found.rolled_out("deployment/server", "deployment/neighbour")
    found.apply(*(workload(NAMESPACE, client, "load", *charging(NAMESPACE, name)) for client, name in pairs.items()))
    found.rolled_out(*(f"deployment/{client}" for client in pairs))
    found.ready(*(f"{source}-to-{target}" for source, target in pairs.items()))
    for client in pairs:
        found.heals(client)
    yield found
    # Its load would slow down every test that comes after.
    found.kubectl("delete", "namespace", NAMESPACE, "--wait=false")
