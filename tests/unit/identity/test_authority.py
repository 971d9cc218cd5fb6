import datetime as dt
import ipaddress
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from lawflow.identity.authority import (
    AuthorityError,
    CertificateAuthority,
    create_intermediate,
    create_root,
    issue_serving_certificate,
    issue_x509_svid,
)
from lawflow.identity.bundle import TrustBundle
from lawflow.identity.pem import Chain, PrivateKey, certificates_to_pem, new_private_key
from lawflow.identity.signing_request import UnsupportedKeyError
from lawflow.identity.spiffe import SpiffeId
from lawflow.identity.validity import CLOCK_SKEW, ValidityError, validity
from lawflow.identity.x509_svid import verify_chain, verify_x509_svid

pytestmark = pytest.mark.unit

RandomBytes = Callable[[int], bytes]


def openssl_verify(chain: Chain, bundle: TrustBundle, now: dt.datetime, purpose: str, folder: Path) -> str:
    """What ``openssl verify`` says of a chain, by its strictest reading of RFC 5280."""
    (folder / "roots.pem").write_text(bundle.to_pem())
    (folder / "chain.pem").write_text(certificates_to_pem(chain[1:]))
    (folder / "leaf.pem").write_text(certificates_to_pem(chain[:1]))
    command = ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-attime", str(int(now.timestamp()))]
    command += ["-CAfile", "roots.pem", "-untrusted", "chain.pem", "leaf.pem"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return result.stdout + result.stderr


@pytest.fixture
def svid(
    issuer: CertificateAuthority, orders: SpiffeId, key: PrivateKey, now: dt.datetime, randbytes: RandomBytes
) -> Chain:
    return issue_x509_svid(issuer, orders, key.public_key(), now=now, random=randbytes)


@pytest.mark.parametrize("purpose", ["sslclient", "sslserver"])
def test_openssl_accepts_an_svid_for_both_ends_of_tls(
    svid: Chain, bundle: TrustBundle, now: dt.datetime, purpose: str, tmp_path: Path
) -> None:
    assert openssl_verify(svid, bundle, now, purpose, tmp_path) == "leaf.pem: OK\n"


def test_an_svid_proves_its_identity(svid: Chain, bundle: TrustBundle, now: dt.datetime, orders: SpiffeId) -> None:
    assert verify_x509_svid(svid, bundle, now) == orders


def test_an_svid_has_the_form_that_its_specification_asks_for(svid: Chain) -> None:
    extensions = svid[0].extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName)
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [name.value for name in names.value] == ["spiffe://example.org/ns/shop/sa/orders"]
    assert names.critical
    assert svid[0].subject == x509.Name([])
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    assert not usage.value.crl_sign
    assert set(purposes) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_an_svid_lives_an_hour_of_which_a_minute_has_passed(svid: Chain, now: dt.datetime) -> None:
    assert svid[0].not_valid_before_utc == now - CLOCK_SKEW
    assert svid[0].not_valid_after_utc - svid[0].not_valid_before_utc == dt.timedelta(hours=1)


def test_an_svid_presents_its_intermediate_and_leaves_the_root_out(
    svid: Chain, issuer: CertificateAuthority, root: CertificateAuthority
) -> None:
    assert svid[1:] == (issuer.certificate,)
    assert root.certificate not in svid


def test_an_svid_may_carry_dns_names_beside_its_one_uri(
    issuer: CertificateAuthority, orders: SpiffeId, key: PrivateKey, now: dt.datetime, randbytes: RandomBytes
) -> None:
    (leaf, _) = issue_x509_svid(
        issuer, orders, key.public_key(), now=now, random=randbytes, dns_names=["orders.shop.svc"]
    )
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["orders.shop.svc"]
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [str(orders)]


@pytest.mark.parametrize("purpose", ["sslserver", "sslclient"])
def test_a_serving_certificate_serves_and_is_no_client(
    issuer: CertificateAuthority,
    bundle: TrustBundle,
    key: PrivateKey,
    now: dt.datetime,
    randbytes: RandomBytes,
    purpose: str,
    tmp_path: Path,
) -> None:
    chain = issue_serving_certificate(
        issuer,
        ["webhook.lawflow.svc"],
        key.public_key(),
        now=now,
        random=randbytes,
        addresses=[ipaddress.ip_address("127.0.0.1")],
    )
    verify_chain(chain, bundle, now)
    assert ("leaf.pem: OK" in openssl_verify(chain, bundle, now, purpose, tmp_path)) == (purpose == "sslserver")


def test_a_serving_certificate_without_a_name_is_refused(
    issuer: CertificateAuthority, key: PrivateKey, now: dt.datetime, randbytes: RandomBytes
) -> None:
    with pytest.raises(AuthorityError, match="give the DNS names"):
        issue_serving_certificate(issuer, [], key.public_key(), now=now, random=randbytes)


def test_an_issuer_may_be_held_to_its_dns_names(
    root: CertificateAuthority,
    bundle: TrustBundle,
    key: PrivateKey,
    now: dt.datetime,
    randbytes: RandomBytes,
    tmp_path: Path,
) -> None:
    held = create_intermediate(root, key=key, now=now, random=randbytes, permitted_dns=["lawflow.svc"])
    inside = issue_serving_certificate(held, ["xds.lawflow.svc"], key.public_key(), now=now, random=randbytes)
    outside = issue_serving_certificate(held, ["bank.example"], key.public_key(), now=now, random=randbytes)
    workload = issue_x509_svid(
        held, SpiffeId("example.org", "shop", "orders"), key.public_key(), now=now, random=randbytes
    )
    assert "OK" in openssl_verify(inside, bundle, now, "sslserver", tmp_path)
    assert "permitted subtree violation" in openssl_verify(outside, bundle, now, "sslserver", tmp_path)
    verify_x509_svid(workload, bundle, now)


