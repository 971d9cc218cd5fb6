"""What injection makes, judged by the real API server: its validation, its defaults, its Pod Security admission."""

import copy
from dataclasses import replace

import pytest
from tests.support.cluster import Cluster, Object
from tests.support.pods import IDENTITY_DATA, SETTINGS, container, pod
from tests.support.restricted import violations
from tests.support.waiting import eventually

from lawflow.inject import Delivery, IdentityData, Injected, Unchanged, inject_pod, inject_workload
from lawflow.model.sidecar import Interception

pytestmark = pytest.mark.cluster

RESTRICTED = "pod-security.kubernetes.io/enforce"


def placed(namespace: str, **spec: object) -> Object:
    found = pod(serviceAccountName="default", **spec)
    found["metadata"] = {"generateName": "orders-", "namespace": namespace}
    return found


def injected(before: Object, delivery: Delivery = "podCertificate", mode: Interception = "explicit") -> Object:
    data = IdentityData(IDENTITY_DATA.destinations, mode)
    result = inject_pod(before, replace(SETTINGS, delivery=delivery), data)
    assert isinstance(result, Injected), result
    return result.pod


@pytest.fixture
def restricted(control_plane: Cluster, namespace: str) -> str:
    """A namespace that enforces Pod Security ``restricted`` as of this API server."""
    control_plane.kubectl("label", "namespace", namespace, f"{RESTRICTED}=restricted", f"{RESTRICTED}-version=latest")
    privileged = {**container(), "securityContext": {"privileged": True}}
    probe = placed(namespace, containers=[privileged])
    create = ("create", "--dry-run=server", "--filename=-")
    eventually(
        lambda: "violates PodSecurity" in control_plane.kubectl(*create, input=probe, check=False).stderr,
        "the namespace's label heeded",
    )
    return namespace


@pytest.mark.parametrize("delivery", ["podCertificate", "secret"])
@pytest.mark.parametrize("mode", ["explicit", "redirect"])
def test_an_injected_pod_passes_restricted_and_is_genuine_as_stored(
    control_plane: Cluster, restricted: str, delivery: Delivery, mode: Interception
) -> None:
    before = placed(restricted, initContainers=[container("migrate")])
    stored = control_plane.create(injected(before, delivery, mode))
    own = ["lawflow-sidecar"] if mode == "explicit" else ["lawflow-network", "lawflow-sidecar"]
    assert [each["name"] for each in stored["spec"]["initContainers"]] == [*own, "migrate"]
    settings = replace(SETTINGS, delivery=delivery)
    assert inject_pod(stored, settings, IDENTITY_DATA) == Unchanged("genuine-sidecar")


def test_pods_that_controllers_make_from_an_injected_template_are_genuine(
    control_plane: Cluster, restricted: str
) -> None:
    labels = {"app": "orders"}
    template = {"metadata": {"labels": labels}, "spec": placed(restricted)["spec"]}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "orders", "namespace": restricted},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }
    result = inject_workload(deployment, SETTINGS, IDENTITY_DATA)
    assert isinstance(result, Injected)
    stored = control_plane.create(result.pod)
    assert inject_workload(stored, SETTINGS, IDENTITY_DATA) == Unchanged("genuine-sidecar")

    def made() -> list[Object]:
        found: list[Object] = control_plane.get("pods", "-n", restricted, "-l", "app=orders")["items"]
        return found

    eventually(made, "the Deployment's pod exists")
    assert inject_pod(made()[0], SETTINGS, IDENTITY_DATA) == Unchanged("genuine-sidecar")


BROKEN = {
    "a privileged container": {"containers": [container(securityContext={"privileged": True})]},
    "no security context": {"containers": [container(securityContext={})]},
    "root": {"securityContext": {"runAsUser": 0}},
    "a host path": {"volumes": [{"name": "host", "hostPath": {"path": "/"}}]},
    "a sysctl": {"securityContext": {"sysctls": [{"name": "kernel.sem", "value": "1"}]}},
    "a host port": {"containers": [container(ports=[{"containerPort": 80, "hostPort": 80}])]},
    "an init container": {"initContainers": [container("init", securityContext={})]},
}


@pytest.mark.parametrize("spec", BROKEN.values(), ids=BROKEN.keys())
def test_our_reading_of_restricted_finds_what_the_api_server_refuses(
    control_plane: Cluster, restricted: str, spec: Object
) -> None:
    found = placed(restricted, **copy.deepcopy(spec))
    answer = control_plane.kubectl("create", "--filename=-", input=found, check=False)
    assert "violates PodSecurity" in answer.stderr
    assert violations(found)


def test_our_reading_of_restricted_passes_what_the_api_server_takes(control_plane: Cluster, restricted: str) -> None:
    found = placed(restricted)
    control_plane.create(found)
    assert violations(found) == []
