"""``lawflow controller`` as a process: leadership, signals, sudden death, and a database that goes away."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import merchant
from tests.support.cluster import Cluster, Object
from tests.support.server_process import SECONDS_TO_END, ControllerProcess
from tests.support.waiting import eventually

from lawflow.controller.flow_index import accounts_of_flows

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("crds")]

TODAY = "--today=2026-07-01"
SECRET = "--delivery=secret"
SOON = "--lease-seconds=5"
"""A replica that falls silent is replaced soon, and not for a busy machine's sake."""
RENEWED = "2026-07-01T12:00:00.000000Z"


@pytest.fixture
def acme(control_plane: Cluster, namespace: str) -> Iterator[str]:
    name = f"acme-{namespace}"
    yield name
    control_plane.kubectl("delete", "datacontroller", name, "--ignore-not-found")


def is_lawful(cluster: Cluster, namespace: str, name: str = "orders-to-psp") -> bool:
    flow = cluster.find("dataflow", name, "-n", namespace)
    conditions = ((flow or {}).get("status") or {}).get("conditions", [])
    return any(each["type"] == "Lawful" and each["status"] == "True" for each in conditions)


def events(cluster: Cluster, namespace: str, reason: str) -> list[Object]:
    found: list[Object] = cluster.get("events", "-n", namespace, f"--field-selector=reason={reason}")["items"]
    return found


def test_it_judges_and_ends_with_0_on_sigterm(
    control_plane: Cluster, namespace: str, acme: str, tmp_path: Path
) -> None:
    control_plane.apply(*merchant.references(namespace, acme), merchant.flow(namespace, controller=acme))
    with ControllerProcess(control_plane, tmp_path, namespace, TODAY, SECRET) as controller:
        eventually(lambda: is_lawful(control_plane, namespace), "the flow is lawful")
        assert controller.get("/healthz").status_code == 200
        assert controller.get("/readyz").status_code == 200
        assert "lawflow_leader 1.0" in controller.get("/metrics").text
        assert controller.end() == 0
    lines = [json.loads(line) for line in controller.log.read_text().splitlines()]
    assert any(line["message"] == "this replica leads" for line in lines)
    assert not [line for line in lines if line["levelname"] in ("ERROR", "WARNING")]


def test_it_ends_with_130_on_ctrl_c(control_plane: Cluster, namespace: str, tmp_path: Path) -> None:
    with ControllerProcess(control_plane, tmp_path, namespace, SECRET) as controller:
        eventually(controller.leads, "the replica leads")
        assert controller.end(signal.SIGINT) == 130


def test_nothing_of_kopf_is_left_on_a_users_object(
    control_plane: Cluster, namespace: str, acme: str, tmp_path: Path
) -> None:
    with ControllerProcess(control_plane, tmp_path, namespace, TODAY, SECRET) as controller:
        eventually(controller.leads, "the replica leads")
        control_plane.apply(*merchant.references(namespace, acme), merchant.flow(namespace, controller=acme))
        eventually(lambda: is_lawful(control_plane, namespace), "the flow is lawful")
    flow = control_plane.get("dataflow", "orders-to-psp", "-n", namespace)
    assert "finalizers" not in flow["metadata"]
    assert "annotations" not in flow["metadata"]


def test_of_two_replicas_one_writes_and_the_other_takes_over(
    control_plane: Cluster, namespace: str, acme: str, tmp_path: Path
) -> None:
    with ControllerProcess(control_plane, tmp_path, namespace, TODAY, SECRET, name="first") as first:
        eventually(first.leads, "the first replica leads")
        with ControllerProcess(control_plane, tmp_path, namespace, TODAY, SECRET, name="second") as second:
            assert eventually(lambda: second.get("/readyz"), "an answer").status_code == 200
            control_plane.apply(*merchant.references(namespace, acme), merchant.flow(namespace, controller=acme))
            eventually(lambda: is_lawful(control_plane, namespace), "the flow is lawful")
            assert not second.leads()
            assert "lawflow_leader 0.0" in second.get("/metrics").text
            first.process.kill()
            eventually(second.leads, "the second replica leads")
            control_plane.apply(merchant.flow(namespace, "another", controller=acme))
            eventually(lambda: is_lawful(control_plane, namespace, "another"), "the other flow is lawful")
            eventually(lambda: len(events(control_plane, namespace, "Lawful")) >= 2, "an event about each")
    assert len(events(control_plane, namespace, "Lawful")) == 2