def test_an_intermediate_is_for_tls_leaves_alone(issuer: CertificateAuthority) -> None:
    extensions = issuer.certificate.extensions
    assert extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0
    purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(purposes) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}


def test_what_an_intermediate_made_an_authority_vouches_for_nothing(
    issuer: CertificateAuthority, bundle: TrustBundle, now: dt.datetime, randbytes: RandomBytes, tmp_path: Path
) -> None:
    below = create_intermediate(issuer, key=new_private_key(), now=now, random=randbytes)
    spiffe_id = SpiffeId("example.org", "shop", "orders")
    chain = issue_x509_svid(below, spiffe_id, new_private_key().public_key(), now=now, random=randbytes)
    assert "path length constraint exceeded" in openssl_verify(chain, bundle, now, "sslclient", tmp_path)


def test_a_foreign_trust_domain_is_refused(
    issuer: CertificateAuthority, key: PrivateKey, now: dt.datetime, randbytes: RandomBytes
) -> None:
    with pytest.raises(AuthorityError, match=r"not in the trust domain spiffe://example\.org"):
        issue_x509_svid(issuer, SpiffeId("evil.org", "shop", "orders"), key.public_key(), now=now, random=randbytes)


def test_a_weak_key_gets_no_certificate(
    issuer: CertificateAuthority, orders: SpiffeId, now: dt.datetime, randbytes: RandomBytes
) -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    with pytest.raises(UnsupportedKeyError):
        issue_x509_svid(issuer, orders, weak, now=now, random=randbytes)


def test_an_expired_issuer_issues_nothing_and_says_what_to_do(
    issuer: CertificateAuthority, orders: SpiffeId, key: PrivateKey, now: dt.datetime, randbytes: RandomBytes
) -> None:
    with pytest.raises(ValidityError, match="renew the issuer"):
        issue_x509_svid(issuer, orders, key.public_key(), now=now + dt.timedelta(days=90), random=randbytes)


def test_a_certificate_never_outlives_its_issuer(
    issuer: CertificateAuthority, orders: SpiffeId, key: PrivateKey, now: dt.datetime, randbytes: RandomBytes
) -> None:
    last = issuer.certificate.not_valid_after_utc
    (leaf, _) = issue_x509_svid(issuer, orders, key.public_key(), now=last - dt.timedelta(minutes=10), random=randbytes)
    assert leaf.not_valid_after_utc == last


def test_serial_numbers_come_from_the_given_source(
    issuer: CertificateAuthority, orders: SpiffeId, key: PrivateKey, now: dt.datetime
) -> None:
    (leaf, _) = issue_x509_svid(issuer, orders, key.public_key(), now=now, random=lambda size: b"\xff" * size)
    assert leaf.serial_number == 2**159 - 1
    (zero, _) = issue_x509_svid(issuer, orders, key.public_key(), now=now, random=bytes)
    assert zero.serial_number == 1


def test_an_authority_comes_back_from_its_text(issuer: CertificateAuthority, root: CertificateAuthority) -> None:
    for authority in (root, issuer):
        back = CertificateAuthority.from_pem(authority.to_pem())
        assert (back.certificate, back.chain) == (authority.certificate, authority.chain)
        assert back.key.private_numbers() == authority.key.private_numbers()


def test_an_authority_with_anothers_key_is_refused(issuer: CertificateAuthority, key: PrivateKey) -> None:
    with pytest.raises(AuthorityError, match="restore the pair together"):
        CertificateAuthority(issuer.certificate, key)


def test_the_root_signs_authorities_for_ten_years(root: CertificateAuthority, now: dt.datetime) -> None:
    assert root.certificate.not_valid_after_utc - now > dt.timedelta(days=3649)
    assert root.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 1


def test_a_malformed_trust_domain_makes_no_root(key: PrivateKey, now: dt.datetime, randbytes: RandomBytes) -> None:
    with pytest.raises(ValueError, match="lower-case"):
        create_root("Example Org", key=key, now=now, random=randbytes)


@given(
    st.integers(0, 2**31).map(lambda seconds: dt.datetime.fromtimestamp(seconds / 3, dt.UTC)),
    st.timedeltas(dt.timedelta(seconds=2), dt.timedelta(days=4000)),
)
def test_a_new_certificate_is_valid_at_once_for_most_of_its_life(now: dt.datetime, lifetime: dt.timedelta) -> None:
    first, last = validity(now, lifetime)
    assert first <= now < last
    assert last - first == dt.timedelta(seconds=lifetime // dt.timedelta(seconds=1))
    assert now - first <= min(CLOCK_SKEW, lifetime / 10) + dt.timedelta(seconds=1)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValidityError, match=r"datetime\.now\(UTC\)"):
        validity(dt.datetime(2026, 1, 1), dt.timedelta(hours=1))  # noqa: DTZ001


def test_a_life_under_a_second_is_refused() -> None:
    with pytest.raises(ValidityError, match="one second"):
        validity(dt.datetime.now(dt.UTC), dt.timedelta(milliseconds=500))
