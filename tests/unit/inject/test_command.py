"""``lawflow inject``: what goes to standard output, what to standard error, and how it ends."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from lawflow.cli.inject import inject

pytestmark = pytest.mark.unit

FLOW = """\
apiVersion: lawflow.dev/v1alpha1
kind: DataFlow
metadata: {name: orders-to-billing, namespace: shop}
spec:
  source: {serviceAccountName: orders}
  destination:
    service: {namespace: finance, name: billing, port: 80}
    role: sameController
"""
DEPLOYMENT = """\
# Owned by the shop team.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: orders  # not invoices
  namespace: shop
spec:
  x-unknown: yes
  template:
    spec:
      serviceAccountName: orders
      # Migrates the database.
      initContainers:
        - name: migrate  # once
          image: "shop/orders:1"
      containers:
        # The app itself.
        - name: app
          image: 'shop/orders:1'
          command: ["orders", "--umask", "0022"]
      volumes:
        - name: scratch  # lost at each restart
          emptyDir: {}
"""
BYSTANDER = """\
--- # unrelated
kind:   Deployment
apiVersion: apps/v1
metadata: {name: static,   namespace: shop}
spec: {template: {spec: {containers: [ {name: web, image: nginx} ]}}}
"""


def run(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(inject, arguments, input=text)


def done(text: str, *options: str) -> str:
    result = run("-f", "-", *options, text=text)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def workloads(stream: str) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all(stream) if each and each["kind"] != "DataFlow"]


def sidecars(template: dict[str, Any]) -> list[str]:
    containers = template["spec"].get("initContainers", [])
    return [each["name"] for each in containers if each["name"] == "lawflow-sidecar"]


def test_the_sidecar_is_added_and_every_line_of_the_workload_stays() -> None:
    lines = done(f"{DEPLOYMENT}---\n{FLOW}").splitlines()
    assert [line for line in DEPLOYMENT.splitlines() if line not in lines] == []
    assert "        - name: lawflow-sidecar" in lines


def test_documents_without_a_flow_pass_to_the_byte() -> None:
    output = done(f"{DEPLOYMENT}{BYSTANDER}---\n{FLOW}")
    assert output.endswith(f"{BYSTANDER}---\n{FLOW}")
    assert done(BYSTANDER) == BYSTANDER


def test_what_comes_out_passes_a_second_time_unchanged() -> None:
    once = done(f"{DEPLOYMENT}---\n{FLOW}")
    assert done(once) == once


def test_a_receiver_gets_a_sidecar_too() -> None:
    receiver = DEPLOYMENT.replace("orders", "billing").replace("namespace: shop", "namespace: finance")
    (deployment,) = workloads(done(f"{receiver}---\n{FLOW}"))
    assert sidecars(deployment["spec"]["template"])
    assert "hostAliases" not in deployment["spec"]["template"]["spec"]


def test_a_namespace_sake_of_the_source_in_another_namespace_gets_none() -> None:
    elsewhere = DEPLOYMENT.replace("namespace: shop", "namespace: test")
    assert done(f"{elsewhere}---\n{FLOW}").startswith(elsewhere)


def test_objects_without_a_namespace_lie_in_the_one_that_is_named() -> None:
    nowhere = DEPLOYMENT.replace("  namespace: shop\n", "")
    assert sidecars(workloads(done(f"{nowhere}---\n{FLOW}", "-n", "shop"))[0]["spec"]["template"])
    assert not sidecars(workloads(done(f"{nowhere}---\n{FLOW}"))[0]["spec"]["template"])


@pytest.mark.parametrize("kind", ["List", "DeploymentList"])
def test_members_of_a_list_get_their_sidecars_in_place(kind: str) -> None:
    deployment = yaml.safe_load(DEPLOYMENT)
    if kind == "DeploymentList":
        deployment.pop("kind")
        deployment.pop("apiVersion")
    version = "v1" if kind == "List" else "apps/v1"
    listed = yaml.safe_dump({"apiVersion": version, "kind": kind, "items": [deployment]})
    (found,) = workloads(done(f"{listed}---\n{FLOW}"))
    assert found["kind"] == kind
    assert sidecars(found["items"][0]["spec"]["template"])


def test_json_stays_json() -> None:
    output = done(f"---\n{FLOW}---\n{json.dumps(yaml.safe_load(DEPLOYMENT))}\n")
    assert sidecars(json.loads(output.split("---\n")[-1])["spec"]["template"])


def test_workloads_that_share_an_anchor_get_one_sidecar_each() -> None:
    spec = "{serviceAccountName: orders, containers: [{name: a, image: b}]}"
    shared = (
        "apiVersion: v1\nkind: List\nitems:\n"
        f"- {{apiVersion: v1, kind: Pod, metadata: {{name: a, namespace: shop}}, spec: &spec {spec}}}\n"
        "- {apiVersion: v1, kind: Pod, metadata: {name: b, namespace: shop}, spec: *spec}\n"
    )
    found = workloads(done(f"{shared}---\n{FLOW}"))
    pods = [pod for each in found for pod in each.get("items", [each])]
    assert [sidecars(pod) for pod in pods] == [["lawflow-sidecar"], ["lawflow-sidecar"]]


def test_files_and_folders_become_one_stream(tmp_path: Path) -> None:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "flow.yaml").write_text(FLOW.rstrip("\n"))
    (tmp_path / "orders.yaml").write_text(DEPLOYMENT)
    result = run("-f", str(tmp_path / "manifests"), "-f", str(tmp_path / "orders.yaml"))
    assert result.exit_code == 0
    kinds = [each["kind"] for each in yaml.safe_load_all(result.stdout)]
    assert kinds == ["DataFlow", "Deployment"]


def test_a_refusal_goes_to_standard_error_with_exit_code_1_and_nothing_to_apply() -> None:
    host = DEPLOYMENT.replace("      containers:", "      hostNetwork: true\n      containers:")
    result = run("-f", "-", text=f"{host}---\n{FLOW}")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "<stdin>: Deployment shop/orders: .spec.template.spec.hostNetwork: " in result.stderr


@pytest.mark.parametrize(
    "text",
    ["a: [", "kind: Pod\n", f"{FLOW}  typo: 1\n", DEPLOYMENT.replace("- name: scratch", "name: scratch")],
    ids=["syntax", "no object", "schema", "shape"],
)
def test_unusable_input_ends_with_exit_code_2_and_the_place(text: str) -> None:
    result = run("-f", "-", text=text)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: <stdin>:")


def test_a_missing_file_ends_with_exit_code_2(tmp_path: Path) -> None:
    result = run("-f", str(tmp_path / "absent.yaml"))
    assert result.exit_code == 2
    assert "absent.yaml" in result.stderr


def test_a_declared_flow_that_is_not_in_the_input_is_a_warning() -> None:
    declaring = DEPLOYMENT.replace(
        "  template:\n", "  template:\n    metadata: {annotations: {lawflow.dev/flows: orders-to-crm}}\n"
    )
    result = run("-f", "-", text=declaring)
    assert result.exit_code == 0
    assert "shop/orders-to-crm" in result.stderr
    assert sidecars(workloads(result.stdout)[0]["spec"]["template"])


def test_lawflow_itself_may_run_in_a_namespace_of_any_name() -> None:
    stream = done(f"{DEPLOYMENT}---\n{FLOW}", "--system-namespace", "privacy")
    assert "lawflow-xds.privacy.svc" in stream
    assert "lawflow-system" not in stream


def test_options_choose_mode_and_delivery() -> None:
    text = f"{DEPLOYMENT}---\n{FLOW}"
    spec = workloads(done(text, "--interception", "redirect", "--delivery", "secret"))[0]["spec"]["template"]["spec"]
    assert "hostAliases" not in spec
    assert spec["volumes"][1]["projected"]["sources"][0]["secret"]["name"] == "lawflow-orders"


def test_the_label_of_a_namespace_in_the_input_chooses_the_mode() -> None:
    labels = "{name: shop, labels: {lawflow.dev/interception: redirect}}"
    namespace = f"---\napiVersion: v1\nkind: Namespace\nmetadata: {labels}\n"
    deployment = workloads(done(f"{DEPLOYMENT}{namespace}---\n{FLOW}"))[0]
    assert "hostAliases" not in deployment["spec"]["template"]["spec"]
