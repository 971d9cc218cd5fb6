"""A certificate authority for one test run: it issues what servers and clients of the tests need."""

import base64
import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = dt.timedelta(days=1)


@dataclass(frozen=True)
class KeyPair:
    """Files in PEM: a certificate and its private key."""

    certificate: Path
    key: Path


class Authority:
    """Signs leaf certificates that are valid from a minute ago until a day from now."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            _certificate(self._name, self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = directory / f"{name}.crt"
        self.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def bundle(self) -> str:
        """The authority's own certificate as a ``caBundle`` field has it: PEM in base64."""
        return base64.b64encode(self.certificate.read_bytes()).decode()

    def client(self, common_name: str, organisations: Sequence[str] = ()) -> KeyPair:
        """A client certificate; Kubernetes reads the user from its common name and the groups from O."""
        subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name) for name in organisations]
        subject.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        return self._issue(x509.Name(subject), usage)

    def server(self, *names: str, address: str = "127.0.0.1", others: Sequence[str] = ()) -> KeyPair:
        """A server certificate for an address, more addresses, and the given DNS names."""
        addresses: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address(each)) for each in (address, *others)]
        alternatives = x509.SubjectAlternativeName([*addresses, *(x509.DNSName(name) for name in names)])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0] if names else address)])
        return self._issue(subject, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), alternatives)

    def _issue(self, subject: x509.Name, *extensions: x509.ExtensionType) -> KeyPair:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _certificate(subject, self._name, key.public_key())
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        pair = KeyPair(
            self._directory / f"{certificate.serial_number:x}.crt",
            self._directory / f"{certificate.serial_number:x}.key",
        )
        pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        pair.key.write_bytes(private_pem(key))
        return pair


def private_pem(key: PrivateKeyTypes) -> bytes:
    """A private key as unencrypted PKCS #8 PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _certificate(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=1))
        .not_valid_after(now + LIFETIME)
    )
