"""What a pod is annotated with, from how its sidecar's stream stands."""

import pytest

from lawflow.mesh.resources import CLUSTER, LISTENER
from lawflow.mesh.sidecar import Identity
from lawflow.model import labels
from lawflow.xds.acknowledgement import REASON_LENGTH, notes_of
from lawflow.xds.server import Connection

pytestmark = pytest.mark.unit


def connection(bundle: str = "7", **rejected: str) -> Connection:
    types = {"cluster": CLUSTER, "listener": LISTENER}
    reasons = {types[name]: reason for name, reason in rejected.items()}
    return Connection(Identity("shop", "orders"), "shop/orders-1", bundle, reasons, 1)


def test_a_sidecar_that_took_everything_has_its_bundle_noted_and_no_rejection() -> None:
    assert notes_of(connection()) == {labels.TRUST_BUNDLE: "7", labels.POLICY_REJECTED: None}


def test_every_rejection_is_noted() -> None:
    notes = notes_of(connection(cluster="no such certificate", listener="bad filter"))
    assert notes[labels.POLICY_REJECTED] == "no such certificate; bad filter"


def test_a_long_reason_is_cut() -> None:
    assert len(notes_of(connection(cluster="x" * 10_000))[labels.POLICY_REJECTED] or "") == REASON_LENGTH


def test_the_module_is_noted_as_the_sidecar_says_it() -> None:
    told = Connection(Identity("shop", "orders"), "shop/orders-1", "7", {}, 1, "0.1.0/1")
    assert notes_of(told)[labels.MODULE] == "0.1.0/1"


def test_nothing_is_said_of_a_bundle_that_was_not_acknowledged() -> None:
    assert labels.TRUST_BUNDLE not in notes_of(connection(bundle=""))
