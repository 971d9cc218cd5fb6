"""The gate on the control plane, and namespaces that have opted in to it."""

import uuid
from collections.abc import Iterator

import pytest
from tests.support.cluster import Cluster
from tests.support.gate import AdmissionServer, backstop, definitions, namespace, webhooks
from tests.support.gated_shop import Shop, open_shop


@pytest.fixture(scope="module")
def gate(control_plane: Cluster) -> Iterator[Cluster]:
    """The policies in force, and no Lawflow process anywhere."""
    with definitions(control_plane), backstop(control_plane):
        yield control_plane


@pytest.fixture(scope="module")
def admission_server(gate: Cluster) -> Iterator[AdmissionServer]:
    """A running admission server that the API server asks."""
    server = AdmissionServer(gate)
    try:
        server.start()
        with webhooks(gate, server):
            yield server
    finally:
        server.close()


@pytest.fixture
def shop(gate: Cluster) -> Iterator[Shop]:
    """A namespace that has opted in, whose index holds a lawful flow, an unlawful one and one that was lawful."""
    opened = open_shop(gate)
    yield opened
    opened.close()


@pytest.fixture
def elsewhere(gate: Cluster) -> Iterator[str]:
    """The name of a namespace that has not opted in."""
    name = f"elsewhere-{uuid.uuid4().hex[:8]}"
    gate.apply(namespace(name))
    gate.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "orders", "namespace": name}})
    yield name
    gate.kubectl("delete", "namespace", name, "--wait=false")
