"""A till in a namespace that opted in, the egress gateway, and hosts outside the pod network with an own authority."""

import copy
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from tests.e2e.conftest import APP_IMAGE, SECONDS_TO_INSTALL, Answer, Object, deployment
from tests.support import chart
from tests.support.node.cluster import NodeCluster
from tests.support.outside import certificates

from lawflow.model.sidecar import EGRESS_SERVICE_ACCOUNT

HERE = Path(__file__).parent
TILL = "till"
PORT = 8443
PSP, VAULT, BANK, NOTARY, STRANGER = (
    f"{name}.outside.example" for name in ("psp", "vault", "bank", "notary", "stranger")
)
FLOWS = ("till-to-psp", "till-to-vault", "till-to-bank", "till-to-notary")
ROOTS = {"name": "outside-roots"}
READY = ("wait", "--for=condition=Ready", "--timeout=120s")


@dataclass(frozen=True)
class Till:
    """A running pod whose app calls outside."""

    cluster: NodeCluster

    def call(self, method: str, url: str, body: Object | None = None) -> Answer:
        """One request of the app. Raises AssertionError where it gets no answer."""
        sent = [json.dumps(body)] if body else []
        done = self.cluster.kubectl(
            *("exec", f"--namespace={TILL}", "deploy/till", "--container=app", "--"),
            *("/usr/bin/python3", "/app/peer.py", "call", method, url, *sent),
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return Answer(**json.loads(done.stdout))

    def enforced(self, flow: str) -> tuple[str, str]:
        """Status and reason of Enforced."""
        found = self.cluster.get("dataflow", flow, f"--namespace={TILL}").get("status") or {}
        for each in found.get("conditions") or ():
            if each["type"] == "Enforced":
                return each["status"], each["reason"]
        return "", ""


@pytest.fixture(scope="session")
def outside(cluster: NodeCluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A host beside the pod network, at the node's own address, that answers to four names; returns its roots."""
    chain, roots = certificates(tmp_path_factory.mktemp("outside"), PSP, VAULT, BANK, NOTARY)
    app = {
        "name": "app",
        "image": APP_IMAGE,
        "imagePullPolicy": "Never",
        "args": ["serve", str(PORT), "0.0.0.0", "/certificate/chain.pem"],
        "volumeMounts": [{"name": "certificate", "mountPath": "/certificate"}],
    }
    volume = {"name": "certificate", "secret": {"secretName": "outside"}}
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "outside"}})
    cluster.await_namespace("outside")
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "outside", "namespace": "outside"},
            "stringData": {"chain.pem": chain.read_text()},
        },
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "host", "namespace": "outside"},
            "spec": {"hostNetwork": True, "containers": [app], "volumes": [volume]},
        },
    )
    cluster.kubectl(*READY, "pod/host", "--namespace=outside", seconds=150.0)
    return roots


@pytest.fixture(scope="session")
def till(installed: NodeCluster, outside: Path) -> Till:
    """The till, running, in an installation without a gateway yet; the fixture ``gateway`` adds it."""
    objects = list(yaml.safe_load_all((HERE / "flows.yaml").read_text(encoding="utf-8")))
    # Beside it, two to other hosts by TLS of the app's own, and one to a host that is shown who calls.
    for name, external in {
        "till-to-vault": {"host": VAULT, "tls": "passthrough"},
        "till-to-bank": {"host": BANK, "tls": "terminate"},
        "till-to-notary": {"host": NOTARY, "token": {}},
    }.items():
        own = copy.deepcopy(objects[3])
        own["metadata"]["name"] = name
        own["spec"]["destination"]["external"] |= external
        objects.append(own)
    installed.apply(*objects)
    made = deployment("till", "wait")
    made["metadata"]["namespace"] = TILL
    spec = made["spec"]["template"]["spec"]
    # The app trusts the authority of the world outside for TLS of its own.
    spec["volumes"] = [{"name": "roots", "configMap": ROOTS}]
    spec["containers"][0] |= {
        "env": [{"name": "SSL_CERT_FILE", "value": "/roots/ca.crt"}],
        "volumeMounts": [{"name": "roots", "mountPath": "/roots"}],
    }
    for namespace in (TILL, chart.NAMESPACE):
        metadata = {**ROOTS, "namespace": namespace}
        data = {"ca.crt": outside.read_text()}
        installed.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
    flows = [f"dataflow/{name}" for name in FLOWS]
    installed.kubectl("wait", "--for=condition=Lawful", *flows, f"--namespace={TILL}", "--timeout=60s", seconds=90.0)
    installed.apply(made)
    installed.kubectl(*("rollout", "status", "deployment/till", f"--namespace={TILL}", "--timeout=120s"), seconds=150.0)
    return Till(installed)


@pytest.fixture(scope="session")
def gateway(installed: NodeCluster, till: Till) -> str:
    """The gateway, ready; returns the name of its Deployment."""
    chart.helm(
        *("upgrade", "lawflow", str(chart.CHART), f"--namespace={chart.NAMESPACE}", "--reuse-values"),
        f"--set=egress.enabled=true,egress.replicas=1,egress.terminate=true,egress.externalRoots={ROOTS['name']}",
        *(f"--kubeconfig={installed.admin.kubeconfig}", "--wait", f"--timeout={SECONDS_TO_INSTALL}s"),
        seconds=2.0 * SECONDS_TO_INSTALL,
    )
    return f"deployment/{EGRESS_SERVICE_ACCOUNT}"
