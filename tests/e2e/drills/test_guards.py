"""Nobody gets at a sidecar's identity: not by exec, attach or a debugger, and not by mounting its signer's volume."""

from typing import Any

import pytest
from tests.e2e.drills.conftest import Drilled
from tests.support.drill_shop import IMAGE, NAMESPACE, SECONDS
from tests.support.waiting import eventually

from lawflow.model.sidecar import CONTAINER, SIGNER_NAME

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

Object = dict[str, Any]


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


def stranger(namespace: str) -> Object:
    """A pod whose app asks the signer itself for the certificate of orders."""
    asked = {"signerName": SIGNER_NAME, "keyType": "ECDSAP256", "credentialBundlePath": "bundle.pem"}
    volume = {"name": "identity", "projected": {"sources": [{"podCertificate": asked}]}}
    app = {"name": "app", "image": IMAGE, "imagePullPolicy": "Never", "args": ["wait"],
           "volumeMounts": [{"name": "identity", "mountPath": "/identity"}],
           "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
                               "runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}}  # fmt: skip
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "stranger", "namespace": namespace},
        "spec": {"containers": [app], "volumes": [volume]},
    }


def test_the_signers_volume_is_refused_at_admission(drilled: Drilled) -> None:
    refused = drilled.cluster.kubectl("create", "--filename=-", input=stranger(NAMESPACE), check=False)
    assert refused.returncode != 0
    assert f"{SIGNER_NAME} are for the sidecar" in refused.stderr or "lawflow" in refused.stderr


def test_the_signer_refuses_it_where_no_policy_does(drilled: Drilled) -> None:
    """In a namespace that has not opted in, admission is nobody's: the signer alone stands there."""
    cluster = drilled.cluster
    cluster.create(stranger("default"))
    try:
        denied = eventually(lambda: _denial(drilled), "a denial of the request of the pod's kubelet", SECONDS)
        assert denied["reason"] == "SidecarNotGenuine"
        pod = cluster.get("pod", "stranger", "--namespace=default")
        assert pod["status"]["phase"] == "Pending"
    finally:
        cluster.kubectl("delete", "pod", "stranger", "--namespace=default", "--grace-period=0", "--force")


def _denial(drilled: Drilled) -> Object | None:
    requests = drilled.cluster.get("podcertificaterequests", "--namespace=default")["items"]
    for request in requests:
        if request["spec"]["podName"] == "stranger":
            for condition in request.get("status", {}).get("conditions", ()):
                assert condition["type"] != "Issued"
                found: Object = condition
                return found
    return None
