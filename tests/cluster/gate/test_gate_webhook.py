"""With the admission server up: refusals that a stranger can act on, sidecars in pods; and what its death does."""

import json
import signal
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.cluster import Cluster
from tests.support.flows import flow, references, unlawful_flow
from tests.support.gate import AdmissionServer, namespace, pod, refusal, workload, write_index
from tests.support.waiting import eventually

pytestmark = pytest.mark.cluster

Object = dict[str, Any]

FLOW = "orders-to-psp"


@pytest.fixture
def opted_in(gate: Cluster, admission_server: AdmissionServer) -> Iterator[str]:
    """The name of a namespace that opted in while nobody has written an index; service account ``orders``."""
    name = f"orders-{uuid.uuid4().hex[:8]}"
    gate.apply(namespace(name, **{"lawflow.dev/inject": "enabled"}))
    accounts: list[Object] = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": name}}
        for account in ("orders", "other")
    ]
    gate.apply(*accounts)
    host = pod("probe", name, "other")
    host["spec"]["hostNetwork"] = True
    eventually(lambda: ".spec.hostNetwork" in refusal(gate, host, "--dry-run=server"), "the namespace known")
    yield name
    gate.kubectl("delete", "datacontroller", "acme", "--ignore-not-found")
    gate.kubectl("delete", "namespace", name, "--wait=false")
    gate.kubectl("delete", "pods", "--all", "-n", name, "--grace-period=0", "--force", "--wait=false")


def waiting_for_references(cluster: Cluster, name: str) -> None:
    """Apply a flow that other objects can still make lawful, and wait until the admission server knows it."""
    cluster.apply(flow(FLOW, name))
    eventually(lambda: refusal(cluster, workload("probe", name), "--dry-run=server"), "the unlawful flow known")


def lawful(cluster: Cluster, name: str) -> None:
    """Apply a lawful flow with its references, and wait until the admission server knows it."""
    cluster.apply(*references(name), flow(FLOW, name))
    declared = pod("probe", name, "other", annotations={"lawflow.dev/flows": FLOW})
    eventually(lambda: "index" in refusal(cluster, declared, "--dry-run=server"), "the flow known to be lawful")


def test_a_refusal_names_flow_rule_article_path_and_fix_within_a_terminals_width(gate: Cluster, opted_in: str) -> None:
    waiting_for_references(gate, opted_in)

    message = refusal(gate, workload("orders", opted_in))

    first, *rest = message.strip().splitlines()
    assert 'admission webhook "workloads.lawflow.dev" denied the request' in first
    assert f"Deployment {opted_in}/orders has a data flow that is not lawful." in first
    text = "\n".join(rest)
    assert f"DataFlow {FLOW} is unlawful" in text
    assert "HOUSE-reference-unresolved (house rule)" in text
    assert "at   .spec.controllerRef" in text
    assert "fix  apply it, or correct the reference" in text
    assert all(len(line) <= 100 for line in rest)


def test_a_flow_that_other_objects_can_repair_is_admitted_with_warnings(gate: Cluster, opted_in: str) -> None:
    done = gate.kubectl("create", "--filename=-", input=flow(FLOW, opted_in))

    assert "Warning: deny: HOUSE-reference-unresolved" in done.stderr


def test_a_flow_that_nothing_else_can_repair_is_refused_at_once(gate: Cluster, opted_in: str) -> None:
    gate.apply(*references(opted_in))
    eventually(lambda: not refusal(gate, flow(FLOW, opted_in), "--dry-run=server"), "the references known")

    message = refusal(gate, unlawful_flow(FLOW, opted_in))

    assert "cannot become lawful by adding other objects" in message
    assert "GDPR-28-3-agreement-missing (Article 28(3))" in message


def test_pods_of_a_lawful_workload_get_their_sidecar(gate: Cluster, opted_in: str) -> None:
    lawful(gate, opted_in)

    assert refusal(gate, workload("orders", opted_in)) == ""

    (made,) = eventually(lambda: gate.get("pods", "-n", opted_in)["items"], "its pod")
    sidecar = made["spec"]["initContainers"][0]
    assert sidecar["name"] == "lawflow-sidecar"
    assert sidecar["restartPolicy"] == "Always"
    assert "api.psp.example" in json.dumps(made["spec"]["hostAliases"])
    assert made["spec"]["containers"][0]["image"] == "app"


def test_a_chart_applies_in_any_order(gate: Cluster, opted_in: str) -> None:
    done = gate.kubectl("create", "--filename=-", input=workload("orders", opted_in, "other", flows=FLOW))
    assert f"Warning: DataFlow {FLOW} does not exist" in done.stderr
    eventually(lambda: gate.get("events", "-n", opted_in, "--field-selector=reason=FailedCreate")["items"], "a refusal")

    gate.apply(*references(opted_in), flow(FLOW, opted_in))
    write_index(gate, opted_in, lawful=f",{FLOW}/orders,")

    eventually(lambda: gate.get("pods", "-n", opted_in)["items"], "its pod", seconds=60)


def test_generated_names_dry_runs_and_server_side_apply_meet_the_same_gate(gate: Cluster, opted_in: str) -> None:
    waiting_for_references(gate, opted_in)
    apply = ("apply", "--server-side", "--filename=-")

    assert "is unlawful" in refusal(gate, pod("orders-", opted_in))
    assert f"Pod {opted_in}/orders-" in refusal(gate, pod("orders-", opted_in))
    assert "is unlawful" in refusal(gate, workload("orders", opted_in), "--dry-run=server")
    assert "is unlawful" in gate.kubectl(*apply, input=workload("orders", opted_in), check=False).stderr
    assert refusal(gate, pod("other-", opted_in, "other")) == ""
    assert refusal(gate, workload("other", opted_in, "other"), "--dry-run=server") == ""
    gate.kubectl(*apply, input=workload("other", opted_in, "other"))


