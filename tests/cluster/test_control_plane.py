"""The control plane of the tests is a real one, and behaves as the tests of this tier rely on."""

import json
import os
import select
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.support import toolchain
from tests.support.authority import Authority
from tests.support.cluster import Cluster, Object
from tests.support.unavailable import UnavailableError
from tests.support.waiting import eventually

pytestmark = pytest.mark.cluster

NEW_CONFIG_MAPS = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["CREATE"]}


def deployment(name: str, replicas: int) -> Object:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "app", "image": "app"}]},
            },
        },
    }


def test_a_deployment_is_given_a_replica_set_and_pods(control_plane: Cluster, namespace: str) -> None:
    control_plane.kubectl("apply", "-n", namespace, "-f", "-", input=deployment("shop", replicas=2))

    pods = eventually(
        lambda: (found := control_plane.get("pods", "-n", namespace)["items"]) and len(found) == 2 and found,
        "two pods",
    )

    owners = [owner for pod in pods for owner in pod["metadata"]["ownerReferences"]]
    assert {owner["kind"] for owner in owners} == {"ReplicaSet"}
    assert len({owner["name"] for owner in owners}) == 1


def test_a_validating_admission_policy_refuses_what_it_names(control_plane: Cluster, namespace: str) -> None:
    name = f"no-secret-plans-{namespace}"
    control_plane.apply(
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": {
                "matchConstraints": {"resourceRules": [NEW_CONFIG_MAPS]},
                "validations": [{"expression": "object.metadata.name != 'plan'", "message": "plans stay at home"}],
            },
        },
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name},
            "spec": {
                "policyName": name,
                "validationActions": ["Deny"],
                "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}},
            },
        },
    )

    def refusal() -> str | None:
        create = ("create", "configmap", "plan", "-n", namespace, "--dry-run=server")
        done = control_plane.kubectl(*create, check=False)
        return done.stderr if done.returncode else None

    assert "plans stay at home" in eventually(refusal, "the policy is in force")
    control_plane.kubectl("create", "configmap", "poem", "-n", namespace)
    for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
        control_plane.kubectl("delete", kind, name)


def test_pod_certificate_requests_are_served_in_version_1(control_plane: Cluster) -> None:
    served = json.loads(control_plane.kubectl("get", "--raw", "/apis/certificates.k8s.io/v1").stdout)

    assert {"podcertificaterequests", "podcertificaterequests/status", "clustertrustbundles"} <= {
        resource["name"] for resource in served["resources"]
    }


def test_objects_outlive_a_killed_etcd(control_plane: Cluster, namespace: str) -> None:
    control_plane.kubectl("create", "configmap", "kept", "-n", namespace, "--from-literal=answer=42")

    control_plane.kill("etcd")
    control_plane.start("etcd")

    assert control_plane.get("configmap", "kept", "-n", namespace)["data"] == {"answer": "42"}
    control_plane.kubectl("create", "configmap", "next", "-n", namespace)


@pytest.mark.parametrize("component", ["kube-apiserver", "kube-controller-manager"])
def test_a_component_comes_back_where_it_was(control_plane: Cluster, namespace: str, component: str) -> None:
    control_plane.stop(component)
    control_plane.start(component)
    control_plane.kubectl("apply", "-n", namespace, "-f", "-", input=deployment("late", replicas=1))

    eventually(lambda: control_plane.get("pods", "-n", namespace)["items"], "a pod")


def test_a_kubeconfig_in_the_environment_is_not_touched(
    control_plane: Cluster, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as production:
        connection = {"server": f"https://127.0.0.1:{production.getsockname()[1]}"}
        kubeconfig = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "production", "cluster": connection}],
            "contexts": [{"name": "production", "context": {"cluster": "production", "user": ""}}],
            "current-context": "production",
        }
        file = tmp_path / "kubeconfig"
        file.write_text(json.dumps(kubeconfig), encoding="utf-8")
        monkeypatch.setenv("KUBECONFIG", str(file))

        control_plane.kubectl("get", "namespace", namespace)

        production.setblocking(False)
        with pytest.raises(BlockingIOError):
            production.accept()
        assert json.loads(file.read_text(encoding="utf-8")) == kubeconfig


