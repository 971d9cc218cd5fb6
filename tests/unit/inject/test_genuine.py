"""What makes a sidecar genuine, and what unmakes it."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.support.pods import IDENTITY_DATA, PREVIOUS, RELEASE, SETTINGS, Object, pod, stored

from lawflow.inject import Injected, flaws, genuine_sidecar, has_genuine_sidecar, inject_pod

pytestmark = pytest.mark.unit


def genuine() -> Object:
    result = inject_pod(pod(), SETTINGS, IDENTITY_DATA)
    assert isinstance(result, Injected)
    return result.pod


def setting(**fields: Any) -> Callable[[Object], None]:
    return lambda found: found["spec"]["initContainers"][0].update(fields)


def security(**fields: Any) -> Callable[[Object], None]:
    return lambda found: found["spec"]["initContainers"][0]["securityContext"].update(fields)


def appending(key: str, value: Any) -> Callable[[Object], None]:
    return lambda found: found["spec"]["initContainers"][0][key].append(value)


def other_volume(found: Object) -> None:
    found["spec"]["volumes"][0] = {"name": "lawflow-certificate", "secret": {"secretName": "forged"}}


def other_secret_discovery(found: Object) -> None:
    found["metadata"]["annotations"]["lawflow.dev/trust-sds"] = "{}"


def other_list(found: Object) -> None:
    found["spec"]["containers"].append(found["spec"]["initContainers"].pop(0))


TAMPERING = {
    "another image": setting(image="evil"),
    "another command": setting(command=["sh"]),
    "another bootstrap": setting(args=["--config-yaml", "{}"]),
    "an argument more": appending("args", "--log-level"),
    "a variable more": appending("env", {"name": "LD_PRELOAD", "value": "/x.so"}),
    "variables from elsewhere": setting(envFrom=[{"configMapRef": {"name": "x"}}]),
    "a mount more": appending("volumeMounts", {"name": "own", "mountPath": "/lib"}),
    "a hook": setting(lifecycle={"postStart": {"exec": {"command": ["sh"]}}}),
    "another probe": setting(startupProbe={"exec": {"command": ["sh"]}}),
    "root": security(runAsUser=0),
    "a capability": security(capabilities={"drop": ["ALL"], "add": ["NET_ADMIN"]}),
    "an unmasked proc": security(procMount="Unmasked"),
    "an ordinary init container": setting(restartPolicy=None),
    "another certificate": other_volume,
    "another secret discovery": other_secret_discovery,
    "an ordinary container": other_list,
}


def test_a_sidecar_stays_genuine_when_the_api_server_stores_it() -> None:
    assert has_genuine_sidecar(genuine(), SETTINGS)
    assert has_genuine_sidecar(stored(genuine()), SETTINGS)


def test_other_resources_and_pull_policies_do_not_make_it_another_sidecar() -> None:
    found = genuine()
    setting(resources={"limits": {"memory": "1Gi"}}, imagePullPolicy="Always")(found)
    assert has_genuine_sidecar(found, SETTINGS)


@pytest.mark.parametrize("tamper", TAMPERING.values(), ids=TAMPERING.keys())
def test_a_sidecar_that_was_tampered_with_is_not_genuine(tamper: Callable[[Object], None]) -> None:
    found = copy.deepcopy(stored(genuine()))
    tamper(found)
    assert not has_genuine_sidecar(found, SETTINGS)


def test_other_timing_of_a_probe_does_not_make_it_another_sidecar() -> None:
    assert has_genuine_sidecar(genuine(), replace(SETTINGS, startup_seconds=30))


def test_a_genuine_sidecar_that_nobody_reaches_into_has_no_flaws() -> None:
    assert flaws(stored(genuine()), SETTINGS) == ()


def test_flaws_are_a_false_sidecar_and_containers_that_reach_into_it() -> None:
    found = genuine()
    setting(image="evil")(found)
    found["spec"]["shareProcessNamespace"] = True
    missing, shared = flaws(found, SETTINGS)
    assert missing == "it has no genuine sidecar"
    assert ".spec.shareProcessNamespace" in shared


def test_a_pod_without_sidecar_has_no_genuine_one() -> None:
    assert not has_genuine_sidecar(pod(), SETTINGS)


def test_the_index_describes_the_sidecar_that_injection_makes() -> None:
    described, container = genuine_sidecar(SETTINGS), genuine()["spec"]["initContainers"][0]
    assert described.images == tuple(release.image for release in (RELEASE, *PREVIOUS))
    assert described.name == container["name"]
    assert described.uid == container["securityContext"]["runAsUser"]
    assert list(described.command) == container["command"]
    assert tuple(container["args"]) in described.arguments
    assert [variable["name"] for variable in container["env"]] == list(described.environment)
    assert [mount["name"] for mount in container["volumeMounts"]] == list(described.volumes)
    assert described.annotations.items() <= genuine()["metadata"]["annotations"].items()


def test_the_index_lists_each_argument_list_once() -> None:
    assert len(genuine_sidecar(SETTINGS).arguments) == 2, "the two previous releases share a bootstrap"
