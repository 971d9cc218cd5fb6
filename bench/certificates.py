"""Certificates and tokens issued a second on one core, against the library's bare signature of the same certificate."""

import datetime as dt
import json
import secrets
import time
from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from lawflow.identity.authority import create_intermediate, create_root, issue_x509_svid
from lawflow.identity.credential import issue_credential
from lawflow.identity.jwt_svid import issue_jwt_svid
from lawflow.identity.pem import new_private_key
from lawflow.identity.spiffe import SpiffeId
from lawflow.identity.token_key import TokenKey

SECONDS = 2.0
NOW = dt.datetime.now(dt.UTC)


def per_second(work: Callable[[], object]) -> float:
    """Calls a second of this process's CPU time, so that neighbours on the machine do not count."""
    work()
    count, start = 0, time.process_time()
    while (spent := time.process_time() - start) < SECONDS:
        work()
        count += 1
    return count / spent


def main() -> None:
    root = create_root("example.org", key=new_private_key(), now=NOW, random=secrets.token_bytes)
    issuer = create_intermediate(root, key=new_private_key(), now=NOW, random=secrets.token_bytes)
    orders = SpiffeId("example.org", "shop", "orders")
    key = new_private_key()
    public_key = key.public_key()
    token_key = TokenKey(key, NOW)
    (leaf, _) = issue_x509_svid(issuer, orders, public_key, now=NOW, random=secrets.token_bytes)
    bare = _builder_of(leaf, issuer.certificate.subject)

    signed = per_second(lambda: bare.sign(issuer.key, hashes.SHA256()))
    issued = per_second(lambda: issue_x509_svid(issuer, orders, public_key, now=NOW, random=secrets.token_bytes))
    with_key = per_second(
        lambda: issue_credential(issuer, orders, key=new_private_key(), now=NOW, random=secrets.token_bytes)
    )
    tokens = per_second(
        lambda: issue_jwt_svid(
            token_key,
            orders,
            audience="https://api.psp.example",
            purpose="dpv:PaymentManagement",
            key_thumbprint=token_key.key_id,
            now=NOW,
            random=secrets.token_bytes,
        )
    )
    figures = {
        "x509_svids_per_second": issued,
        "credentials_with_new_key_per_second": with_key,
        "jwt_svids_per_second": tokens,
        "bare_signatures_per_second": signed,
        "x509_svids_to_bare_signatures": issued / signed,
    }
    print(json.dumps(figures))


def _builder_of(leaf: x509.Certificate, issuer: x509.Name) -> x509.CertificateBuilder:
    """What it takes to sign ``leaf`` once more and nothing else."""
    builder = x509.CertificateBuilder().issuer_name(issuer).subject_name(leaf.subject)
    builder = builder.public_key(leaf.public_key()).serial_number(leaf.serial_number)
    builder = builder.not_valid_before(leaf.not_valid_before_utc).not_valid_after(leaf.not_valid_after_utc)
    for extension in leaf.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    return builder


if __name__ == "__main__":
    main()
