"""The authorities that hosts outside are known by: from files, of which a bad one harms no other."""

import os
from pathlib import Path

import pytest
from tests.support.outside import certificates

from lawflow.xds.external_roots import PUBLIC, ExternalRoots

pytestmark = pytest.mark.unit


def test_the_public_ones_and_an_installations_own_are_one_text(tmp_path: Path) -> None:
    _, own = certificates(tmp_path, "host.example")
    text = ExternalRoots(PUBLIC, own)()
    assert text.startswith(PUBLIC.read_text())
    assert text.endswith(own.read_text())


def test_a_file_is_read_again_when_it_changes_and_kept_when_it_turns_bad(tmp_path: Path) -> None:
    _, own = certificates(tmp_path, "host.example")
    roots = ExternalRoots(own)
    first = roots()
    _, other = certificates(tmp_path, "other.example")
    os.utime(other, ns=(1, 1))
    second = roots()
    assert second == other.read_text() != first
    for bad in ("no certificate", ""):
        own.write_text(bad)
        assert roots() == second
    own.unlink()
    assert roots() == second


@pytest.mark.parametrize(
    "text", [None, "", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_bad_file_leaves_the_public_ones(tmp_path: Path, text: str | None) -> None:
    own = tmp_path / "own.pem"
    if text is not None:
        own.write_text(text)
    assert ExternalRoots(PUBLIC, own)() == PUBLIC.read_text()
