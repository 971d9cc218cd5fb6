"""Only the peers that a flow names talk to each other, by TLS 1.3 with certificates of both."""

import asyncio
import secrets
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.support.shop import SERVER_NAME, Shop, running_shop

from lawflow.identity.authority import create_intermediate, create_root
from lawflow.identity.credential import Credential, issue_credential
from lawflow.identity.pem import certificates_to_pem, new_private_key, private_key_to_pem
from lawflow.identity.spiffe import SpiffeId
from lawflow.model.sidecar import PEER_PORT
from lawflow.standalone.traffic import Client, Response, mutual_tls

pytestmark = pytest.mark.envoy


async def call(shop: Shop, tls: ssl.SSLContext, server_name: str = SERVER_NAME) -> Response:
    """A request that goes past the caller's own sidecar, straight to billing's."""
    billing = await shop.running.sidecar("shop", "billing")
    client = Client(billing.address, PEER_PORT, tls=tls, server_name=server_name)
    try:
        return await client.request("GET", "/invoices/17")
    finally:
        await client.close()


def foreign_credential(trust_domain: str, namespace: str, service_account: str) -> Credential:
    """A certificate for the very same name, from somebody else's root."""
    now = datetime.now(UTC)
    root = create_root(trust_domain, key=new_private_key(), now=now, random=secrets.token_bytes)
    issuer = create_intermediate(root, key=new_private_key(), now=now, random=secrets.token_bytes)
    name = SpiffeId(trust_domain, namespace, service_account)
    return issue_credential(issuer, name, key=new_private_key(), now=now, random=secrets.token_bytes)


async def test_a_declared_request_passes_and_the_app_learns_who_asks(shop: Shop) -> None:
    response = await shop.order()
    assert response.status == 200
    assert response.document["caller"] == "spiffe://cluster.local/ns/shop/sa/orders"


async def test_a_genuine_caller_is_let_in_and_sees_the_receivers_identity(shop: Shop) -> None:
    billing = await shop.running.sidecar("shop", "billing")
    tls = mutual_tls(shop.running.bundle, shop.running.credential("shop", "orders"))
    client = Client(billing.address, PEER_PORT, tls=tls, server_name=SERVER_NAME)
    assert (await client.request("GET", "/invoices/17")).status == 200
    assert client.peer_spiffe_id() == "spiffe://cluster.local/ns/shop/sa/billing"
    await client.close()


async def test_a_peer_without_a_certificate_is_refused(shop: Shop) -> None:
    with pytest.raises((OSError, EOFError)):
        await call(shop, mutual_tls(shop.running.bundle, None))


async def test_the_same_name_from_another_root_is_refused(shop: Shop) -> None:
    foreign = foreign_credential("cluster.local", "shop", "orders")
    with pytest.raises((OSError, EOFError)):
        await call(shop, mutual_tls(shop.running.bundle, foreign))


async def test_a_genuine_certificate_of_a_service_account_without_a_flow_is_refused(shop: Shop) -> None:
    with pytest.raises((OSError, EOFError)):
        await call(shop, mutual_tls(shop.running.bundle, shop.running.credential("shop", "intruder")))


async def test_a_port_that_no_flow_leads_to_is_refused(shop: Shop) -> None:
    tls = mutual_tls(shop.running.bundle, shop.running.credential("shop", "orders"))
    with pytest.raises((OSError, EOFError)):
        await call(shop, tls, "p9090.billing.shop.svc")


async def test_tls_1_2_is_refused(shop: Shop) -> None:
    credential = shop.running.credential("shop", "orders")
    with pytest.raises(OSError, match=r"(?i)version|EOF|reset"):
        await call(shop, mutual_tls(shop.running.bundle, credential, highest=ssl.TLSVersion.TLSv1_2))


async def test_plaintext_is_refused(shop: Shop) -> None:
    billing = await shop.running.sidecar("shop", "billing")
    client = Client(billing.address, PEER_PORT)
    with pytest.raises((OSError, EOFError)):
        await client.request("GET", "/invoices/17")
    await client.close()


async def test_a_source_whose_flow_is_unlawful_is_answered_403(shop: Shop) -> None:
    response = await call(shop, mutual_tls(shop.running.bundle, shop.running.credential("shop", "marketing")))
    assert response.status == 403
    assert "shop/marketing-to-billing is closed" in str(response.document["flows"])


VAULT = """
apiVersion: lawflow.dev/v1alpha1
kind: DataFlow
metadata: {name: orders-to-vault, namespace: shop}
spec:
  source: {serviceAccountName: orders}
  destination: {service: {name: vault, port: 8080}, role: sameController}
  outOfScope: {reason: anonymous, explanation: random numbers}
  operations: [{name: any, path: /secret}]
---
apiVersion: v1
kind: Service
metadata: {name: vault, namespace: shop}
spec: {ports: [{port: 8080}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: vault-1, namespace: shop, labels: {kubernetes.io/service-name: vault}}
addressType: IPv4
endpoints: [{addresses: [ADDRESS]}]
"""


async def test_a_source_talks_to_nobody_who_is_not_its_destination(tmp_path: Path) -> None:
    address = "127.211.17.5"
    async with running_shop(tmp_path / "shop", extra=VAULT.replace("ADDRESS", address)) as shop:
        heard: list[bytes] = []

        async def impostor(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.append(await reader.read(1))
            writer.close()

        tls = server_tls(tmp_path, shop.running.bundle, shop.running.credential("shop", "intruder"))
        server = await asyncio.start_server(impostor, address, PEER_PORT, ssl=tls)
        async with server:
            client = Client(shop.running.loopback("shop", "orders", "vault.shop.svc"), 8080)
            response = await client.request("GET", "/secret")
            await client.close()
        assert response.status == 503
        assert response.headers["content-type"] == "application/problem+json"
        assert b"".join(heard) == b""


def server_tls(directory: Path, bundle: str, credential: Credential) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    file = directory / "impostor.pem"
    file.write_text(private_key_to_pem(credential.key) + certificates_to_pem(credential.chain))
    context.load_cert_chain(file)
    context.load_verify_locations(cadata=bundle)
    context.verify_mode = ssl.CERT_REQUIRED
    return context
