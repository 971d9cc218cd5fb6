"""Hosts outside the cluster: reached through the egress gateway alone, by declared operations, with declared fields."""

import datetime as dt
import json

import pytest
from tests.e2e.egress.conftest import BANK, FLOWS, NOTARY, PORT, PSP, STRANGER, TILL, VAULT, Till
from tests.support import chart
from tests.support.node.cluster import NodeCluster
from tests.support.waiting import eventually

from lawflow.identity.jwt_svid import verify_jwt_svid
from lawflow.identity.proof import Replays, verify_proof

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

CHARGE = f"http://{PSP}:{PORT}/charges/c-17"
ORDER = {"customer": {"id": "c-17", "birthday": "1980-02-29"}, "amount": 12, "note": "leave it at the neighbour's"}
GATEWAY = "spiffe://cluster.local/ns/lawflow-system/sa/lawflow-egress"
SOURCE = "spiffe://cluster.local/ns/till/sa/till"

# In the till's pod: TLS to the name that its first argument resolves to, asking for the second.
ASK = """
import socket, ssl, sys

context = ssl.create_default_context()
context.check_hostname = False
try:
    connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)
    context.wrap_socket(connection, server_hostname=sys.argv[3]).close()
    print("answered")
except OSError:
    print("refused")
"""


# There, too: a POST of the second argument to the first, trusting the authorities in the third.
CHARGED = """
import ssl, sys, urllib.request

url, body, roots = sys.argv[1:]
request = urllib.request.Request(url, body.encode(), {"content-type": "application/json"})
context = ssl.create_default_context(cadata=roots)
print(urllib.request.urlopen(request, timeout=10, context=context).read().decode())
"""


def test_without_a_gateway_nothing_leaves_and_status_says_why(till: Till) -> None:
    eventually(lambda: till.enforced("till-to-psp") == ("False", "NoEgress"), "NoEgress")
    eventually(lambda: till.enforced("till-to-bank") == ("False", "TlsTerminateOff"), "TlsTerminateOff")
    answer = till.call("POST", CHARGE, ORDER)
    assert answer.status == 503
    assert f"the egress gateway {GATEWAY} on the way to {PSP}:{PORT}" in answer.document["detail"]


def test_flows_to_hosts_outside_are_in_force_once_the_gateway_is_up(till: Till, gateway: str) -> None:
    eventually(lambda: {till.enforced(flow) for flow in FLOWS} == {("True", "InForce")}, "all in force")


def test_a_declared_call_leaves_with_declared_fields_alone(till: Till, gateway: str) -> None:
    def charged() -> bool:
        answer = till.call("POST", CHARGE, ORDER)
        # Until the till's sidecar has heard of the gateway's address.
        assert answer.status == 200, answer
        assert answer.document == {"received": ["/customer/id", "/amount"], "caller": ""}
        return True

    assert eventually(charged, "a charge at the host outside")


def test_a_host_verifies_who_calls_by_the_published_keys(till: Till, gateway: str, installed: NodeCluster) -> None:
    published = installed.get("configmap", "lawflow-trust-bundle", f"--namespace={chart.NAMESPACE}")["data"]
    audience, replays = f"https://{NOTARY}:{PORT}", Replays()

    def charged() -> tuple[str, str]:
        answer = till.call("POST", f"http://{NOTARY}:{PORT}/charges/c-17", ORDER)
        assert answer.status == 200, answer
        authorization, proof = answer.document["shown"]
        return authorization.removeprefix("DPoP "), proof

    for token, proof in (eventually(charged, "a charge with a token"), charged()):
        now = dt.datetime.now(dt.UTC)
        said = verify_jwt_svid(
            token, json.loads(published["jwks.json"]), trust_domain="cluster.local", audience=audience, now=now
        )
        assert (str(said.spiffe_id), said.purpose) == (SOURCE, "dpv:PaymentManagement")
        url = f"{audience}/charges/c-17"
        verify_proof(proof, token, said, method="POST", url=url, now=now, replays=replays)


def test_an_undeclared_operation_is_refused(till: Till, gateway: str) -> None:
    answer = till.call("DELETE", CHARGE)
    assert answer.status == 403
    assert answer.type == "application/problem+json"
    assert answer.document["enforcedBy"] == SOURCE


