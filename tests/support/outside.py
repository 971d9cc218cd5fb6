"""A host outside the mesh: HTTPS with a certificate of its own authority, recording what reaches it."""

import asyncio
import contextlib
import datetime as dt
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

JSON = ("content-type: application/json",)
HOST = "localhost"
"""A name that resolves here without any DNS server."""


@dataclass
class Outside:
    """The running host."""

    port: int
    roots: Path
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    """First line, headers and body of each request."""


@contextlib.asynccontextmanager
async def outside(
    directory: Path, answer: bytes, certified: str = HOST, status: str = "200 OK", told: tuple[str, ...] = JSON
) -> AsyncIterator[Outside]:
    """HTTPS on 127.0.0.1 with a certificate for ``certified``, answering everything alike."""
    chain, roots = certificates(directory, certified)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain)
    found = Outside(0, roots)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().rstrip("\r\n").split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                found.requests.append((first, headers, body))
                head = [f"HTTP/1.1 {status}", *told, f"content-length: {len(answer)}", "", ""]
                writer.write("\r\n".join(head).encode() + answer)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()


def certificates(directory: Path, *hosts: str) -> tuple[Path, Path]:
    """Files with key and chain of a host by its names, and with the root that vouches for it."""
    now = dt.datetime.now(dt.UTC)
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of the world outside")])

    def builder(subject: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(minutes=5))
            .not_valid_after(now + dt.timedelta(days=1))
        )

    constraints = x509.BasicConstraints(ca=True, path_length=0)
    root = builder(issuer, root_key.public_key()).add_extension(constraints, critical=True)
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
    leaf = builder(x509.Name([]), key.public_key()).add_extension(names, critical=True)
    pem, text = serialization.Encoding.PEM, serialization.NoEncryption()
    chain, roots = directory / "outside.pem", directory / "outside-roots.pem"
    chain.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, text)
        + leaf.sign(root_key, hashes.SHA256()).public_bytes(pem)
    )
    roots.write_bytes(root.sign(root_key, hashes.SHA256()).public_bytes(pem))
    return chain, roots
