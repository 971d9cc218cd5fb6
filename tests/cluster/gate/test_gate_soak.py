"""A hundred thousand reviews leave the admission server as large as it was."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from tests.support.cluster import Cluster
from tests.support.flows import flow
from tests.support.gate import AdmissionServer, definitions, namespace, pod, workload
from tests.support.injected_pods import injected
from tests.support.review_client import cpu_seconds, resident_mebibytes, send
from tests.support.reviews import request

pytestmark = [pytest.mark.cluster, pytest.mark.soak]

WARM_UP, REVIEWS, SLICE = 10_000, 100_000, 10_000
GROWTH_MEBIBYTES = 1.5


@pytest.fixture
def server(control_plane: Cluster) -> Iterator[AdmissionServer]:
    """An admission server that nobody else asks, with one lawful namespace and one unlawful flow in it."""
    with definitions(control_plane):
        control_plane.apply(
            namespace("soak", **{"lawflow.dev/inject": "enabled"}), flow("unlawful", "soak", "unlawful")
        )
        running = AdmissionServer(control_plane)
        try:
            running.start()
            yield running
        finally:
            running.close()
            control_plane.kubectl("delete", "namespace", "soak", "--wait=false")


def reviews(count: int, first: int) -> Iterator[bytes]:
    """Reviews of every outcome, no two of which speak of the same object or user."""
    for number in range(first, first + count):
        name, user = f"app-{number}", {"username": f"user-{number}", "groups": [f"group-{number}"]}
        match number % 5:
            case 0:
                asked = request(pod(name, "soak", f"account-{number}"), user=user)
            case 1:
                asked = request(injected(pod(name, "soak", f"account-{number}")), user=user)
            case 2:
                asked = request(workload(name, "soak", "unlawful"), user=user)
            case 3:
                reason = {"lawflow.dev/break-glass": f"reason {number}"}
                asked = request(pod(name, f"other-{number}", annotations=reason), user=user)
            case _:
                asked = {"uid": name, "operation": number}
        yield json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": asked}).encode()


@pytest.mark.timeout(1800)
def test_memory_stays_flat_over_a_hundred_thousand_reviews(
    server: AdmissionServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert server.process is not None
    pid = server.process.pid
    asyncio.run(send(server, reviews(WARM_UP, 0)))
    begin, busy = resident_mebibytes(pid), cpu_seconds(pid)

    sizes = []
    for first in range(WARM_UP, WARM_UP + REVIEWS, SLICE):
        asyncio.run(send(server, reviews(SLICE, first)))
        sizes.append(round(resident_mebibytes(pid), 1))

    spent = cpu_seconds(pid) - busy
    figures = {
        "soak": "admission",
        "reviews": REVIEWS,
        "resident_mebibytes_at_start": round(begin, 1),
        "resident_mebibytes": sizes,
        "cpu_milliseconds_a_review": round(1000 * spent / REVIEWS, 3),
    }
    with capsys.disabled():
        print(f"\n{json.dumps(figures)}")
    assert sizes[-1] - begin < GROWTH_MEBIBYTES, figures
