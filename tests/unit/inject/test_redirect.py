"""Mode redirect: the container that sees to the rules, the node's probes, and what might go past the sidecar."""

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from tests.support.pods import IDENTITY_DATA, SETTINGS, Object, container, pod, pods, stored
from tests.support.restricted import violations

from lawflow.inject import Injected, Refused, Unchanged, has_genuine_sidecar, inject_pod
from lawflow.model.sidecar import HEALTH_PORT, OUTBOUND_PORT, PEER_PORT, USER_ID

pytestmark = pytest.mark.unit

REDIRECT = replace(SETTINGS, interception="redirect")
APPLYING = replace(REDIRECT, redirect_by="initContainer")


def result_of(before: Object, settings: Any = REDIRECT) -> Injected:
    result = inject_pod(before, settings, IDENTITY_DATA)
    assert isinstance(result, Injected), result
    return result


def codes(before: Object) -> list[str]:
    result = inject_pod(before, REDIRECT, IDENTITY_DATA)
    return [each.code for each in result.reasons] if isinstance(result, Refused) else []


def with_user(user: int | None = 1000, **fields: Any) -> Object:
    """A container that passes ``restricted`` and names its user."""
    found = container(**fields)
    if user is not None:
        found["securityContext"]["runAsUser"] = user
    return found


def test_the_rules_are_seen_to_before_the_sidecar_and_the_app_start() -> None:
    spec = result_of(pod(initContainers=[container("migrate")])).pod["spec"]
    assert [each["name"] for each in spec["initContainers"]] == ["lawflow-network", "lawflow-sidecar", "migrate"]
    first = spec["initContainers"][0]
    assert first["image"] == SETTINGS.release.image
    assert first["args"] == ["check", f"--sidecar-user={USER_ID}"]
    assert "hostAliases" not in spec
    assert "sysctls" not in spec.get("securityContext", {})


@given(pods())
def test_a_pod_that_passed_restricted_passes_it_with_the_check(before: Object) -> None:
    result = inject_pod(before, REDIRECT, IDENTITY_DATA)
    if isinstance(result, Injected):
        assert violations(result.pod) == violations(before)


