import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lawflow.identity.spiffe import SpiffeId, SpiffeIdError, trust_domain_id

pytestmark = pytest.mark.unit

trust_domains = st.from_regex(r"[a-z0-9._-]{1,60}", fullmatch=True)
labels = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
subdomains = st.lists(labels, min_size=1, max_size=4).map(".".join)


@given(trust_domains, labels, subdomains)
def test_an_id_survives_being_written_and_read(trust_domain: str, namespace: str, service_account: str) -> None:
    spiffe_id = SpiffeId(trust_domain, namespace, service_account)
    assert SpiffeId.parse(str(spiffe_id)) == spiffe_id


@given(st.text())
def test_any_text_is_an_id_in_its_one_spelling_or_an_error(text: str) -> None:
    with contextlib.suppress(SpiffeIdError):
        assert str(SpiffeId.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://example.org/ns/shop/sa/orders",
        "SPIFFE://example.org/ns/shop/sa/orders",
        "spiffe://Example.org/ns/shop/sa/orders",
        "spiffe:///ns/shop/sa/orders",
        "spiffe://user@example.org/ns/shop/sa/orders",
        "spiffe://example.org:8443/ns/shop/sa/orders",
        "spiffe://example.org/ns/shop/sa/orders/",
        "spiffe://example.org/ns/shop//sa/orders",
        "spiffe://example.org/ns/../sa/orders",
        "spiffe://example.org/ns/shop/sa/orders?x=1",
        "spiffe://example.org/ns/shop/sa/orders#x",
        "spiffe://example.org/ns/sh%6fp/sa/orders",
        "spiffe://example.org/ns/shop/sa/orders\n",
        "spiffe://example.org/sa/orders/ns/shop",
        "spiffe://example.org/workload",
        "spiffe://example.org",
        f"spiffe://{'a' * 256}/ns/shop/sa/orders",
        f"spiffe://example.org/ns/{'a' * 64}/sa/orders",
        f"spiffe://example.org/ns/shop/sa/{'a' * 254}",
        f"spiffe://example.org/ns/shop/sa/{'a' * 3000}",
    ],
)
def test_what_the_specification_or_kubernetes_forbids_is_refused(text: str) -> None:
    with pytest.raises(SpiffeIdError):
        SpiffeId.parse(text)


def test_an_error_says_what_is_wrong_and_what_to_write() -> None:
    with pytest.raises(SpiffeIdError, match=r"'Example.org' may hold only lower-case .* such as example\.org"):
        SpiffeId("Example.org", "shop", "orders")
    with pytest.raises(SpiffeIdError, match="write spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT"):
        SpiffeId.parse("spiffe://example.org/workload")


def test_the_trust_domain_has_an_id_without_a_path() -> None:
    assert trust_domain_id("example.org") == "spiffe://example.org"
    with pytest.raises(SpiffeIdError):
        trust_domain_id("")
