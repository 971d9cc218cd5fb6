"""What users and the kubelet do with containers of an app works as it does without a sidecar."""

import re
import urllib.request
from collections import defaultdict

import pytest
from tests.e2e.conftest import APP_IMAGE, PORT
from tests.e2e.lifecycle.market import (
    ANSWERED,
    PEER,
    Market,
    Object,
    account,
    charging,
    flow,
    has_sidecar,
    service,
    workload,
)
from tests.support import chart
from tests.support.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
KINDS_OF_PROBES: dict[str, Object] = {
    "http": {"httpGet": {"port": PORT, "path": "/"}},
    "tcp": {"tcpSocket": {"port": PORT}},
    "exec": {"exec": {"command": [*PEER, "call", "GET", f"http://127.0.0.1:{PORT}/"]}},
    "grpc": {"grpc": {"port": PORT}},
}
IMPATIENT = """
import json, sys
sys.path.insert(0, "/app")
import peer

print(json.dumps(peer.call(*sys.argv[1:])), flush=True)
peer.main("wait")
"""

PARTING = """
import json, signal, sys
sys.path.insert(0, "/app")
import peer

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print("waiting", flush=True)
signal.sigwait([signal.SIGTERM])
print(json.dumps(peer.call(*sys.argv[1:])), flush=True)
"""


def test_probes_of_an_app_reach_it_on_its_own_port(market: Market) -> None:
    found = []
    for kind, probe in KINDS_OF_PROBES.items():
        often = probe | {"periodSeconds": 1, "timeoutSeconds": 5}
        arguments = ("grpc" if kind == "grpc" else "serve", str(PORT))
        # An app may take its time to start; who has started answers.
        probes: Object = dict.fromkeys(PROBES, often) | {"startupProbe": often | {"failureThreshold": 60}}
        found.append(workload(market.namespace, f"probed-{kind}", *arguments, run_as="probed", **probes))
    market.apply(account(market.namespace, "probed"), *found)
    market.rolled_out(*(f"deployment/probed-{kind}" for kind in KINDS_OF_PROBES))
    for kind in KINDS_OF_PROBES:
        (pod,) = market.pods(f"probed-{kind}")
        assert has_sidecar(pod)
        assert [each["restartCount"] for each in pod["status"]["containerStatuses"]] == [0]
        (app,) = pod["spec"]["containers"]
        assert all(KINDS_OF_PROBES[kind].keys() <= app[probe].keys() for probe in PROBES), "as they were declared"
    market.kubectl("delete", *(f"deployment/probed-{kind}" for kind in KINDS_OF_PROBES), "--wait=false")


def test_exec_and_logs_reach_an_app_whose_image_has_no_shell(market: Market) -> None:
    (pod, *_) = market.pods("server")
    name = pod["metadata"]["name"]
    shell = ["exec", name, f"--namespace={market.namespace}", "--container=app", "--", "/bin/sh"]
    assert "no such file" in market.cluster.kubectl(*shell, check=False).stderr
    told = market.kubectl("exec", name, "--container=app", "--", *PEER, "call", "GET", f"http://127.0.0.1:{PORT}/")
    assert '"status": 200' in told
    logs = ("logs", name, "--container=app", "--since=2m")
    eventually(lambda: '"GET / HTTP/1.1" 200' in market.kubectl(*logs), "the call in the app's log")


def test_port_forward_reaches_an_app(market: Market) -> None:
    (pod, *_) = market.pods("server")
    where = (f"--namespace={market.namespace}", pod["metadata"]["name"], f":{PORT}")
    with market.cluster.kubectl_running("port-forward", *where) as forwarding:
        assert forwarding.stdout is not None
        (port,) = re.findall(r"127\.0\.0\.1:(\d+) ->", forwarding.stdout.readline())
        answer = urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30.0).read()
    assert b"never declared" in answer, "nothing is filtered on an administrator's way"


def test_an_app_still_makes_requests_while_it_is_ended(market: Market) -> None:
    market.apply(
        workload(
            market.namespace, "parting", *charging(market.namespace, "server"), run_as="client",
            command=["/usr/bin/python3", "-c", PARTING],
        )
    )  # fmt: skip
    market.rolled_out("deployment/parting")
    logs = ("logs", f"--namespace={market.namespace}", "deployment/parting", "--container=app", "--follow")
    with market.cluster.kubectl_running(*logs) as following:
        assert following.stdout is not None
        assert following.stdout.readline() == "waiting\n"
        market.kubectl("delete", "deployment/parting", "--wait=false")
        assert ANSWERED.search(following.stdout.readline())


def test_an_app_that_starts_before_everything_else_makes_its_very_first_request(market: Market) -> None:
    first = workload(
        market.namespace, "first", *charging(market.namespace, "server"), run_as="client",
        command=["/usr/bin/python3", "-c", IMPATIENT],
    )  # fmt: skip
    before: Object = {"name": "before", "image": APP_IMAGE, "imagePullPolicy": "Never"}
    container = first["spec"]["template"]["spec"]["containers"][0]
    before |= {"securityContext": container["securityContext"], "args": ["call", *charging(market.namespace, "server")]}
    first["spec"]["template"]["spec"]["initContainers"] = [before]
    market.apply(first)
    market.rolled_out("deployment/first")
    for each in ("before", "app"):
        logs = ["logs", "deployment/first", f"--container={each}"]
        assert ANSWERED.search(eventually(lambda: market.kubectl(*logs), "an answer"))  # noqa: B023
    market.kubectl("delete", "deployment/first", "--wait=false")


def test_an_app_that_listens_on_the_pods_address_alone_is_reached(market: Market) -> None:
    namespace = market.namespace
    picky = workload(namespace, "picky", "serve", str(PORT), "$(POD_IP)")
    picky["spec"]["template"]["spec"]["containers"][0]["env"] = [
        {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    ]
    market.apply(
        account(namespace, "picky"), account(namespace, "asker"), service(namespace, "picky"),
        flow(namespace, "asker-to-picky", "asker", "picky"), picky,
    )  # fmt: skip
    market.rolled_out("deployment/picky")
    market.apply(workload(namespace, "asker", "wait"))
    market.rolled_out("deployment/asker")
    market.ready("asker-to-picky")
    answer = market.answered("deploy/asker", *charging(namespace, "picky"))
    assert "spiffe://cluster.local/ns/market/sa/asker" in answer["document"]["caller"]


def test_metrics_of_every_component_are_scraped_where_its_annotations_say(market: Market) -> None:
    component = "app.kubernetes.io/component in (controller, webhook, xds, standby, signer)"
    pods = market.cluster.get("pods", f"--namespace={chart.NAMESPACE}", f"--selector={component}")["items"]
    components: defaultdict[str, str] = defaultdict(str)  # all replicas: who is connected to one is not to the other
    for pod in pods:
        annotations = pod["metadata"]["annotations"]
        assert annotations["prometheus.io/scrape"] == "true"
        where = f"{chart.NAMESPACE}/pods/{pod['metadata']['name']}:{annotations['prometheus.io/port']}"
        path = f"/api/v1/namespaces/{where}/proxy/metrics"
        told = market.cluster.kubectl("get", "--raw", path).stdout
        components[pod["metadata"]["labels"]["app.kubernetes.io/component"]] += told
    assert set(components) == {"controller", "webhook", "xds", "standby", "signer"}
    assert re.search(r'^lawflow_xds_sidecars\{namespace="market"\} [1-9]', components["xds"], re.MULTILINE)
    assert all(re.search(r"^lawflow_\w+", told, re.MULTILINE) for told in components.values())
