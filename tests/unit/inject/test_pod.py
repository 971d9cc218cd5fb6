"""Injection into pods: what comes out, what stays as it was."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from tests.support.pods import (
    BILLING,
    DESTINATIONS,
    FORGOTTEN,
    IDENTITY_DATA,
    PREVIOUS,
    PSP,
    SETTINGS,
    Object,
    container,
    pod,
    pods,
    stored,
)
from tests.support.restricted import violations

from lawflow.inject import (
    IdentityData,
    Injected,
    InjectionSettings,
    Refused,
    SidecarRelease,
    Unchanged,
    inject_pod,
)
from lawflow.model.loopback import LoopbackDestination

pytestmark = pytest.mark.unit

GOLDEN = Path(__file__).parent / "golden"


def injected(before: Object, settings: InjectionSettings = SETTINGS, data: IdentityData = IDENTITY_DATA) -> Object:
    result = inject_pod(before, settings, data)
    assert isinstance(result, Injected), result
    return result.pod


def annotated(mode: str) -> Object:
    result = pod()
    result["metadata"]["annotations"] = {"lawflow.dev/interception": mode}
    return result


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("explicit-pod-certificate", SETTINGS),
        ("redirect-secret", replace(SETTINGS, interception="redirect", delivery="secret")),
    ],
)
def test_an_injected_pod_equals_its_golden_file(name: str, settings: InjectionSettings) -> None:
    before = pod(
        initContainers=[container("migrate")],
        hostAliases=[{"ip": "10.0.0.9", "hostnames": ["legacy.local"]}],
        volumes=[{"name": "data", "emptyDir": {}}],
    )
    expected = yaml.safe_load((GOLDEN / f"{name}.yaml").read_text())
    assert injected(before, settings) == expected


@given(pods())
def test_containers_of_the_app_stay_the_same_to_the_byte(before: Object) -> None:
    untouched = copy.deepcopy(before)
    result = inject_pod(before, SETTINGS, IDENTITY_DATA)
    assert before == untouched
    if isinstance(result, Injected):
        spec = result.pod["spec"]
        assert yaml.safe_dump(spec["containers"]) == yaml.safe_dump(before["spec"]["containers"])
        own = before["spec"].get("initContainers") or []
        assert spec["initContainers"][len(spec["initContainers"]) - len(own) :] == own


@given(pods())
def test_a_second_injection_changes_nothing(before: Object) -> None:
    result = inject_pod(before, SETTINGS, IDENTITY_DATA)
    if isinstance(result, Injected):
        assert inject_pod(result.pod, SETTINGS, IDENTITY_DATA) == Unchanged("genuine-sidecar")
        assert inject_pod(stored(result.pod), SETTINGS, IDENTITY_DATA) == Unchanged("genuine-sidecar")


@given(pods())
def test_a_pod_that_passed_restricted_passes_it_with_the_sidecar(before: Object) -> None:
    result = inject_pod(before, SETTINGS, IDENTITY_DATA)
    if isinstance(result, Injected) and not violations(before):
        assert violations(result.pod) == []


@given(pods())
def test_the_sidecar_adds_no_violation_of_restricted_to_any_pod(before: Object) -> None:
    result = inject_pod(before, SETTINGS, IDENTITY_DATA)
    if isinstance(result, Injected):
        assert violations(result.pod) == violations(before)


def test_the_sidecar_starts_before_the_init_containers_of_the_app() -> None:
    names = [each["name"] for each in injected(pod(initContainers=[container("migrate")]))["spec"]["initContainers"]]
    assert names == ["lawflow-sidecar", "migrate"]


def test_the_kubelet_fills_what_it_knows_of_the_pod_into_the_bootstrap_and_nothing_else() -> None:
    argument = injected(pod())["spec"]["initContainers"][0]["args"][1]
    assert '"$(POD_NAME) $(HOME) $5"' in SETTINGS.release.bootstrap
    assert '"$(POD_NAME) $$(HOME) $$5"' in argument


@pytest.mark.parametrize("release", PREVIOUS, ids=["N-1", "N-2"])
def test_a_sidecar_of_one_of_the_two_releases_before_is_left_alone(release: SidecarRelease) -> None:
    old = injected(pod(), replace(SETTINGS, release=release, previous=()))
    assert inject_pod(stored(old), SETTINGS, IDENTITY_DATA) == Unchanged("genuine-sidecar")


def test_a_sidecar_of_an_older_release_is_refused() -> None:
    old = injected(pod(), replace(SETTINGS, release=FORGOTTEN))
    result = inject_pod(old, SETTINGS, IDENTITY_DATA)
    assert isinstance(result, Refused)
    assert [each.code for each in result.reasons] == ["sidecar-not-genuine", "volume-name-taken", "volume-name-taken"]


def test_a_mirror_pod_stays_as_it_is_because_nobody_can_refuse_a_static_pod() -> None:
    mirror = pod(hostNetwork=True)
    mirror["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "abc"}
    assert inject_pod(mirror, SETTINGS, IDENTITY_DATA) == Unchanged("mirror-pod")


def test_a_pod_without_destinations_gets_a_sidecar_that_only_receives() -> None:
    spec = injected(pod(), data=IdentityData())["spec"]
    assert spec["initContainers"][0]["name"] == "lawflow-sidecar"
    assert "hostAliases" not in spec
    assert "securityContext" not in spec


def test_mode_redirect_is_the_same_sidecar_without_host_aliases() -> None:
    explicit, redirect = injected(pod())["spec"], injected(annotated("redirect"))["spec"]
    assert redirect["initContainers"][1:] == explicit["initContainers"]
    assert redirect["volumes"] == explicit["volumes"]
    assert "hostAliases" not in redirect
    assert "securityContext" not in redirect


def test_the_pods_annotation_wins_over_the_namespace_and_the_namespace_over_the_installation() -> None:
    redirect = replace(SETTINGS, interception="redirect")
    namespace = IdentityData(DESTINATIONS, "explicit")
    assert "hostAliases" not in injected(pod(), redirect)["spec"]
    assert "hostAliases" in injected(pod(), redirect, namespace)["spec"]
    assert "hostAliases" not in injected(annotated("redirect"), redirect, namespace)["spec"]


def test_own_host_aliases_stay_and_what_they_hold_already_is_not_repeated() -> None:
    own = [
        {"ip": "10.0.0.9", "hostnames": ["legacy.local"]},
        {"ip": BILLING.address, "hostnames": ["Billing.Finance"]},
    ]
    aliases = injected(pod(hostAliases=own), data=IdentityData((PSP, BILLING)))["spec"]["hostAliases"]
    assert aliases == [
        own[0],
        {
            "ip": BILLING.address,
            "hostnames": ["Billing.Finance", "billing.finance.svc", "billing.finance.svc.cluster.local"],
        },
        {"ip": PSP.address, "hostnames": ["api.psp.example"]},
    ]


def test_only_ports_below_1024_ask_for_the_sysctl() -> None:
    high = IdentityData((BILLING,))
    assert "securityContext" not in injected(pod(), data=high)["spec"]
    context = injected(pod(securityContext={"fsGroup": 5}))["spec"]["securityContext"]
    sysctl = {"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}
    assert context == {"fsGroup": 5, "sysctls": [sysctl]}


def test_an_own_value_of_the_sysctl_that_is_low_enough_stays() -> None:
    sysctls = [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "80"}]
    result = injected(pod(securityContext={"sysctls": sysctls}))
    assert result["spec"]["securityContext"]["sysctls"] == sysctls


def secret_of(service_account: str) -> str:
    spec = injected(pod(serviceAccountName=service_account), replace(SETTINGS, delivery="secret"))["spec"]
    name: str = spec["volumes"][0]["projected"]["sources"][0]["secret"]["name"]
    return name


def test_each_service_account_has_a_secret_with_a_valid_name_however_long_its_own_is() -> None:
    assert secret_of("orders") == "lawflow-orders"
    assert len(secret_of("a" * 253)) <= 253
    assert secret_of("a" * 253) != secret_of("a" * 252)


def test_a_destination_with_two_ports_has_one_alias() -> None:
    both = LoopbackDestination("db.shop.svc", ("db",), (80, 8080), "127.9.9.9")
    aliases = injected(pod(), data=IdentityData((both,)))["spec"]["hostAliases"]
    assert aliases == [{"ip": "127.9.9.9", "hostnames": ["db"]}]
