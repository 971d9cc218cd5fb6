"""Pods that get no sidecar, each with the reason that its author reads."""

from typing import Any

import pytest
from tests.support.pods import DESTINATIONS, IDENTITY_DATA, SETTINGS, Object, container, pod

from lawflow.inject import IdentityData, Injected, Refused, guard, inject_pod
from lawflow.model.loopback import LoopbackDestination

pytestmark = pytest.mark.unit

UID = SETTINGS.user_id
SIGNER = SETTINGS.signer_name


def app(**fields: Any) -> dict[str, Any]:
    return {"containers": [container(**fields)]}


def mounted(volume: Object) -> dict[str, Any]:
    return {"volumes": [volume], **app(volumeMounts=[{"name": volume["name"], "mountPath": "/x"}])}


CASES = [
    ("host-network", ".spec.hostNetwork", {"hostNetwork": True}),
    ("windows", ".spec.os.name", {"os": {"name": "windows"}}),
    ("windows", ".spec.nodeSelector['kubernetes.io/os']", {"nodeSelector": {"kubernetes.io/os": "windows"}}),
    ("shared-process-namespace", ".spec.shareProcessNamespace", {"shareProcessNamespace": True}),
    ("shared-process-namespace", ".spec.hostPID", {"hostPID": True}),
    ("sidecar-user", ".spec.securityContext.runAsUser", {"securityContext": {"runAsUser": UID}}),
    (
        "sidecar-user",
        ".spec.containers[0].securityContext.runAsUser",
        app(securityContext={"runAsUser": UID}),
    ),
    (
        "sidecar-user",
        ".spec.ephemeralContainers[0].securityContext.runAsUser",
        {"ephemeralContainers": [container("debug", securityContext={"runAsUser": UID})]},
    ),
    (
        "sidecar-debugged",
        ".spec.ephemeralContainers[0].targetContainerName",
        {"ephemeralContainers": [container("debug", targetContainerName="lawflow-sidecar")]},
    ),
    (
        "sidecar-volume",
        ".spec.initContainers[0].volumeMounts[0]",
        {"initContainers": [container("i", volumeMounts=[{"name": "lawflow-admin", "mountPath": "/a"}])]},
    ),
    (
        "sidecar-certificate",
        ".spec.volumes[0].secret.secretName",
        mounted({"name": "stolen", "secret": {"secretName": "lawflow-orders"}}),
    ),
    (
        "sidecar-certificate",
        ".spec.volumes[0].projected.sources[0].secret.name",
        mounted({"name": "stolen", "projected": {"sources": [{"secret": {"name": "lawflow-orders"}}]}}),
    ),
    (
        "sidecar-certificate",
        ".spec.volumes[0].projected.sources[0].podCertificate",
        mounted({"name": "stolen", "projected": {"sources": [{"podCertificate": {"signerName": SIGNER}}]}}),
    ),
    (
        "sidecar-certificate",
        ".spec.containers[0].env[0].valueFrom.secretKeyRef",
        app(env=[{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "lawflow-orders", "key": "tls.key"}}}]),
    ),
    (
        "sidecar-certificate",
        ".spec.containers[0].envFrom[0].secretRef",
        app(envFrom=[{"secretRef": {"name": "lawflow-orders"}}]),
    ),
    ("sidecar-not-genuine", ".spec.containers[0]", app(name="lawflow-sidecar")),
    ("sidecar-not-genuine", ".spec.initContainers[0]", {"initContainers": [container("lawflow-sidecar")]}),
    ("volume-name-taken", ".spec.volumes[0].name", {"volumes": [{"name": "lawflow-admin", "emptyDir": {}}]}),
    ("port-reserved", ".spec.containers[0].ports[0].containerPort", app(ports=[{"containerPort": 15443}])),
    ("port-reserved", ".spec.containers[0].ports[0].containerPort", app(ports=[{"containerPort": 15021}])),
    ("port-collision", ".spec.containers[0].ports[0].containerPort", app(ports=[{"containerPort": 8080}])),
    (
        "port-collision",
        ".spec.containers[0].livenessProbe.httpGet.port",
        app(livenessProbe={"httpGet": {"port": 8080}}),
    ),
    (
        "host-alias-conflict",
        ".spec.hostAliases[0]",
        {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["other", "API.psp.example"]}]},
    ),
    (
        "sysctl-conflict",
        ".spec.securityContext.sysctls[0].value",
        {"securityContext": {"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "1024"}]}},
    ),
]


@pytest.mark.parametrize(("code", "path", "spec"), CASES, ids=[f"{code}:{path}" for code, path, _ in CASES])
def test_a_pod_that_cannot_have_a_sidecar_is_refused_with_reason_place_and_fix(
    code: str, path: str, spec: dict[str, Any]
) -> None:
    result = inject_pod(pod(**spec), SETTINGS, IDENTITY_DATA)
    assert isinstance(result, Refused)
    assert (code, path) in [(each.code, each.path) for each in result.reasons]
    assert all(each.message and each.fix for each in result.reasons)


@pytest.mark.parametrize(
    "spec",
    [
        app(ports=[{"containerPort": 8080}]),
        {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["api.psp.example"]}]},
        {"securityContext": {"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "1024"}]}},
    ],
    ids=["port", "alias", "sysctl"],
)
def test_what_only_mode_explicit_cannot_do_is_no_obstacle_to_redirect(spec: dict[str, Any]) -> None:
    assert isinstance(inject_pod(pod(**spec), SETTINGS, IdentityData(DESTINATIONS, "redirect")), Injected)


def test_mode_redirect_reserves_the_port_that_traffic_is_redirected_to() -> None:
    listening = pod(**app(ports=[{"containerPort": 15001}]))
    assert isinstance(inject_pod(listening, SETTINGS, IDENTITY_DATA), Injected)
    assert isinstance(inject_pod(listening, SETTINGS, IdentityData(DESTINATIONS, "redirect")), Refused)


@pytest.mark.parametrize(
    "fields",
    [
        {"ports": [{"containerPort": 8080, "protocol": "UDP"}]},
        {"readinessProbe": {"httpGet": {"port": "http"}}},
        {"securityContext": {"runAsUser": 65532}},
        {"env": [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "own", "key": "x"}}}]},
    ],
    ids=["udp", "named port", "another user", "another secret"],
)
def test_what_does_not_touch_the_sidecar_is_no_obstacle(fields: dict[str, Any]) -> None:
    assert isinstance(inject_pod(pod(**app(**fields)), SETTINGS, IDENTITY_DATA), Injected)


