import datetime as dt
import random
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from lawflow.identity.authority import (
    CertificateAuthority,
    create_intermediate,
    create_root,
    issue_serving_certificate,
    issue_x509_svid,
)
from lawflow.identity.bundle import TrustBundle
from lawflow.identity.pem import PrivateKey, new_private_key
from lawflow.identity.spiffe import SpiffeId
from lawflow.identity.x509_svid import X509SvidError, alternative_names, spiffe_id_of, verify_x509_svid

pytestmark = pytest.mark.unit

RandomBytes = Callable[[int], bytes]
ORDERS = "spiffe://example.org/ns/shop/sa/orders"


def leaf(
    key: PrivateKey, uris: list[str], *, ca: bool = False, signs: bool = False, now: dt.datetime
) -> x509.Certificate:
    """A self-made certificate with just these traits."""
    builder = x509.CertificateBuilder(serial_number=1, public_key=key.public_key())
    builder = builder.subject_name(x509.Name([])).issuer_name(x509.Name([]))
    builder = builder.not_valid_before(now).not_valid_after(now + dt.timedelta(hours=1))
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri) for uri in uris])
    usage = x509.KeyUsage(True, False, False, False, False, signs, False, False, False)
    builder = builder.add_extension(names, critical=True).add_extension(usage, critical=True)
    return builder.add_extension(x509.BasicConstraints(ca, None), critical=True).sign(key, hashes.SHA256())


def test_the_identity_is_the_one_uri(key: PrivateKey, now: dt.datetime) -> None:
    assert str(spiffe_id_of(leaf(key, [ORDERS], now=now))) == ORDERS


@pytest.mark.parametrize(
    ("uris", "ca", "signs", "message"),
    [
        ([], False, False, "exactly one URI"),
        ([ORDERS, "https://example.org"], False, False, "exactly one URI"),
        ([ORDERS, ORDERS], False, False, "exactly one URI"),
        ([ORDERS], True, False, "authority's"),
        ([ORDERS], False, True, "digitalSignature"),
        (["https://example.org/ns/shop/sa/orders"], False, False, "cannot be used"),
        (["spiffe://example.org"], False, False, "does not name a service account"),
    ],
)
def test_a_certificate_of_another_form_is_no_svid(
    key: PrivateKey, now: dt.datetime, uris: list[str], ca: bool, signs: bool, message: str
) -> None:
    with pytest.raises(X509SvidError, match=message):
        spiffe_id_of(leaf(key, uris, ca=ca, signs=signs, now=now))


def test_a_certificate_without_extensions_is_no_svid_and_has_no_names(
    bundle: TrustBundle, key: PrivateKey, now: dt.datetime
) -> None:
    builder = x509.CertificateBuilder(serial_number=1, public_key=key.public_key())
    builder = builder.subject_name(x509.Name([])).issuer_name(x509.Name([]))
    bare = builder.not_valid_before(now).not_valid_after(now + dt.timedelta(hours=1)).sign(key, hashes.SHA256())
    assert alternative_names(bare) == frozenset()
    with pytest.raises(X509SvidError, match="is no X509-SVID"):
        spiffe_id_of(bare)
    with pytest.raises(X509SvidError, match="does not vouch"):
        verify_x509_svid((bare,), bundle, now)


def test_an_authority_is_not_a_workload(issuer: CertificateAuthority) -> None:
    with pytest.raises(X509SvidError):
        spiffe_id_of(issuer.certificate)


def test_a_serving_certificate_is_not_a_workload(
    issuer: CertificateAuthority, bundle: TrustBundle, key: PrivateKey, now: dt.datetime, randbytes: RandomBytes
) -> None:
    chain = issue_serving_certificate(issuer, ["xds.lawflow.svc"], key.public_key(), now=now, random=randbytes)
    assert alternative_names(chain[0]) == {"xds.lawflow.svc"}
    with pytest.raises(X509SvidError, match="exactly one URI"):
        verify_x509_svid(chain, bundle, now)


def test_trust_needs_the_whole_chain_and_a_root_of_the_bundle(
    issuer: CertificateAuthority,
    bundle: TrustBundle,
    orders: SpiffeId,
    key: PrivateKey,
    now: dt.datetime,
    randbytes: RandomBytes,
) -> None:
    chain = issue_x509_svid(issuer, orders, key.public_key(), now=now, random=randbytes)
    stranger = create_root("example.org", key=new_private_key(), now=now, random=random.Random(9).randbytes)
    assert verify_x509_svid(chain, bundle, now) == orders
    for broken, trusted in (
        ((), bundle),
        (chain[:1], bundle),
        (chain, TrustBundle("example.org", (stranger.certificate,))),
    ):
        with pytest.raises(X509SvidError):
            verify_x509_svid(broken, trusted, now)


@pytest.mark.parametrize("offset", [dt.timedelta(minutes=-2), dt.timedelta(hours=1)], ids=["before", "after"])
def test_trust_ends_with_the_certificate(
    issuer: CertificateAuthority,
    bundle: TrustBundle,
    orders: SpiffeId,
    key: PrivateKey,
    now: dt.datetime,
    randbytes: RandomBytes,
    offset: dt.timedelta,
) -> None:
    chain = issue_x509_svid(issuer, orders, key.public_key(), now=now, random=randbytes)
    with pytest.raises(X509SvidError, match="does not vouch"):
        verify_x509_svid(chain, bundle, now + offset)


def test_a_root_vouches_for_its_own_trust_domain_only(
    orders: SpiffeId, key: PrivateKey, now: dt.datetime, randbytes: RandomBytes
) -> None:
    foreign_root = create_root("evil.org", key=key, now=now, random=randbytes)
    foreign = create_intermediate(foreign_root, key=key, now=now, random=randbytes)
    chain = issue_x509_svid(
        foreign, SpiffeId("evil.org", "shop", "orders"), key.public_key(), now=now, random=randbytes
    )
    with pytest.raises(X509SvidError, match=r"not in the trust domain example\.org"):
        verify_x509_svid(chain, TrustBundle("example.org", (foreign_root.certificate,)), now)
