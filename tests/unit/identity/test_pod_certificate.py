"""Requests as kubelet writes them, for pods as injection writes them: the two halves are tried together."""

import base64
import copy
import datetime as dt
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from lawflow.identity.authority import CertificateAuthority
from lawflow.identity.bundle import TrustBundle
from lawflow.identity.pem import certificates_from_pem, new_private_key
from lawflow.identity.pod_certificate import (
    Deny,
    Issue,
    SignerSettings,
    Wait,
    decide,
    denied_status,
    is_open,
    issued_status,
)
from lawflow.identity.spiffe import SpiffeIdError
from lawflow.identity.validity import ValidityError
from lawflow.identity.x509_svid import verify_x509_svid
from lawflow.inject import (
    IdentityData,
    Injected,
    InjectionSettings,
    SidecarRelease,
    guard,
    has_genuine_sidecar,
    inject_pod,
)
from lawflow.inject.gateway import gateway_pod

pytestmark = pytest.mark.unit

Object = dict[str, Any]
KEY = new_private_key()
SETTINGS = SignerSettings("example.org")
INJECTION = InjectionSettings(SidecarRelease("1.2.3", "registry.example/lawflow-sidecar@sha256:" + "a" * 64, "{}"))
APP = {"name": "app", "image": "registry.example/orders:1"}


def flaws(pod: Mapping[str, Any]) -> Iterator[str]:
    """What the signer passes: injection knows what it makes."""
    yield from map(str, guard(pod, INJECTION))
    if not has_genuine_sidecar(pod, INJECTION):
        yield "the sidecar is not that of a release in use"


@pytest.fixture
def pod() -> Object:
    """A pod with its sidecar, bound to a node."""
    metadata = {"namespace": "shop", "name": "orders-1", "uid": "4711"}
    bare = {"kind": "Pod", "metadata": metadata, "spec": {"serviceAccountName": "orders", "containers": [APP]}}
    result = inject_pod(bare, INJECTION, IdentityData())
    assert isinstance(result, Injected)
    injected: Object = copy.deepcopy(dict(result.pod))
    injected["spec"]["nodeName"] = "node-a"
    injected["status"] = {"phase": "Pending"}
    return injected


@pytest.fixture
def request_() -> Object:
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "PodCertificateRequest",
        "metadata": {"namespace": "shop", "name": "req-1", "generation": 1},
        "spec": {
            "signerName": "lawflow.dev/sidecar",
            "podName": "orders-1",
            "podUID": "4711",
            "serviceAccountName": "orders",
            "serviceAccountUID": "1",
            "nodeName": "node-a",
            "nodeUID": "2",
            "maxExpirationSeconds": 3600,
            "stubPKCS10Request": signing_request(KEY),
        },
    }


def signing_request(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> str:
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return base64.b64encode(builder.sign(key, algorithm).public_bytes(serialization.Encoding.DER)).decode()


def reason(request: Object, pod: Object | None) -> str:
    """The reason of a refusal."""
    decision = decide(request, pod, SETTINGS, flaws)
    assert isinstance(decision, Deny), decision
    return decision.verdict.reason


def test_the_genuine_sidecar_of_a_live_pod_gets_its_identity(request_: Object, pod: Object) -> None:
    decision = decide(request_, pod, SETTINGS, flaws)
    assert isinstance(decision, Issue)
    assert str(decision.spiffe_id) == "spiffe://example.org/ns/shop/sa/orders"
    assert decision.public_key == KEY.public_key()


def test_a_malformed_trust_domain_stops_the_signer_before_it_can_deny_anybody() -> None:
    with pytest.raises(SpiffeIdError):
        SignerSettings("Example Org")


def test_a_request_to_another_signer_is_not_ours(request_: Object) -> None:
    assert is_open(request_, SETTINGS.signer_name)
    request_["spec"]["signerName"] = "other.example/signer"
    assert not is_open(request_, SETTINGS.signer_name)


@pytest.mark.parametrize("condition", ["Issued", "Denied", "Failed"])
def test_an_answered_request_is_left_alone(request_: Object, condition: str) -> None:
    request_["status"] = {"conditions": [{"type": condition, "status": "True"}]}
    assert not is_open(request_, SETTINGS.signer_name)


def test_a_pod_that_is_not_seen_yet_is_waited_for(request_: Object, pod: Object) -> None:
    assert isinstance(decide(request_, None, SETTINGS, flaws), Wait)
    del pod["spec"]["nodeName"]
    assert isinstance(decide(request_, pod, SETTINGS, flaws), Wait)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("podUID", "4712", "PodMismatch"),
        ("podName", "orders-2", "PodMismatch"),
        ("nodeName", "node-b", "NodeMismatch"),
        ("serviceAccountName", "billing", "ServiceAccountMismatch"),
        ("unverifiedUserAnnotations", {"example.org/x": "y"}, "InvalidUnverifiedUserAnnotations"),
        ("stubPKCS10Request", "", "InvalidSigningRequest"),
        ("stubPKCS10Request", "no base64 é", "InvalidSigningRequest"),
        ("stubPKCS10Request", "AAAA", "InvalidSigningRequest"),
        ("stubPKCS10Request", signing_request(ed25519.Ed25519PrivateKey.generate()), "UnsupportedKeyType"),
    ],
)
def test_a_request_that_does_not_fit_the_live_pod_is_denied(
    request_: Object, pod: Object, field: str, value: object, expected: str
) -> None:
    request_["spec"][field] = value
    assert reason(request_, pod) == expected