def test_the_apps_own_tls_goes_to_the_declared_name_alone(till: Till, gateway: str) -> None:
    answer = eventually(
        lambda: till.call("POST", f"https://{VAULT}:{PORT}/anything", ORDER), "an answer to the app's own TLS"
    )
    assert answer.status == 200
    assert "/note" in answer.document["received"], "nobody reads what the app encrypts itself"
    assert asked(till, VAULT, VAULT) == "answered"
    assert asked(till, VAULT, STRANGER) == "refused"


def test_the_apps_own_tls_is_ended_and_made_anew_where_it_trusts_its_sidecar(
    till: Till, gateway: str, installed: NodeCluster
) -> None:
    published = eventually(
        lambda: installed.find("configmap", "lawflow-app-roots", f"--namespace={TILL}"), "the roots for the app"
    )

    def charged() -> bool:
        done = installed.kubectl(
            *("exec", f"--namespace={TILL}", "deploy/till", "--container=app", "--", "/usr/bin/python3", "-c", CHARGED),
            *(f"https://{BANK}:{PORT}/charges/c-17", json.dumps(ORDER), published["data"]["ca.crt"]),
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"received": ["/customer/id", "/amount"], "caller": ""}
        return True

    assert eventually(charged, "a charge over TLS of the app's own, with declared fields alone")
    with pytest.raises(AssertionError, match="CERTIFICATE_VERIFY_FAILED"):
        till.call("POST", f"https://{BANK}:{PORT}/charges/c-17", ORDER)


def test_a_gateway_that_is_down_refuses_with_a_problem_and_is_missed_in_status(
    till: Till, gateway: str, installed: NodeCluster
) -> None:
    scale(installed, gateway, 0)
    try:
        eventually(lambda: till.enforced("till-to-psp")[0] == "False", "a flow that is not in force")

        def refused() -> bool:
            answer = till.call("POST", CHARGE, ORDER)
            assert answer.status == 503
            assert answer.type == "application/problem+json"
            assert GATEWAY in answer.document["detail"]
            return True

        assert eventually(refused, "a refusal that names the gateway", seconds=60.0)
    finally:
        scale(installed, gateway, 1)
    installed.kubectl("rollout", "status", gateway, f"--namespace={chart.NAMESPACE}", "--timeout=120s", seconds=150.0)
    eventually(lambda: till.enforced("till-to-psp") == ("True", "InForce"), "the flow in force again")
    eventually(lambda: till.call("POST", CHARGE, ORDER).status == 200, "a charge again")


def test_nobody_but_the_gateway_gets_its_certificate(gateway: str, installed: NodeCluster) -> None:
    """Also who may make pods beside it: the signer compares them with what the chart makes."""
    made = installed.get(gateway, f"--namespace={chart.NAMESPACE}")["spec"]["template"]
    made["spec"]["containers"][0]["args"][1] = "{}"
    metadata = {"name": "forged", "namespace": chart.NAMESPACE, "annotations": made["metadata"]["annotations"]}
    installed.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": made["spec"]})

    def denied() -> bool:
        requests = installed.get("podcertificaterequests", f"--namespace={chart.NAMESPACE}")["items"]
        answers = [
            (condition["type"], condition["reason"])
            for each in requests
            if each["spec"]["podName"] == "forged"
            for condition in (each.get("status") or {}).get("conditions") or ()
        ]
        return answers == [("Denied", "SidecarNotGenuine")]

    try:
        assert eventually(denied, "a request that is denied")
    finally:
        installed.kubectl("delete", "pod/forged", f"--namespace={chart.NAMESPACE}", "--grace-period=0", "--force")


def asked(till: Till, address: str, name: str) -> str:
    """What came of TLS from the app's container to what ``address`` resolves to, for ``name``."""
    done = till.cluster.kubectl(
        *("exec", f"--namespace={TILL}", "deploy/till", "--container=app", "--"),
        *("/usr/bin/python3", "-c", ASK, address, str(PORT), name),
    )
    return done.stdout.strip()


def scale(cluster: NodeCluster, deployment: str, replicas: int) -> None:
    cluster.kubectl("scale", deployment, f"--namespace={chart.NAMESPACE}", f"--replicas={replicas}")
