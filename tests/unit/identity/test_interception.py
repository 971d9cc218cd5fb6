"""Authorities for apps whose TLS their sidecar ends: each vouches for one host, in one namespace."""

import datetime as dt

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from lawflow.identity.interception import LEAF_SPAN, app_certificate, app_root

pytestmark = pytest.mark.unit

SECRET = b"s" * 32
NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)


def verify(root: str, chain: str, host: str, now: dt.datetime = NOW) -> None:
    store = Store([x509.load_pem_x509_certificate(root.encode())])
    (leaf,) = x509.load_pem_x509_certificates(chain.encode())
    PolicyBuilder().store(store).time(now).build_server_verifier(x509.DNSName(host)).verify(leaf, [])


def test_an_app_believes_its_sidecar_to_be_the_host() -> None:
    chain, key = app_certificate(SECRET, "shop", "api.psp.example", NOW)
    verify(app_root(SECRET, "shop", "api.psp.example"), chain, "api.psp.example")
    assert key.startswith("-----BEGIN PRIVATE KEY-----")


@pytest.mark.parametrize(("namespace", "host"), [("shop", "bank.example"), ("till", "api.psp.example")])
def test_a_root_vouches_for_no_other_host_and_no_other_namespace(namespace: str, host: str) -> None:
    chain, _ = app_certificate(SECRET, "shop", "api.psp.example", NOW)
    with pytest.raises(VerificationError):
        verify(app_root(SECRET, namespace, host), chain, "api.psp.example")


def test_the_constraint_of_a_root_permits_its_host_alone() -> None:
    (root,) = x509.load_pem_x509_certificates(app_root(SECRET, "shop", "api.psp.example").encode())
    constraints = root.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert constraints.value.permitted_subtrees == [x509.DNSName("api.psp.example")]
    assert root.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0


def test_every_replica_makes_the_same_ones_and_another_secret_others() -> None:
    assert app_root(SECRET, "shop", "h.example") == app_root(SECRET, "shop", "h.example")
    assert app_certificate(SECRET, "shop", "h.example", NOW) == app_certificate(SECRET, "shop", "h.example", NOW)
    assert app_root(SECRET, "shop", "h.example") != app_root(b"t" * 32, "shop", "h.example")


def test_a_certificate_serves_for_a_month_and_the_next_one_follows_before_it_ends() -> None:
    root = app_root(SECRET, "shop", "h.example")
    chain, key = app_certificate(SECRET, "shop", "h.example", NOW)
    later = NOW + LEAF_SPAN
    next_chain, next_key = app_certificate(SECRET, "shop", "h.example", later)
    assert (chain, key) != (next_chain, next_key)
    verify(root, next_chain, "h.example", later)
    with pytest.raises(VerificationError):
        verify(root, chain, "h.example", later + dt.timedelta(days=2))


def test_without_a_secret_there_is_none() -> None:
    with pytest.raises(ValueError, match="no secret"):
        app_root(b"", "shop", "h.example")