def test_a_request_from_another_namespace_is_denied(request_: Object, pod: Object) -> None:
    request_["metadata"]["namespace"] = "bank"
    assert reason(request_, pod) == "PodMismatch"


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_has_ended_gets_nothing(request_: Object, pod: Object, phase: str) -> None:
    pod["status"]["phase"] = phase
    assert reason(request_, pod) == "PodFinished"


MOUNT = {"name": "lawflow-certificate", "mountPath": "/stolen"}


def mounted_in_the_app(pod: Object) -> None:
    pod["spec"]["containers"] = [{**APP, "volumeMounts": [MOUNT]}]


def mounted_in_an_init_container(pod: Object) -> None:
    pod["spec"]["initContainers"].append({"name": "setup", "image": "x", "volumeMounts": [MOUNT]})


def mounted_in_another_sidecar(pod: Object) -> None:
    pod["spec"]["initContainers"].append({"name": "s", "restartPolicy": "Always", "volumeMounts": [MOUNT]})


def mounted_in_an_ephemeral_container(pod: Object) -> None:
    pod["spec"]["ephemeralContainers"] = [{"name": "debug", "image": "x", "volumeMounts": [MOUNT]}]


def mounted_in_a_container_of_the_sidecars_name(pod: Object) -> None:
    pod["spec"]["containers"] = [pod["spec"]["initContainers"].pop()]


def sidecar_that_ends(pod: Object) -> None:
    del pod["spec"]["initContainers"][0]["restartPolicy"]


@pytest.mark.parametrize(
    "tamper",
    [
        mounted_in_the_app,
        mounted_in_an_init_container,
        mounted_in_another_sidecar,
        mounted_in_an_ephemeral_container,
        mounted_in_a_container_of_the_sidecars_name,
        sidecar_that_ends,
    ],
)
def test_nobody_but_the_native_sidecar_may_mount_the_certificate(
    request_: Object, pod: Object, tamper: Callable[[Object], None]
) -> None:
    tamper(pod)
    assert reason(request_, pod) == "VolumeExposed"


def volume_of_another_name(pod: Object) -> None:
    pod["spec"]["volumes"].append({**pod["spec"]["volumes"][0], "name": "mine"})


def volume_without_the_signer(pod: Object) -> None:
    del pod["spec"]["volumes"][0]


@pytest.mark.parametrize("tamper", [volume_of_another_name, volume_without_the_signer])
def test_the_certificate_has_one_volume(request_: Object, pod: Object, tamper: Callable[[Object], None]) -> None:
    tamper(pod)
    assert reason(request_, pod) == "VolumeMismatch"


def test_a_pod_whose_sidecar_is_gone_gets_nothing(request_: Object, pod: Object) -> None:
    del pod["spec"]["initContainers"]
    assert reason(request_, pod) == "NoSidecar"


def foreign_image(pod: Object) -> None:
    pod["spec"]["initContainers"][0]["image"] = "registry.example/evil@sha256:" + "b" * 64


def foreign_command(pod: Object) -> None:
    pod["spec"]["initContainers"][0]["command"] = ["sh", "-c", "cat /var/run/lawflow/certificate/tls.key"]


def foreign_bootstrap(pod: Object) -> None:
    pod["spec"]["initContainers"][0]["args"][1] = '{"admin":{}}'


def foreign_library(pod: Object) -> None:
    pod["spec"]["initContainers"][0]["env"].append({"name": "LD_PRELOAD", "value": "/mine/x.so"})


def command_on_start(pod: Object) -> None:
    pod["spec"]["initContainers"][0]["lifecycle"] = {"postStart": {"exec": {"command": ["sh"]}}}


def foreign_user(pod: Object) -> None:
    pod["spec"]["initContainers"][0]["securityContext"]["runAsUser"] = 0


def app_as_the_sidecars_user(pod: Object) -> None:
    pod["spec"]["containers"] = [{**APP, "securityContext": {"runAsUser": INJECTION.user_id}}]


def shared_processes(pod: Object) -> None:
    pod["spec"]["shareProcessNamespace"] = True


def debugger_on_the_sidecar(pod: Object) -> None:
    pod["spec"]["ephemeralContainers"] = [{"name": "debug", "targetContainerName": "lawflow-sidecar"}]


