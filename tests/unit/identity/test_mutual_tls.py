"""Real TLS 1.3 handshakes in memory, by OpenSSL through Python's ssl, before, during and after a change of root."""

import datetime as dt
import secrets
import ssl
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from cryptography import x509

from lawflow.identity.authority import CertificateAuthority, create_intermediate, create_root
from lawflow.identity.bundle import TrustBundle
from lawflow.identity.credential import Credential, issue_credential
from lawflow.identity.pem import new_private_key
from lawflow.identity.root_rotation import RootRotation, RotationTiming, advance, begin
from lawflow.identity.spiffe import SpiffeId
from lawflow.identity.x509_svid import spiffe_id_of

pytestmark = pytest.mark.unit

ORDERS = SpiffeId("example.org", "shop", "orders")
BILLING = SpiffeId("example.org", "finance", "billing")


@dataclass(frozen=True)
class Realm:
    """A root and its issuer, valid by the clock of this host: OpenSSL knows no other."""

    root: CertificateAuthority
    issuer: CertificateAuthority
    now: dt.datetime

    def credential(self, spiffe_id: SpiffeId, lifetime: dt.timedelta = dt.timedelta(hours=1)) -> Credential:
        return issue_credential(
            self.issuer,
            spiffe_id,
            key=new_private_key(),
            now=self.now,
            random=secrets.token_bytes,
            lifetime=lifetime,
        )


@pytest.fixture
def old() -> Realm:
    return _realm(dt.datetime.now(dt.UTC))


@pytest.fixture
def new() -> Realm:
    return _realm(dt.datetime.now(dt.UTC))


def _realm(now: dt.datetime) -> Realm:
    root = create_root("example.org", key=new_private_key(), now=now, random=secrets.token_bytes)
    issuer = create_intermediate(root, key=new_private_key(), now=now, random=secrets.token_bytes)
    return Realm(root, issuer, now)


def bundle_of(*realms: Realm) -> TrustBundle:
    return TrustBundle("example.org", tuple(realm.root.certificate for realm in realms))


def handshake(
    client: Credential | None, client_trust: TrustBundle, server: Credential, server_trust: TrustBundle, folder: Path
) -> tuple[SpiffeId, SpiffeId]:
    """Shake hands and pass a byte each way; return whom the server saw and whom the client saw.

    Raises ssl.SSLError where either side refuses the other.
    """
    client_context = _context(ssl.PROTOCOL_TLS_CLIENT, client, client_trust, folder / "client.pem")
    client_context.check_hostname = False
    server_context = _context(ssl.PROTOCOL_TLS_SERVER, server, server_trust, folder / "server.pem")
    server_context.verify_mode = ssl.CERT_REQUIRED
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client_end = client_context.wrap_bio(to_client, to_server)
    server_end = server_context.wrap_bio(to_server, to_client, server_side=True)
    _take_turns(client_end.do_handshake, server_end.do_handshake)
    client_end.write(b"?")
    assert server_end.read(1) == b"?"
    server_end.write(b"!")
    assert client_end.read(1) == b"!"
    assert client_end.version() == "TLSv1.3"
    return _peer(server_end), _peer(client_end)


def _take_turns(*steps: object) -> None:
    waiting = list(steps)
    for _ in range(10):
        for step in list(waiting):
            try:
                assert callable(step)
                step()
                waiting.remove(step)
            except ssl.SSLWantReadError:
                continue
        if not waiting:
            return
    raise AssertionError("the handshake does not end")


def _context(protocol: int, own: Credential | None, trust: TrustBundle, file: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_verify_locations(cadata=trust.to_pem())
    if own is not None:
        key = file.with_suffix(".key")
        files = own.to_files(trust)
        file.write_text(files["tls.crt"])
        key.write_text(files["tls.key"])
        context.load_cert_chain(file, key)
    return context


def _peer(end: ssl.SSLObject) -> SpiffeId:
    der = end.getpeercert(binary_form=True)
    assert der is not None
    return spiffe_id_of(x509.load_der_x509_certificate(der))


def test_two_svids_shake_hands_and_know_each_other(old: Realm, tmp_path: Path) -> None:
    trust = bundle_of(old)
    seen = handshake(old.credential(ORDERS), trust, old.credential(BILLING), trust, tmp_path)
    assert seen == (ORDERS, BILLING)


def test_a_peer_without_a_certificate_is_refused(old: Realm, tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLError, match=r"(?i)peer did not return a certificate"):
        handshake(None, bundle_of(old), old.credential(BILLING), bundle_of(old), tmp_path)


def test_a_peer_under_an_unknown_root_is_refused(old: Realm, new: Realm, tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLError, match="certificate verify failed"):
        handshake(new.credential(ORDERS), bundle_of(old), old.credential(BILLING), bundle_of(old), tmp_path)


def test_an_expired_peer_is_refused(tmp_path: Path) -> None:
    past = _realm(dt.datetime.now(dt.UTC) - dt.timedelta(hours=2))
    fresh = Realm(past.root, past.issuer, dt.datetime.now(dt.UTC))
    with pytest.raises(ssl.SSLError, match="certificate has expired"):
        handshake(past.credential(ORDERS), bundle_of(past), fresh.credential(BILLING), bundle_of(past), tmp_path)


def test_peers_agree_at_every_moment_of_a_change_of_root(old: Realm, new: Realm, tmp_path: Path) -> None:
    """Each pair that can meet shakes hands: a peer may hold the bundle of this step or of the one before."""
    no_wait = RotationTiming(*[dt.timedelta(0)] * 3)
    realms = {old.root.certificate: old, new.root.certificate: new}
    states = [RootRotation("example.org", old.root.certificate)]
    states.append(begin(states[0], new.root.certificate, old.now))
    states.append(advance(states[1], old.now, {"a": states[1].bundle.version}, timing=no_wait)[0])
    assert states[2].issuing == new.root.certificate
    met = 0
    for before, after in pairwise(states):
        credentials = [realms[state.issuing].credential(ORDERS) for state in (before, after)]
        for client in credentials:
            for server in credentials:
                for client_trust in (before.bundle, after.bundle):
                    handshake(client, client_trust, server, after.bundle, tmp_path)
                    met += 1
    assert met == 16


def test_a_dropped_root_is_trusted_no_more(old: Realm, new: Realm, tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLError, match="certificate verify failed"):
        handshake(old.credential(ORDERS), bundle_of(new, old), new.credential(BILLING), bundle_of(new), tmp_path)
