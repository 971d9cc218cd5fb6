"""The egress gateway's pod: what the chart runs is what the signer takes for genuine, and nothing else is."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.pods import FORGOTTEN, PREVIOUS, RELEASE, SETTINGS, Object, stored

from lawflow.inject.gateway import gateway_pod, is_genuine_gateway, is_of_known_release
from lawflow.inject.settings import SidecarRelease

pytestmark = pytest.mark.unit


def genuine(release: SidecarRelease = RELEASE) -> Object:
    made = copy.deepcopy(gateway_pod(SETTINGS, release))
    return {**made, "metadata": {**made["metadata"], "namespace": "lawflow-system", "name": "lawflow-egress-1"}}


def in_container(**fields: Any) -> Callable[[Object], None]:
    return lambda pod: pod["spec"]["containers"][0].update(fields)


def in_spec(**fields: Any) -> Callable[[Object], None]:
    return lambda pod: pod["spec"].update(fields)


OTHER = {"name": "other", "image": "other"}
TAMPERING = {
    "another image": in_container(image="evil"),
    "another bootstrap": in_container(args=["--config-yaml", "{}"]),
    "variables from elsewhere": in_container(envFrom=[{"configMapRef": {"name": "x"}}]),
    "a hook": in_container(lifecycle={"postStart": {"exec": {"command": ["sh"]}}}),
    "another container": lambda pod: pod["spec"]["containers"].append(OTHER),
    "an init container": in_spec(initContainers=[OTHER]),
    "a debugger": in_spec(ephemeralContainers=[OTHER]),
    "the host's network": in_spec(hostNetwork=True),
    "the host's processes": in_spec(hostPID=True),
    "another certificate": lambda pod: pod["spec"]["volumes"].pop(0),
    "another secret discovery": lambda pod: pod["metadata"]["annotations"].update({"lawflow.dev/trust-sds": "{}"}),
}


@pytest.mark.parametrize("release", [RELEASE, *PREVIOUS], ids=lambda release: release.version)
def test_the_gateway_of_a_release_that_counts_is_genuine_as_the_api_server_stores_it(release: SidecarRelease) -> None:
    assert is_genuine_gateway(stored(genuine(release)), SETTINGS)


@pytest.mark.parametrize("tamper", TAMPERING.values(), ids=TAMPERING)
def test_a_gateway_that_runs_anything_else_is_not(tamper: Callable[[Object], None]) -> None:
    pod = genuine()
    tamper(pod)
    assert not is_genuine_gateway(pod, SETTINGS)


def test_a_release_is_known_by_its_image() -> None:
    assert all(is_of_known_release(genuine(release), SETTINGS) for release in (RELEASE, *PREVIOUS))
    assert not is_of_known_release(genuine(FORGOTTEN), SETTINGS)
