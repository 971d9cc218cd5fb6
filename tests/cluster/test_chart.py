"""What Helm makes of the chart: valid, restricted, and understood by the processes that it starts."""

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from click.testing import CliRunner
from tests.support import chart, toolchain
from tests.support.chart import CHART, Object, helm
from tests.support.cluster import Cluster
from tests.support.schemas import write_schemas

from lawflow.cli.injection import bootstrap_settings, sidecar_releases
from lawflow.cli.main import cli
from lawflow.inject.gateway import is_genuine_gateway
from lawflow.inject.settings import Delivery, InjectionSettings
from lawflow.law import load_legal_data

pytestmark = pytest.mark.cluster

VARIANTS = {
    "default": (),
    "certificates by Secret": ("--set=sidecar.delivery=secret",),
    "egress gateway": ("--set=egress.enabled=true,egress.externalRoots=own-roots",),
    "egress gateway with a certificate by Secret": ("--set=egress.enabled=true,sidecar.delivery=secret",),
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


@pytest.mark.parametrize("delivery", get_args(Delivery))
def test_the_gateway_is_what_the_signer_takes_for_genuine(delivery: Delivery) -> None:
    chosen = f"sidecar.images[0]=registry.example/sidecar:2,trustDomain=example.org,sidecar.delivery={delivery}"
    made = chart.objects(
        chart.rendered("--set=egress.enabled=true,egress.resources.limits.memory=1Gi", f"--set={chosen}")
    )
    (gateway,) = [each for each in chart.of_kind(made, "Deployment") if each["metadata"]["name"] == "lawflow-egress"]
    started_with = bootstrap_settings("example.org", chart.NAMESPACE)
    (release,) = sidecar_releases(["registry.example/sidecar:2"], started_with)
    template = gateway["spec"]["template"]
    assert is_genuine_gateway(template, InjectionSettings(release, delivery=delivery))
    assert not is_genuine_gateway(template, InjectionSettings(replace(release, bootstrap="{}"), delivery=delivery))


def test_every_service_selects_pods_that_have_its_port_and_every_budget_selects_pods() -> None:
    made = chart.objects(chart.rendered("--set=egress.enabled=true"))
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
        done = CliRunner().invoke(cli, [*arguments, "--help"])
        assert done.exit_code == 0, f"lawflow {' '.join(arguments)}: {done.output}"


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
