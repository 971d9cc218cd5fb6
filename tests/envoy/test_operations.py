"""What no operation declares is refused on both sides, however its path is written, and the answer says what to do."""

import pytest
from tests.support.shop import PORT, SERVER_NAME, Shop

from lawflow.model.sidecar import PEER_PORT
from lawflow.standalone.traffic import Client, Response, mutual_tls

pytestmark = pytest.mark.envoy


async def past_its_sidecar(shop: Shop, method: str, path: str) -> Response:
    billing = await shop.running.sidecar("shop", "billing")
    tls = mutual_tls(shop.running.bundle, shop.running.credential("shop", "orders"))
    client = Client(billing.address, PEER_PORT, tls=tls, server_name=SERVER_NAME)
    try:
        return await client.request(method, path)
    finally:
        await client.close()


async def test_an_undeclared_method_is_refused_by_the_source_with_a_problem(shop: Shop) -> None:
    response = await shop.order("DELETE")
    assert response.status == 403
    assert response.headers["content-type"] == "application/problem+json"
    assert response.document["status"] == 403
    assert response.document["enforcedBy"] == "spiffe://cluster.local/ns/shop/sa/orders"
    assert response.document["flows"] == "shop/orders-to-billing is open"
    assert "DataFlow" in str(response.document["detail"])


async def test_the_receiver_refuses_it_as_well(shop: Shop) -> None:
    response = await past_its_sidecar(shop, "DELETE", "/invoices/17")
    assert response.status == 403
    assert response.document["enforcedBy"] == "spiffe://cluster.local/ns/shop/sa/billing"
    assert str(response.document["detail"]).startswith("spiffe://cluster.local/ns/shop/sa/orders may not")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/admin",
        "/invoices",
        "/invoices/",
        "/invoices/17/lines",
        "/invoices/../admin",
        "/invoices/%2e%2e/admin",
        "/invoices/17%2flines",
        "/invoices/17%5clines",
        "/invoices/17;a=b",
        "/invoices/17/%2e%2e;x/lines",
        "/INVOICES/17",
        "/admin;/invoices/17",
        "/admin?/invoices/17",
        "/admin#/invoices/17",
    ],
)
async def test_an_undeclared_path_is_refused_however_it_is_written(shop: Shop, path: str) -> None:
    for response in (await shop.order(path=path), await past_its_sidecar(shop, "GET", path)):
        assert 400 <= response.status < 500


@pytest.mark.parametrize(
    "path", ["//invoices//17", "/invoices/./17", "/x/../invoices/17", "/x/..;/invoices/17", "/invoices/17?a=b"]
)
async def test_a_declared_path_passes_in_its_normal_form(shop: Shop, path: str) -> None:
    response = await shop.order(path=path)
    assert response.status == 200
    assert str(response.document["invoice"]).partition("?")[0] == "17"


async def test_a_refusal_never_repeats_the_path(shop: Shop) -> None:
    response = await shop.order(path="/customers/jane.doe@example.org")
    assert response.status == 403
    assert b"jane" not in response.body


async def test_headers_that_trace_a_person_do_not_pass_undeclared(shop: Shop) -> None:
    client = Client(shop.billing_from_orders, PORT)
    traced = {"cookie": "a=b", "x-forwarded-for": "192.0.2.7", "forwarded": "for=192.0.2.7", "user-agent": "x"}
    response = await client.request("GET", "/invoices/17", {**traced, "x-real-ip": "192.0.2.7", "x-order": "5"})
    await client.close()
    passed = response.document["headers"]
    assert isinstance(passed, list)
    assert set(passed) == {"host", "content-length", "lawflow-purpose", "x-forwarded-client-cert"}


async def test_a_forged_caller_is_replaced_by_the_certificates(shop: Shop) -> None:
    client = Client(shop.billing_from_orders, PORT)
    forged = {"x-forwarded-client-cert": "URI=spiffe://cluster.local/ns/shop/sa/boss"}
    response = await client.request("GET", "/invoices/17", forged)
    await client.close()
    assert response.document["caller"] == "spiffe://cluster.local/ns/shop/sa/orders"
