"""What Helm makes of the chart: valid, restricted, and understood by the processes that it starts."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.support import chart, toolchain
from tests.support.chart import CHART, Object, helm
from tests.support.cluster import Cluster
from tests.support.schemas import write_schemas

from lawflow.law import load_legal_data

pytestmark = pytest.mark.cluster

VARIANTS = {
    "default": (),
    "certificates by Secret": ("--set=sidecar.delivery=secret",),
    "webhook by URL": ("--set=webhook.url=https://127.0.0.1:9443/", "--set=webhook.caBundle=QUJD"),
    "the plugin on nodes": ("--set=network.enabled=true,network.namespace=kube-system,sidecar.interception=redirect",),
    "the plugin off nodes": ("--set=network.enabled=true,network.remove=true",),
    "everything off": (
        "--set=backstop.enabled=false,networkPolicies.enabled=false,startupCheck.enabled=false,crds.enabled=false",
    ),
    "everything set": (
        "--set=imagePullSecrets[0].name=registry,nodeSelector.disk=ssd,tolerations[0].operator=Exists",
        "--set=legalData.consentAge.countries.DE=14,disabledRules={GDPR-6-1-f-balancing-expired}",
    ),
}
variants = pytest.mark.parametrize("flags", VARIANTS.values(), ids=VARIANTS)


@pytest.fixture(scope="module")
def schemas(control_plane: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_schemas(control_plane, tmp_path_factory.mktemp("schemas"))


def test_helm_finds_nothing_to_complain_about() -> None:
    helm("lint", "--strict", str(CHART))


@variants
def test_every_object_has_the_form_that_the_api_server_asks_for(schemas: str, flags: tuple[str, ...]) -> None:
    command = [str(toolchain.kubeconform()), "-strict", "-summary", f"-schema-location={schemas}"]
    done = subprocess.run(command, input=chart.rendered(*flags), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Skipped: 0" in done.stdout


@pytest.mark.parametrize(
    ("flag", "named"),
    [
        ("webhok.replicas=3", "webhok"),
        ("webhook.replica=3", "replica"),
        ("webhook.replicas=0", "/webhook/replicas"),
        ("sidecar.delivery=secrets", "/sidecar/delivery"),
        ("webhook.url=http://127.0.0.1:9443", "/webhook/url"),
        ("webhook.timeoutSeconds=31", "/webhook/timeoutSeconds"),
        ("network.cniBinDir=opt/cni/bin", "/network/cniBinDir"),
    ],
)
def test_a_value_that_is_misspelt_or_out_of_range_is_named(flag: str, named: str) -> None:
    refused = helm("template", "lawflow", str(CHART), f"--set={flag}", check=False)
    assert refused.returncode != 0
    assert named in refused.stderr


@variants
def test_every_pod_passes_pod_security_restricted(
    control_plane: Cluster, namespace: str, flags: tuple[str, ...]
) -> None:
    control_plane.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    made = chart.of_kind(chart.objects(chart.rendered(*flags)), "Deployment", "Job")
    assert len(made) >= 4
    for each in made:
        template = each["spec"]["template"]
        pod: Object = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe", "namespace": namespace}}
        spec = {**template["spec"], "serviceAccountName": "default"}
        control_plane.kubectl("create", "--dry-run=server", "--filename=-", input={**pod, "spec": spec})


def network_pod(*flags: str) -> Object:
    (found,) = chart.of_kind(chart.objects(chart.rendered("--set=network.enabled=true", *flags)), "DaemonSet")
    spec: Object = found["spec"]["template"]["spec"]
    return spec


def test_the_plugins_pods_have_folders_of_the_node_and_nothing_else_that_restricted_pods_lack(
    control_plane: Cluster, namespace: str
) -> None:
    control_plane.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    spec = network_pod()
    assert spec["automountServiceAccountToken"] is False
    pod: Object = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe", "namespace": namespace}}
    pod["spec"] = {**spec, "serviceAccountName": "default"}
    refused = control_plane.kubectl("create", "--dry-run=server", "--filename=-", input=pod, check=False).stderr
    refused = refused.partition('violates PodSecurity "restricted:latest": ')[2]
    violations = {part.strip().partition(" (")[0] for part in refused.split("), ")}
    because_of_the_node = {"host namespaces", "restricted volume types"}
    because_of_its_files = {"unrestricted capabilities", "runAsNonRoot != true", "runAsUser=0"}
    assert violations == because_of_the_node | because_of_its_files


def test_a_namespace_that_would_refuse_the_plugins_pods_is_named_before_anything_is_installed(
    control_plane: Cluster, namespace: str
) -> None:
    control_plane.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=baseline")
    values = f"network.enabled=true,network.namespace={namespace},crds.enabled=false"
    refused = helm(
        *("install", "lawflow", str(CHART), "--dry-run=server", f"--namespace={chart.NAMESPACE}", f"--set={values}"),
        f"--kubeconfig={control_plane.admin.kubeconfig}",
        check=False,
    )
    assert refused.returncode != 0
    assert f"namespace {namespace} enforces Pod Security baseline" in refused.stderr


def test_the_plugins_pods_and_the_nodes_folders_are_named_once() -> None:
    spec = network_pod("--set=network.cniBinDir=/home/cni,network.cniConfDir=/srv/net.d,network.remove=true")
    (container,) = spec["containers"]
    options = ["--cni-bin-dir=/home/cni", "--cni-conf-dir=/srv/net.d", "--remove"]
    assert container["args"] == ["node", *options]
    assert container["readinessProbe"]["exec"]["command"] == ["lawflow-network", "ready", *options]
    assert {each["hostPath"]["path"] for each in spec["volumes"]} == {"/home/cni", "/srv/net.d"}
    assert {each["mountPath"] for each in container["volumeMounts"]} == {"/home/cni", "/srv/net.d"}


def test_no_role_is_bound_to_the_plugins_account() -> None:
    made = chart.objects(chart.rendered("--set=network.enabled=true"))
    bound = {
        each["name"] for role in chart.of_kind(made, "RoleBinding", "ClusterRoleBinding") for each in role["subjects"]
    }
    assert "lawflow-network" in {each["metadata"]["name"] for each in chart.of_kind(made, "ServiceAccount")}
    assert "lawflow-network" not in bound


def test_every_service_selects_pods_that_have_its_port_and_every_budget_selects_pods() -> None:
    made = chart.objects(chart.rendered())
    templates = [each["spec"]["template"] for each in chart.of_kind(made, "Deployment")]

    def selected(selector: dict[str, str]) -> list[Object]:
        return [each for each in templates if selector.items() <= each["metadata"]["labels"].items()]

    for service in chart.of_kind(made, "Service"):
        (template,) = selected(service["spec"]["selector"])
        ports = {port["name"] for port in template["spec"]["containers"][0]["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    for each in chart.of_kind(made, "PodDisruptionBudget"):
        assert len(selected(each["spec"]["selector"]["matchLabels"])) == 1
    for each in chart.of_kind(made, "NetworkPolicy"):
        (template,) = selected(each["spec"]["podSelector"]["matchLabels"])
        ports = {port["containerPort"] for port in template["spec"]["containers"][0]["ports"]}
        assert {port["port"] for port in each["spec"]["ingress"][0]["ports"]} == ports


def test_every_process_understands_its_arguments() -> None:
    for each in chart.of_kind(chart.objects(chart.rendered()), "Deployment", "Job"):
        arguments = each["spec"]["template"]["spec"]["containers"][0]["args"]
        command = [sys.executable, "-m", "lawflow", *arguments, "--help"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"lawflow {' '.join(arguments)}: {done.stderr}"


def test_legal_data_reach_the_processes_as_they_were_written(tmp_path: Path) -> None:
    decision = "{source: Decision, validFrom: 2026-01-01, validUntil: 2027-06-01}"
    values = tmp_path / "values.yaml"
    values.write_text(f"legalData: {{consentAge: {{countries: {{DE: 14}}}}, adequacy: {{KR: [{decision}]}}}}")
    (found,) = chart.of_kind(chart.objects(chart.rendered(f"--values={values}")), "ConfigMap")
    written = tmp_path / "legal-data.yaml"
    written.write_text(found["data"]["legal-data.yaml"])
    legal = load_legal_data(written)
    assert legal.consent_age.countries["DE"] == 14
    assert [str(each.valid_until) for each in legal.adequacy["KR"]] == ["2027-06-01"]