def test_killed_in_the_middle_it_resumes_without_loss_and_without_doubles(
    control_plane: Cluster, namespace: str, acme: str, tmp_path: Path
) -> None:
    names = [f"flow-{number}" for number in range(30)]
    control_plane.apply(*merchant.references(namespace, acme))
    with ControllerProcess(control_plane, tmp_path, namespace, TODAY, SECRET, SOON, name="killed") as controller:
        eventually(controller.leads, "the replica leads")
        eventually(lambda: control_plane.find("secret", "lawflow-authority", "-n", namespace), "an authority")
        control_plane.apply(*(merchant.flow(namespace, name, controller=acme) for name in names))
        eventually(lambda: any(is_lawful(control_plane, namespace, name) for name in names), "a first verdict")
        controller.process.kill()
    authority = control_plane.get("secret", "lawflow-authority", "-n", namespace)["metadata"]["uid"]
    with ControllerProcess(control_plane, tmp_path, namespace, TODAY, SECRET, SOON, name="next"):

        def complete() -> bool:
            index = control_plane.find("flowindex", "lawflow", "-n", namespace)
            return _lawful(index) == sorted(names)

        eventually(complete, "an index with every flow")
        eventually(lambda: len(events(control_plane, namespace, "Lawful")) >= len(names), "all events")
    told = events(control_plane, namespace, "Lawful")
    assert sorted(event["involvedObject"]["name"] for event in told) == sorted(names)
    assert control_plane.get("secret", "lawflow-authority", "-n", namespace)["metadata"]["uid"] == authority


def test_it_goes_on_by_itself_after_etcd_was_killed(
    control_plane: Cluster, namespace: str, acme: str, tmp_path: Path
) -> None:
    control_plane.apply(*merchant.references(namespace, acme))
    with ControllerProcess(
        control_plane, tmp_path, namespace, TODAY, SECRET, "--lease-seconds=60", "--resync-seconds=2"
    ) as controller:
        eventually(controller.leads, "the replica leads")
        control_plane.kill("etcd")
        control_plane.start("etcd")
        control_plane.apply(merchant.flow(namespace, controller=acme))
        eventually(lambda: is_lawful(control_plane, namespace), "the flow is lawful", 60.0)
        control_plane.kubectl("delete", "dataflow", "orders-to-psp", "-n", namespace)
        eventually(lambda: not _indexed(control_plane, namespace), "the flow leaves the index", 60.0)
        assert controller.process.poll() is None


def _indexed(cluster: Cluster, namespace: str) -> dict[str, str]:
    index = cluster.find("flowindex", "lawflow", "-n", namespace)
    return dict(accounts_of_flows(index)) if index else {}


def _lawful(index: Object | None) -> list[str]:
    entries = ((index or {}).get("spec", {}).get("lawful") or "").split(",")
    return sorted(entry.partition("/")[0] for entry in entries if entry)


def test_a_replica_that_another_has_replaced_ends_with_1_and_writes_no_more(
    control_plane: Cluster, namespace: str, acme: str, tmp_path: Path
) -> None:
    control_plane.apply(*merchant.references(namespace, acme))
    with ControllerProcess(control_plane, tmp_path, namespace, TODAY, SECRET) as controller:
        eventually(controller.leads, "the replica leads")
        lease = {"spec": {"holderIdentity": "another", "leaseDurationSeconds": 60, "renewTime": RENEWED}}
        control_plane.patch("lease", "lawflow-controller", lease, "-n", namespace)
        assert controller.process.wait(SECONDS_TO_END) == 1
        control_plane.apply(merchant.flow(namespace, controller=acme))
    flow = control_plane.get("dataflow", "orders-to-psp", "-n", namespace)
    assert "status" not in flow


def test_objects_that_flows_refer_to_say_whether_they_can_be_referred_to(
    control_plane: Cluster, namespace: str, acme: str, tmp_path: Path
) -> None:
    with ControllerProcess(control_plane, tmp_path, namespace, TODAY, SECRET) as controller:
        eventually(controller.leads, "the replica leads")
        control_plane.apply(*merchant.references(namespace, acme))
        for kind, name in (("dataset", "orders-db"), ("datacontroller", acme)):
            where = ("-n", namespace) if kind == "dataset" else ()
            wait = ("wait", "--for=condition=Ready", f"{kind}/{name}", "--timeout=30s", *where)
            control_plane.kubectl(*wait)
