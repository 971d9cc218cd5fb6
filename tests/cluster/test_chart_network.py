"""What Helm makes of the chart's DaemonSet: privileged as far as it must be, and where it may be."""

import pytest
from tests.support import chart
from tests.support.chart import CHART, Object, helm
from tests.support.cluster import Cluster

pytestmark = pytest.mark.cluster


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
