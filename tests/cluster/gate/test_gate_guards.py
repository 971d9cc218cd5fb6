"""The gate guards itself: its labels, its index, the sidecar and the identity in it."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.support import kubelet
from tests.support.cluster import Cluster, User
from tests.support.flows import flow
from tests.support.gated_shop import LAWFUL, NONE, Shop
from tests.support.injected_pods import GENUINE, injected

from lawflow.model import sidecar as contract

pytestmark = pytest.mark.cluster

Object = dict[str, Any]


@pytest.fixture
def tenant(shop: Shop) -> User:
    """Somebody who may do everything in the namespace, edit the namespace itself, and write our kinds."""
    user = shop.cluster.user(f"tenant-{shop.name}")
    verbs = ["get", "list", "create", "update", "patch", "delete"]
    resources = ("pods", "pods/ephemeralcontainers", "pods/exec", "pods/attach", "deployments.apps")
    shop.cluster.allow(user, verbs, *resources, namespace=shop.name)
    kinds = ("dataflows.lawflow.dev", "dataflows.lawflow.dev/status", "flowindexes.lawflow.dev")
    shop.cluster.allow(user, verbs, *kinds, namespace=shop.name)
    shop.cluster.allow(user, verbs, "namespaces", name=shop.name)
    return user


def relabelled(shop: Shop, user: User, *labels: str) -> str:
    """Why the namespace may not be labelled so; empty where it was."""
    done = shop.cluster.kubectl("label", "namespace", shop.name, "--overwrite", *labels, user=user, check=False)
    return done.stderr if done.returncode else ""


@pytest.mark.parametrize("change", ["lawflow.dev/inject-", "lawflow.dev/inject=disabled", "lawflow.dev/enforce=audit"])
def test_who_may_edit_a_namespace_may_not_thereby_leave_the_gate(shop: Shop, tenant: User, change: str) -> None:
    assert "takes the verb bypass" in relabelled(shop, tenant, change)


def test_the_label_of_the_controller_is_the_controllers(shop: Shop, tenant: User) -> None:
    assert "set by Lawflow's controller alone" in relabelled(shop, tenant, "lawflow.dev/index-ready-")


def test_labels_change_by_somebody_who_may_bypass_the_gate(shop: Shop, tenant: User) -> None:
    shop.cluster.allow(tenant, ["bypass"], "dataflows.lawflow.dev", namespace=shop.name)

    assert relabelled(shop, tenant, "lawflow.dev/enforce=warn") == ""


def test_labels_of_others_are_none_of_the_gates_business(shop: Shop, tenant: User) -> None:
    assert relabelled(shop, tenant, "team=orders") == ""


def test_anybody_who_may_edit_a_namespace_may_opt_it_in_later(gate: Cluster, elsewhere: str) -> None:
    tenant = gate.user(f"tenant-{elsewhere}")
    gate.allow(tenant, ["get", "patch", "update"], "namespaces", name=elsewhere)

    gate.kubectl("label", "namespace", elsewhere, "lawflow.dev/inject=enabled", user=tenant)

    done = gate.kubectl("label", "namespace", elsewhere, "lawflow.dev/inject-", user=tenant, check=False)
    assert "takes the verb bypass" in done.stderr


def test_tenants_cannot_write_the_index_nor_the_status_of_flows(shop: Shop, tenant: User) -> None:
    change = ("--type=merge", "-p", json.dumps({"spec": {"unlawful": None, "lawful": ",unlawful/unlawful,"}}))
    patched = shop.cluster.kubectl("patch", "flowindex", "lawflow", "-n", shop.name, *change, user=tenant, check=False)
    flow_status = ("--subresource=status", "--type=merge", "-p", '{"status":{"firstLawfulAt":"2020-01-01T00:00:00Z"}}')
    shop.cluster.apply(flow("orders-to-psp", shop.name))
    status = shop.cluster.kubectl(
        "patch", "dataflow", "orders-to-psp", "-n", shop.name, *flow_status, user=tenant, check=False
    )
    deleted = shop.cluster.kubectl("delete", "flowindex", "lawflow", "-n", shop.name, user=tenant, check=False)

    assert "written by Lawflow's controller alone" in patched.stderr
    assert "written by Lawflow's controller alone" in deleted.stderr
    assert "the status of a DataFlow is written by Lawflow's controller alone" in status.stderr


def test_a_namespace_with_an_index_can_be_deleted(shop: Shop) -> None:
    shop.cluster.kubectl("delete", "namespace", shop.name, "--timeout=60s")


def sidecar_of(pod: Object) -> Object:
    found: Object = pod["spec"]["initContainers"][0]
    return found


def mount(pod: Object, volume: str) -> None:
    pod["spec"]["containers"][0]["volumeMounts"] = [{"name": volume, "mountPath": "/stolen"}]


def share_processes(pod: Object) -> None:
    pod["spec"]["shareProcessNamespace"] = True


def run_as_the_sidecar(pod: Object) -> None:
    pod["spec"]["containers"][0]["securityContext"] = {"runAsUser": contract.USER_ID}


def run_all_as_the_sidecar(pod: Object) -> None:
    pod["spec"]["securityContext"] = {"runAsUser": contract.USER_ID}


def mount_the_certificate(pod: Object) -> None:
    mount(pod, contract.CERTIFICATE_VOLUME)


def ask_the_signer(pod: Object) -> None:
    source = {"podCertificate": {"signerName": contract.SIGNER_NAME, "keyType": "ECDSAP256", "keyPath": "k",
                                 "certificateChainPath": "c", "maxExpirationSeconds": 3600}}  # fmt: skip
    pod["spec"]["volumes"].append({"name": "mine", "projected": {"sources": [source]}})
    mount(pod, "mine")


def read_the_secret(pod: Object) -> None:
    reference = {"name": contract.certificate_secret_name(NONE), "key": contract.KEY_FILE}
    pod["spec"]["containers"][0]["env"] = [{"name": "KEY", "valueFrom": {"secretKeyRef": reference}}]


def mount_the_secret(pod: Object) -> None:
    secret = {"secretName": contract.certificate_secret_name("another")}
    pod["spec"]["volumes"].append({"name": "mine", "secret": secret})


@pytest.mark.parametrize(
    "breach",
    [
        share_processes,
        run_as_the_sidecar,
        run_all_as_the_sidecar,
        mount_the_certificate,
        ask_the_signer,
        read_the_secret,
        mount_the_secret,
    ],
)
def test_a_pod_that_could_reach_into_its_sidecar_is_refused(shop: Shop, breach: Callable[[Object], None]) -> None:
    reaching = injected(shop.pod(NONE))
    assert shop.refusal(reaching, "--dry-run=server") == ""

    breach(reaching)

    assert "lawflow-sidecar-isolation" in shop.refusal(reaching, "--dry-run=server")


def another_image(pod: Object) -> None:
    sidecar_of(pod)["image"] = "evil/sidecar:1"


def another_command(pod: Object) -> None:
    sidecar_of(pod)["command"] = ["sh", "-c", "cat /var/run/lawflow/certificate/tls.key"]


def other_arguments(pod: Object) -> None:
    sidecar_of(pod)["args"] = ["--config-yaml", "{}"]


def a_preloaded_library(pod: Object) -> None:
    sidecar_of(pod)["env"].append({"name": "LD_PRELOAD", "value": "/tmp/evil.so"})


def a_mount_over_the_binary(pod: Object) -> None:
    pod["spec"]["volumes"].append({"name": "mine", "emptyDir": {}})
    sidecar_of(pod)["volumeMounts"].append({"name": "mine", "mountPath": "/usr/local/bin"})


def a_hook(pod: Object) -> None:
    sidecar_of(pod)["lifecycle"] = {"preStop": {"exec": {"command": ["cat", "/key"]}}}


def privilege(pod: Object) -> None:
    sidecar_of(pod)["securityContext"] |= {"privileged": True, "allowPrivilegeEscalation": True}


def another_discovery(pod: Object) -> None:
    name = next(iter(GENUINE["annotations"]))
    pod["metadata"]["annotations"][name] = "{}"


@pytest.mark.parametrize(
    "change",
    [
        another_image,
        another_command,
        other_arguments,
        a_preloaded_library,
        a_mount_over_the_binary,
        a_hook,
        privilege,
        another_discovery,
    ],
)
def test_a_container_with_the_sidecars_name_must_be_the_sidecar(shop: Shop, change: Callable[[Object], None]) -> None:
    forged = injected(shop.pod(LAWFUL))
    change(forged)

    assert "lawflow-sidecar-genuine" in shop.refusal(forged, "--dry-run=server")
    assert shop.refusal(injected(shop.pod(LAWFUL)), "--dry-run=server") == ""


def test_the_image_of_a_running_sidecar_cannot_be_changed(shop: Shop) -> None:
    forged = injected(shop.pod(LAWFUL))
    another_image(forged)
    shop.cluster.create(injected(shop.pod(LAWFUL)))

    change = json.dumps({"spec": {"initContainers": [{"name": contract.CONTAINER, "image": "evil/sidecar:1"}]}})
    done = shop.cluster.kubectl("patch", "pod", "lawful-pod", "-n", shop.name, "-p", change, check=False)

    assert "lawflow-sidecar-genuine" in done.stderr
    shop.kubectl("label", "pod/lawful-pod", "team=orders")


@pytest.mark.parametrize("command", ["exec", "attach"])
def test_nobody_gets_into_a_sidecar(shop: Shop, node: kubelet.Node, command: str) -> None:
    made = injected(shop.pod(LAWFUL))
    made["spec"]["nodeName"] = node.name
    shop.cluster.create(made)
    target = ("lawful-pod", "-n", shop.name)
    tail = ("--", "true") if command == "exec" else ()

    refused = shop.cluster.kubectl(command, *target, "-c", contract.CONTAINER, *tail, check=False)
    passed = shop.cluster.kubectl(command, *target, "-c", "app", *tail, check=False)

    assert "nobody may exec into the sidecar" in refused.stderr
    assert "lawflow-sidecar-access" not in passed.stderr


def test_only_a_kubelet_asks_for_the_certificate_of_a_sidecar(shop: Shop, node: kubelet.Node) -> None:
    bound = kubelet.bind(shop.cluster, node, shop.cluster.create(injected(shop.pod(LAWFUL))))
    composed = kubelet.compose_pod_certificate_request(shop.cluster, node, bound, kubelet.volume_source(bound))

    assert "only a kubelet asks lawflow.dev/" in shop.refusal(composed.request)
    assert shop.refusal(composed.request, user=node.user) == ""


@pytest.mark.parametrize(
    "debugger",
    [
        {"targetContainerName": contract.CONTAINER},
        {"securityContext": {"runAsUser": contract.USER_ID}},
        {"volumeMounts": [{"name": contract.CERTIFICATE_VOLUME, "mountPath": "/stolen"}]},
    ],
)
def test_ephemeral_containers_cannot_reach_into_a_sidecar(shop: Shop, debugger: Object) -> None:
    shop.cluster.create(injected(shop.pod(LAWFUL)))
    harmless = {"name": "debugger", "image": "busybox", "targetContainerName": "app"}

    refused = debug(shop, {**harmless, **debugger})

    assert "an ephemeral container may not" in refused
    assert debug(shop, harmless) == ""


def debug(shop: Shop, container: Object) -> str:
    change = json.dumps({"spec": {"ephemeralContainers": [copy.deepcopy(container)]}})
    arguments = ("patch", "pod", "lawful-pod", "-n", shop.name, "--subresource=ephemeralcontainers", "-p", change)
    done = shop.cluster.kubectl(*arguments, check=False)
    return done.stderr if done.returncode else ""