def test_a_namespace_that_opts_in_later_is_gated_from_then_on(
    gate: Cluster, elsewhere: str, admission_server: AdmissionServer
) -> None:
    gate.apply(flow(FLOW, elsewhere))
    assert refusal(gate, workload("before", elsewhere)) == ""

    gate.kubectl("label", "namespace", elsewhere, "lawflow.dev/inject=enabled")

    eventually(
        lambda: "is unlawful" in refusal(gate, workload("after", elsewhere), "--dry-run=server"), "the gate shut"
    )
    gate.kubectl("scale", "deployment/before", "-n", elsewhere, "--replicas=0")
    done = gate.kubectl("set", "image", "deployment/before", "-n", elsewhere, "app=app:2")
    assert f"Warning: DataFlow {FLOW} is unlawful" in done.stderr


def test_break_glass_passes_with_a_warning_for_who_may_bypass(gate: Cluster, opted_in: str) -> None:
    waiting_for_references(gate, opted_in)
    emergency = workload("orders", opted_in, annotations={"lawflow.dev/break-glass": "payments are down"})
    developer, on_call = (gate.user(f"{role}-{opted_in}") for role in ("developer", "on-call"))
    for user in (developer, on_call):
        gate.allow(user, ["create"], "deployments.apps", namespace=opted_in)
    gate.allow(on_call, ["bypass"], "dataflows.lawflow.dev", namespace=opted_in)

    refused = gate.kubectl("create", "--filename=-", input=emergency, user=developer, check=False)
    passed = gate.kubectl("create", "--filename=-", input=emergency, user=on_call)

    assert "is unlawful" in refused.stderr
    assert "Warning: break-glass by on-call-" in passed.stderr
    noted = gate.get("deployment", "orders", "-n", opted_in)["metadata"]["annotations"]
    assert noted["lawflow.dev/break-glass-user"] == on_call.name


def test_a_pod_that_can_have_no_sidecar_is_refused_with_the_reason(gate: Cluster, opted_in: str) -> None:
    host = pod("host", opted_in, "other")
    host["spec"]["hostNetwork"] = True

    message = refusal(gate, host)

    assert ".spec.hostNetwork" in message
    assert "remove hostNetwork" in message


def test_lawful_pods_wait_while_the_server_is_dead_and_start_once_it_is_back(
    gate: Cluster, opted_in: str, elsewhere: str, admission_server: AdmissionServer
) -> None:
    lawful(gate, opted_in)
    gate.apply(flow("unlawful", opted_in, "other", controllerRef={"name": "nobody"}))
    unlawful = {"unlawful": {"serviceAccount": "other", "reason": "no basis"}}
    named = {"other": ["unlawful"]}
    write_index(gate, opted_in, lawful=f",{FLOW}/orders,", unlawful=unlawful, serviceAccounts=named)
    gate.create(workload("running", opted_in))
    eventually(lambda: gate.get("pods", "-n", opted_in, "-l", "app=running")["items"], "a running pod")

    admission_server.end(signal.SIGKILL)
    try:
        eventually(
            lambda: "lawflow-unlawful-flows" in refusal(gate, workload("unlawful", opted_in, "other")),
            "the unlawful workload refused by the API server itself",
        )
        gate.create(workload("waiting", opted_in))
        failed = eventually(
            lambda: [
                event
                for event in gate.get("events", "-n", opted_in, "--field-selector=reason=FailedCreate")["items"]
                if event["involvedObject"]["name"].startswith("waiting")
            ],
            "the lawful pod waiting",
        )
        assert "lawflow-sidecar-present" in failed[0]["message"]
        assert len(gate.get("pods", "-n", opted_in, "-l", "app=running")["items"]) == 1
        assert refusal(gate, workload("elsewhere", elsewhere)) == ""
        eventually(lambda: gate.get("pods", "-n", elsewhere)["items"], "pods of others as ever")
        gate.kubectl("scale", "deployment/running", "-n", opted_in, "--replicas=0")
        eventually(lambda: not gate.get("pods", "-n", opted_in, "-l", "app=running")["items"], "the pod scaled away")
    finally:
        admission_server.start()

    eventually(lambda: gate.get("pods", "-n", opted_in, "-l", "app=waiting")["items"], "the waiting pod", seconds=60)
    assert gate.get("pods", "-n", opted_in, "-l", "app=unlawful")["items"] == []


def test_a_server_that_is_asked_to_end_drops_no_request(
    gate: Cluster, opted_in: str, admission_server: AdmissionServer
) -> None:
    with admission_server.client() as client:
        assert client.get("/healthz").status_code == 200
        assert admission_server.end(signal.SIGTERM) == 0
    admission_server.start()
    assert admission_server.end(signal.SIGINT) == 130
    admission_server.start()


def test_a_renewed_certificate_is_taken_up_while_the_server_runs(admission_server: AdmissionServer) -> None:
    renewed = admission_server.authority.server("localhost")
    serial = admission_server.serial()

    for old, new in (
        (admission_server.pair.key, renewed.key),
        (admission_server.pair.certificate, renewed.certificate),
    ):
        new.replace(old)

    eventually(lambda: admission_server.serial() != serial, "the renewed certificate served")
