"""Nobody gets at a sidecar's identity: not by exec, attach or a debugger, and not by mounting its signer's volume."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from tests.e2e.drills.conftest import Drilled
from tests.support.drill_shop import IMAGE, NAMESPACE, SECONDS
from tests.support.waiting import eventually

from lawflow.model.sidecar import CONTAINER, SIGNER_NAME

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

Object = dict[str, Any]
Pod = Callable[[Drilled], Object]
STRANGER = "stranger"


@pytest.mark.parametrize(
    "command",
    [
        ("exec", "POD", f"--container={CONTAINER}", "--", "/usr/local/bin/envoy", "--version"),
        ("attach", "POD", f"--container={CONTAINER}"),
    ],
    ids=["exec", "attach"],
)
def test_nobody_enters_the_sidecar(drilled: Drilled, command: tuple[str, ...]) -> None:
    pod = drilled.shop.pods("orders")[0]["metadata"]["name"]
    named = [pod if part == "POD" else part for part in command]
    named.insert(1, f"--namespace={NAMESPACE}")
    refused = drilled.cluster.kubectl(*named, check=False)
    assert refused.returncode != 0
    assert "nobody may exec into the sidecar or attach to it" in refused.stderr


@pytest.mark.parametrize(
    "flags", [(f"--target={CONTAINER}",), ("--custom=USER",)], ids=["in its processes", "as its user"]
)
def test_no_debugger_reaches_the_sidecar(drilled: Drilled, flags: tuple[str, ...], tmp_path: Any) -> None:
    profile = tmp_path / "profile.json"
    profile.write_text('{"securityContext": {"runAsUser": 64536}}')
    pod = drilled.shop.pods("orders")[0]["metadata"]["name"]
    given = [f"--custom={profile}" if flag == "--custom=USER" else flag for flag in flags]
    command = ("debug", f"--namespace={NAMESPACE}", pod, f"--image={IMAGE}", "--profile=restricted", *given)
    refused = drilled.cluster.kubectl(*command, "--quiet", "--", "wait", check=False)
    assert refused.returncode != 0
    assert "an ephemeral container may not target the sidecar" in refused.stderr


def asks_by_itself(_: Drilled) -> Object:
    """A pod whose app asks the signer for a certificate."""
    asked = {"signerName": SIGNER_NAME, "keyType": "ECDSAP256", "credentialBundlePath": "bundle.pem"}
    volume = {"name": "identity", "projected": {"sources": [{"podCertificate": asked}]}}
    app: Object = {"name": "app", "image": IMAGE, "imagePullPolicy": "Never", "args": ["wait"]}
    app |= {"volumeMounts": [{"name": "identity", "mountPath": "/identity"}]}
    return {"metadata": {"name": STRANGER}, "spec": {"containers": [app], "volumes": [volume]}}


def poses_as_the_sidecar(drilled: Drilled) -> Object:
    """A pod with a sidecar that is Lawflow's in all but its image."""
    found = drilled.shop.pods("orders")[0]
    spec = found["spec"]
    (sidecar,) = spec["initContainers"]
    kept = {key: spec[key] for key in ("containers", "volumes", "securityContext")}
    annotations = found["metadata"]["annotations"]
    metadata = {"name": STRANGER, "annotations": annotations}
    return {"metadata": metadata, "spec": _without_token(kept | {"initContainers": [sidecar | {"image": IMAGE}]})}


def _without_token(spec: Object) -> Object:
    """Without the volume that admission adds to each pod: the new one gets its own."""
    spec = copy.deepcopy(spec)
    spec["volumes"] = [each for each in spec["volumes"] if not each["name"].startswith("kube-api-access")]
    for container in spec["containers"] + spec["initContainers"]:
        mounts = container.get("volumeMounts", [])
        container["volumeMounts"] = [each for each in mounts if not each["name"].startswith("kube-api-access")]
    return spec


STRANGERS = {
    asks_by_itself: (f"the signer {SIGNER_NAME} is for the sidecar alone", "VolumeMismatch"),
    poses_as_the_sidecar: ("belongs to a volume of the sidecar", "SidecarNotGenuine"),
}
"""Pods that are after a certificate: why admission refuses them, and why the signer does."""
strangers = pytest.mark.parametrize("stranger", STRANGERS, ids=lambda made: made.__name__)


@strangers
def test_admission_refuses_a_pod_that_is_after_a_certificate(drilled: Drilled, stranger: Pod) -> None:
    made = {"apiVersion": "v1", "kind": "Pod"} | stranger(drilled)
    refused = drilled.cluster.kubectl("create", f"--namespace={NAMESPACE}", "--filename=-", input=made, check=False)
    assert refused.returncode != 0
    assert STRANGERS[stranger][0] in refused.stderr
    assert drilled.cluster.find("pod", STRANGER, f"--namespace={NAMESPACE}") is None


@strangers
def test_the_signer_refuses_it_where_no_policy_does(drilled: Drilled, stranger: Pod) -> None:
    """In a namespace that has not opted in, admission is nobody's: the signer alone stands there."""
    cluster, where = drilled.cluster, "--namespace=default"
    made = {"apiVersion": "v1", "kind": "Pod"} | stranger(drilled)
    cluster.kubectl("create", where, "--filename=-", input=made)
    try:
        uid = cluster.get("pod", STRANGER, where)["metadata"]["uid"]
        denied = eventually(lambda: _answer(drilled, uid), "an answer to the pod's kubelet", SECONDS)
        assert (denied["type"], denied["reason"]) == ("Denied", STRANGERS[stranger][1])
        assert cluster.get("pod", STRANGER, where)["status"]["phase"] == "Pending"
    finally:
        cluster.kubectl("delete", "pod", STRANGER, where, "--grace-period=0", "--force")


def _answer(drilled: Drilled, uid: str) -> Object | None:
    """The signer's answer to what was asked for that pod."""
    for request in drilled.cluster.get("podcertificaterequests", "--namespace=default")["items"]:
        if request["spec"]["podUID"] == uid:
            for condition in request.get("status", {}).get("conditions", ()):
                found: Object = condition
                return found
    return None