def test_the_init_container_that_applies_the_rules_has_that_one_capability() -> None:
    first = result_of(pod(), APPLYING).pod["spec"]["initContainers"][0]
    assert first["args"][0] == "apply"
    assert first["securityContext"]["runAsUser"] == 0
    assert first["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["NET_ADMIN"]}
    assert first["securityContext"]["allowPrivilegeEscalation"] is False


@pytest.mark.parametrize("settings", [REDIRECT, APPLYING], ids=["cni", "initContainer"])
def test_a_second_injection_changes_nothing_whoever_puts_the_rules_there(settings: Any) -> None:
    made = result_of(pod(), settings).pod
    for other in (REDIRECT, APPLYING):
        assert inject_pod(made, other, IDENTITY_DATA) == Unchanged("genuine-sidecar")
        assert inject_pod(stored(made), other, IDENTITY_DATA) == Unchanged("genuine-sidecar")


@pytest.mark.parametrize(
    "change",
    [
        lambda spec, first: spec["initContainers"].remove(first),
        lambda spec, first: first.update(image="evil:1"),
        lambda spec, first: first.update(command=["/bin/true"]),
        lambda spec, first: first.update(args=["check", "--sidecar-user=1"]),
        lambda spec, first: first.update(env=[{"name": "LD_PRELOAD", "value": "/evil.so"}]),
        lambda spec, first: first["securityContext"].update(runAsUser=USER_ID),
        lambda spec, first: first.update(restartPolicy="Always"),
        lambda spec, first: spec["initContainers"].append(copy.deepcopy(first)),
        lambda spec, first: spec["initContainers"].insert(0, with_user(name="early")),
    ],
)
def test_a_pod_whose_rules_nobody_sees_to_has_no_genuine_sidecar(change: Any) -> None:
    made = result_of(pod()).pod
    assert has_genuine_sidecar(made, REDIRECT)
    change(made["spec"], made["spec"]["initContainers"][0])
    assert not has_genuine_sidecar(made, REDIRECT)


def test_no_other_container_may_have_that_name() -> None:
    assert codes(pod(containers=[with_user(name="lawflow-network")])) == ["sidecar-not-genuine"]
    explicit = inject_pod(pod(initContainers=[with_user(name="lawflow-network")]), SETTINGS, IDENTITY_DATA)
    assert isinstance(explicit, Refused)


def test_the_node_may_call_the_ports_of_its_probes_and_hooks_and_no_other() -> None:
    app = with_user(
        ports=[{"name": "web", "containerPort": 8080}, {"name": "admin", "containerPort": 9999}],
        livenessProbe={"httpGet": {"port": "web", "path": "/"}},
        readinessProbe={"grpc": {"port": 9000}},
        startupProbe={"exec": {"command": ["true"]}},
        lifecycle={"postStart": {"httpGet": {"port": "7000"}}},
    )
    elsewhere = with_user(name="other", livenessProbe={"httpGet": {"port": 5555, "host": "203.0.113.1"}})
    helper = with_user(name="helper", restartPolicy="Always", startupProbe={"tcpSocket": {"port": 6000}})
    made = result_of(pod(containers=[app, elsewhere], initContainers=[helper])).pod
    assert made["metadata"]["annotations"]["lawflow.dev/probe-ports"] == "6000,7000,8080,9000"


def test_the_annotation_says_what_the_pod_has_and_not_what_its_author_wrote() -> None:
    before = pod()
    before["metadata"]["annotations"] = {"lawflow.dev/probe-ports": "5432"}
    assert "lawflow.dev/probe-ports" not in result_of(before).pod["metadata"]["annotations"]


def test_ports_that_udp_may_go_to_are_the_authors_to_name() -> None:
    before = pod()
    before["metadata"]["annotations"] = {"lawflow.dev/udp-ports": "123, 8125"}
    assert result_of(before).pod["metadata"]["annotations"]["lawflow.dev/udp-ports"] == "123, 8125"
    before["metadata"]["annotations"] = {"lawflow.dev/udp-ports": "statsd,0," + "9" * 5000}
    assert codes(before) == ["udp-port-unreadable"] * 3


@pytest.mark.parametrize("port", [OUTBOUND_PORT, PEER_PORT, HEALTH_PORT])
def test_a_port_of_the_sidecar_is_refused(port: int) -> None:
    assert codes(pod(containers=[with_user(ports=[{"containerPort": port}])])) == ["port-reserved"]


def test_what_cannot_be_told_from_the_sidecar_or_the_node_is_refused() -> None:
    assert codes(pod(containers=[with_user(USER_ID)])) == ["sidecar-user"]
    assert codes(pod(hostNetwork=True)) == ["host-network"]


def test_the_port_of_a_destination_is_free_for_the_app() -> None:
    assert codes(pod(containers=[with_user(ports=[{"containerPort": 8080}, {"containerPort": 443}])])) == []


@pytest.mark.parametrize(
    ("app", "code"),
    [
        (with_user(), None),
        (with_user(None), "user-not-visible"),
        ({"name": "app", "image": "x", "securityContext": {"runAsUser": 0}}, "user-changeable"),
        ({"name": "app", "image": "x", "securityContext": {"runAsUser": 0, "capabilities": {"drop": ["ALL"]}}}, None),
        (
            {"name": "app", "image": "x", "securityContext": {"runAsUser": 0, "capabilities": {"add": ["NET_ADMIN"]}}},
            "rules-changeable",
        ),
        ({"name": "app", "image": "x", "securityContext": {"runAsUser": 9, "privileged": True}}, "rules-changeable"),
    ],
)
def test_what_might_go_past_the_sidecar_is_let_in_with_a_warning(app: Object, code: str | None) -> None:
    warnings = result_of(pod(containers=[app])).warnings
    assert [code in each for each in warnings if code] == ([True] if code else [])
    assert bool(warnings) == bool(code)


def test_the_pods_own_user_counts_where_the_container_names_none() -> None:
    assert result_of(pod(securityContext={"runAsUser": 1000})).warnings == ()
    assert inject_pod(pod(), SETTINGS, IDENTITY_DATA).warnings == ()  # type: ignore[union-attr]