@pytest.mark.parametrize(
    "tamper",
    [
        foreign_image,
        foreign_command,
        foreign_bootstrap,
        foreign_library,
        command_on_start,
        foreign_user,
        app_as_the_sidecars_user,
        shared_processes,
        debugger_on_the_sidecar,
    ],
)
def test_a_sidecar_that_is_not_genuine_or_not_alone_gets_nothing(
    request_: Object, pod: Object, tamper: Callable[[Object], None]
) -> None:
    tamper(pod)
    assert reason(request_, pod) == "SidecarNotGenuine"


def issued(request: Object, pod: Object, issuer: CertificateAuthority, now: dt.datetime) -> Object:
    decision = decide(request, pod, SETTINGS, flaws)
    assert isinstance(decision, Issue)
    return issued_status(request, decision, issuer, now=now, random=random.Random(16).randbytes)


def test_the_status_is_what_the_api_server_accepts(
    request_: Object, pod: Object, issuer: CertificateAuthority, bundle: TrustBundle, now: dt.datetime
) -> None:
    """The rules of ValidatePodCertificateRequestStatusUpdate in Kubernetes 1.37."""
    status = issued(request_, pod, issuer, now)
    chain = certificates_from_pem(status["certificateChain"])
    first, last, refresh = (dt.datetime.fromisoformat(status[k]) for k in ("notBefore", "notAfter", "beginRefreshAt"))
    assert chain[0].public_key() == KEY.public_key()
    assert (chain[0].not_valid_before_utc, chain[0].not_valid_after_utc) == (first, last)
    assert last - first == dt.timedelta(hours=1)
    assert abs(now - first) < dt.timedelta(minutes=5)
    assert first + dt.timedelta(minutes=10) <= refresh <= last - dt.timedelta(minutes=10)
    assert [(each["type"], each["status"]) for each in status["conditions"]] == [("Issued", "True")]
    assert str(verify_x509_svid(chain, bundle, now)) == "spiffe://example.org/ns/shop/sa/orders"


def test_a_denial_carries_its_reason_and_no_certificate(request_: Object, pod: Object, now: dt.datetime) -> None:
    mounted_in_the_app(pod)
    decision = decide(request_, pod, SETTINGS, flaws)
    assert isinstance(decision, Deny)
    assert denied_status(request_, decision, now=now) == {
        "conditions": [
            {
                "type": "Denied",
                "status": "True",
                "reason": "VolumeExposed",
                "message": decision.verdict.message,
                "observedGeneration": 1,
                "lastTransitionTime": "2026-03-01T12:00:00Z",
            }
        ]
    }
    assert decision.verdict.message.startswith("containers/app mounts lawflow-certificate")


def test_an_issuer_about_to_expire_leaves_the_request_pending(
    request_: Object, pod: Object, issuer: CertificateAuthority
) -> None:
    late = issuer.certificate.not_valid_after_utc - dt.timedelta(minutes=30)
    with pytest.raises(ValidityError, match="renew the issuer"):
        issued(request_, pod, issuer, late)


@pytest.fixture
def gateway(pod: Object, request_: Object) -> Object:
    """The egress gateway's pod, and a request for it."""
    made: Object = copy.deepcopy(gateway_pod(INJECTION, INJECTION.release))
    made["metadata"] |= {"namespace": "lawflow-system", "name": "orders-1", "uid": "4711"}
    made["spec"]["nodeName"] = "node-a"
    request_["metadata"]["namespace"] = "lawflow-system"
    request_["spec"]["serviceAccountName"] = "lawflow-egress"
    return made


WITH_GATEWAY = SignerSettings("example.org", gateway=("lawflow-system", "lawflow-egress"))


def test_the_gateway_gets_its_identity_in_its_main_container(request_: Object, gateway: Object) -> None:
    decision = decide(request_, gateway, WITH_GATEWAY, lambda _pod: ())
    assert isinstance(decision, Issue)
    assert str(decision.spiffe_id) == "spiffe://example.org/ns/lawflow-system/sa/lawflow-egress"


def test_a_pod_made_like_the_gateway_gets_nothing_where_the_gateway_does_not_run(
    request_: Object, gateway: Object
) -> None:
    gateway["metadata"]["namespace"] = request_["metadata"]["namespace"] = "shop"
    decision = decide(request_, gateway, WITH_GATEWAY, lambda _pod: ())
    assert isinstance(decision, Deny)
    assert decision.verdict.reason == "VolumeExposed"


def test_another_container_beside_the_gateway_gets_nothing(request_: Object, gateway: Object) -> None:
    mount = {"name": "lawflow-certificate", "mountPath": "/own"}
    gateway["spec"]["containers"].append({"name": "other", "volumeMounts": [mount]})
    decision = decide(request_, gateway, WITH_GATEWAY, lambda _pod: ())
    assert isinstance(decision, Deny)
    assert decision.verdict.reason == "VolumeExposed"