class Reviewer(BaseHTTPRequestHandler):
    """An admission webhook that refuses everything, in words that only it would use."""

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        response = {"uid": review["request"]["uid"], "allowed": False, "status": {"message": "the reviewer is awake"}}
        body = json.dumps(review | {"response": response}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def webhook(tmp_path: Path) -> Iterator[Object]:
    """The clientConfig of a webhook that listens on this host."""
    authority = Authority(tmp_path, "webhook-ca")
    pair = authority.server()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pair.certificate, pair.key)
    with ThreadingHTTPServer(("127.0.0.1", 0), Reviewer) as server:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield {"url": f"https://127.0.0.1:{server.server_port}/review", "caBundle": authority.bundle()}
        server.shutdown()
        thread.join()


def test_a_webhook_on_this_host_is_asked_by_url(control_plane: Cluster, namespace: str, webhook: Object) -> None:
    name = f"reviewer-{namespace}"
    control_plane.apply(
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": name},
            "webhooks": [
                {
                    "name": "reviewer.example.test",
                    "clientConfig": webhook,
                    "rules": [NEW_CONFIG_MAPS],
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                    "failurePolicy": "Fail",
                    "sideEffects": "None",
                    "admissionReviewVersions": ["v1"],
                }
            ],
        }
    )

    def refusal() -> str | None:
        create = ("create", "configmap", "reviewed", "-n", namespace, "--dry-run=server")
        done = control_plane.kubectl(*create, check=False)
        return done.stderr if done.returncode else None

    assert "the reviewer is awake" in eventually(refusal, "the webhook is asked")
    control_plane.kubectl("delete", "validatingwebhookconfiguration", name)


def test_a_user_may_do_only_what_was_granted(control_plane: Cluster, namespace: str) -> None:
    tenant = control_plane.user("tenant", "shop-team")
    assert not control_plane.may(tenant, "bypass", "dataflows.lawflow.dev", namespace)

    control_plane.allow(tenant, ["bypass"], "dataflows.lawflow.dev", namespace=namespace)

    assert control_plane.may(tenant, "bypass", "dataflows.lawflow.dev", namespace)
    assert not control_plane.may(tenant, "bypass", "dataflows.lawflow.dev", "default")
    refused = control_plane.kubectl("get", "pods", "-n", namespace, user=tenant, check=False)
    assert 'User "tenant" cannot list resource "pods"' in refused.stderr


def test_a_service_account_is_known_by_its_token(control_plane: Cluster, namespace: str) -> None:
    account = control_plane.service_account(namespace, "default")

    whoami = control_plane.kubectl("auth", "whoami", "--output=json", user=account)

    assert json.loads(whoami.stdout)["status"]["userInfo"]["username"] == f"system:serviceaccount:{namespace}:default"


def test_nothing_outlives_a_killed_test_run(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    run = f"""
import pathlib, time
from tests.support.leash import Leash
directory = pathlib.Path({str(kept)!r})
directory.mkdir()
process = Leash(directory).start(["sleep", "1000"], directory / "log", {{}})
print(process.pid, flush=True)
time.sleep(1000)
"""
    root = str(Path(__file__).resolve().parents[2])
    with subprocess.Popen([sys.executable, "-c", run], cwd=root, stdout=subprocess.PIPE) as runner:
        assert runner.stdout is not None
        left_over = os.pidfd_open(int(runner.stdout.readline()))
        runner.send_signal(signal.SIGKILL)

    eventually(lambda: not kept.exists(), "the directory is removed")
    ended, _, _ = select.select([left_over], [], [], 10)
    assert ended
    os.close(left_over)


def test_assets_that_lack_a_program_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "etcd").touch()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))

    with pytest.raises(UnavailableError, match=r"holds no kube-apiserver; correct it or unset it"):
        toolchain.control_plane()
