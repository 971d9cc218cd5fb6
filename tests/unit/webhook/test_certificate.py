"""The serving certificate is swapped whole, and only for a pair that fits together."""

import ssl
from pathlib import Path

import pytest
from tests.support.authority import Authority, KeyPair

from lawflow.webhook.certificate import ServingCertificate

pytestmark = pytest.mark.unit


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ca")


def put(pair: KeyPair, certificate: Path, key: Path) -> None:
    certificate.write_bytes(pair.certificate.read_bytes())
    key.write_bytes(pair.key.read_bytes())


def shown(serving: ServingCertificate, authority: Authority) -> bytes:
    """The certificate that a client sees in a handshake in memory."""
    trust = ssl.create_default_context(cafile=authority.certificate)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = serving.context.wrap_bio(to_server, to_client, server_side=True)
    client = trust.wrap_bio(to_client, to_server, server_hostname="127.0.0.1")
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert client.version() == "TLSv1.3"
    found = client.getpeercert(binary_form=True)
    assert found
    return found


def test_a_renewed_pair_is_shown_to_new_connections(authority: Authority, tmp_path: Path) -> None:
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    put(authority.server("gate"), certificate, key)
    serving = ServingCertificate(certificate, key)
    first = shown(serving, authority)
    assert not serving.refresh()

    put(authority.server("gate"), certificate, key)

    assert serving.refresh()
    assert shown(serving, authority) != first


def test_a_pair_that_does_not_fit_is_passed_over_for_the_next_good_one(authority: Authority, tmp_path: Path) -> None:
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    put(authority.server("gate"), certificate, key)
    serving = ServingCertificate(certificate, key)
    first = shown(serving, authority)
    renewed = authority.server("gate")

    certificate.write_bytes(renewed.certificate.read_bytes())
    assert not serving.refresh()
    assert shown(serving, authority) == first

    key.write_bytes(renewed.key.read_bytes())
    assert serving.refresh()
    assert shown(serving, authority) != first


def test_files_that_vanish_for_a_moment_change_nothing(authority: Authority, tmp_path: Path) -> None:
    pair = authority.server("gate")
    serving = ServingCertificate(pair.certificate, pair.key)
    first = shown(serving, authority)

    pair.certificate.unlink()

    assert not serving.refresh()
    assert shown(serving, authority) == first


def test_nothing_older_than_tls_1_3_is_spoken(authority: Authority) -> None:
    pair = authority.server("gate")

    assert ServingCertificate(pair.certificate, pair.key).context.minimum_version is ssl.TLSVersion.TLSv1_3