def test_a_pod_wide_user_counts_only_for_containers_without_their_own() -> None:
    spec = {"securityContext": {"runAsUser": UID}, **app(securityContext={"runAsUser": 1000})}
    assert isinstance(inject_pod(pod(**spec), SETTINGS, IDENTITY_DATA), Injected)


@pytest.mark.parametrize("host", ["10.0.0.1", "under_score.example", "*.example"])
def test_a_destination_that_no_host_alias_can_name_is_refused_in_mode_explicit(host: str) -> None:
    data = IdentityData((LoopbackDestination(host, (host,), (443,), "127.5.5.5"),))
    result = inject_pod(pod(), SETTINGS, data)
    assert isinstance(result, Refused)
    assert result.reasons[0].code == "destination-without-name"


def test_one_name_for_two_destinations_is_refused() -> None:
    twins = tuple(
        LoopbackDestination(host, ("api.example",), (443,), address)
        for host, address in (("api.example", "127.5.5.5"), ("api.shop.svc", "127.6.6.6"))
    )
    result = inject_pod(pod(), SETTINGS, IdentityData(twins))
    assert isinstance(result, Refused)
    assert [each.code for each in result.reasons] == ["destination-ambiguous"]


def test_a_destination_on_a_port_of_the_sidecar_is_refused_in_mode_explicit() -> None:
    data = IdentityData((LoopbackDestination("x.example", ("x.example",), (15443,), "127.5.5.5"),))
    result = inject_pod(pod(), SETTINGS, data)
    assert isinstance(result, Refused)
    assert result.reasons[0].code == "destination-port-reserved"


def test_an_unknown_mode_is_refused_with_the_modes_there_are() -> None:
    wrong = pod()
    wrong["metadata"]["annotations"] = {"lawflow.dev/interception": "transparent"}
    result = inject_pod(wrong, SETTINGS, IDENTITY_DATA)
    assert isinstance(result, Refused)
    assert result.reasons[0].code == "unknown-interception"
    assert "explicit or redirect" in result.reasons[0].fix


def test_all_reasons_are_told_at_once() -> None:
    result = inject_pod(pod(hostNetwork=True, hostPID=True), SETTINGS, IDENTITY_DATA)
    assert isinstance(result, Refused)
    assert [each.code for each in result.reasons] == ["host-network", "shared-process-namespace"]


def test_a_genuine_sidecar_does_not_excuse_an_app_that_reaches_into_it() -> None:
    result = inject_pod(pod(), SETTINGS, IDENTITY_DATA)
    assert isinstance(result, Injected)
    thief = container("thief", volumeMounts=[{"name": "lawflow-certificate", "mountPath": "/stolen"}])
    result.pod["spec"]["containers"].append(thief)
    again = inject_pod(result.pod, SETTINGS, IDENTITY_DATA)
    assert isinstance(again, Refused)
    assert [each.code for each in again.reasons] == ["sidecar-volume"]


def test_the_guard_lets_an_ephemeral_container_beside_the_sidecar_and_not_into_it() -> None:
    result = inject_pod(pod(), SETTINGS, IDENTITY_DATA)
    assert isinstance(result, Injected)
    debugged = result.pod
    debugged["spec"]["ephemeralContainers"] = [container("debug", targetContainerName="app")]
    assert guard(debugged, SETTINGS) == ()
    debugged["spec"]["ephemeralContainers"][0]["targetContainerName"] = "lawflow-sidecar"
    assert [each.code for each in guard(debugged, SETTINGS)] == ["sidecar-debugged"]


def test_a_refusal_reads_as_one_line() -> None:
    result = inject_pod(pod(hostNetwork=True), SETTINGS, IDENTITY_DATA)
    assert isinstance(result, Refused)
    assert str(result.reasons[0]) == (
        ".spec.hostNetwork: a sidecar cannot tell this pod's traffic from that of its node (host-network): "
        "remove hostNetwork, or move the calls that carry personal data to a pod without it"
    )
