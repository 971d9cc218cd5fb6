"""The program that puts the rules and what injection writes for it name the same user, ports and annotations."""

import re
from pathlib import Path

import pytest

from lawflow.model import labels
from lawflow.model.sidecar import (
    HEALTH_PORT,
    NETWORK_COMMAND,
    NETWORK_CONTAINER,
    NETWORK_USER_ID,
    OUTBOUND_PORT,
    PEER_PORT,
    USER_ID,
)

pytestmark = pytest.mark.unit

SETTINGS = Path(__file__).resolve().parents[3] / "sidecar" / "network" / "src" / "settings.rs"


def test_its_defaults_are_the_sidecars_user_and_ports() -> None:
    (found,) = re.findall(r"fn default\(\) -> Self \{\s*Self \{ (.*?) \}", SETTINGS.read_text(encoding="utf-8"))
    assert dict(part.split(": ") for part in found.split(", ")) == {
        "sidecar_user": str(USER_ID),
        "outbound_port": str(OUTBOUND_PORT),
        "peer_port": str(PEER_PORT),
        "health_port": str(HEALTH_PORT),
    }
    assert NETWORK_USER_ID not in (0, USER_ID)


def test_it_reads_the_annotations_that_injection_writes() -> None:
    constants = dict(re.findall(r'pub const (\w+): &str = "(.*?)";', SETTINGS.read_text(encoding="utf-8")))
    read = [constants[name] for name in ("INTERCEPTION", "PROBE_PORTS", "UDP_PORTS")]
    assert read == [labels.INTERCEPTION, labels.PROBE_PORTS, labels.UDP_PORTS]
    assert constants["REDIRECT"] == "redirect"
    assert constants["PLUGIN"] == NETWORK_CONTAINER == Path(NETWORK_COMMAND[0]).name
