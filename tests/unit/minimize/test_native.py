"""The sidecar's core in Python: one message is admitted, filtered or refused, as in Envoy (tests/envoy)."""

import gzip
import json
from typing import Any

import pytest

from lawflow.native.minimizer import Exchange, Message, Policy, PolicyError, RefusedError

pytestmark = pytest.mark.unit

ORDERS = "spiffe://cluster.local/ns/shop/sa/orders"
BILLING = "spiffe://cluster.local/ns/shop/sa/billing"
SECRET = "07" * 32
JSON = [("content-type", "application/json")]


def policy(peer: str = "own", **operation: Any) -> str:
    """A policy of one flow with one operation; members that are not given are the simplest that pass."""
    simplest = {"name": "pay", "methods": ["POST"], "path": "/pay/{id}", "purposes": ["dpv:PaymentManagement"]}
    flow = {"name": "shop/orders-to-billing", "source": ORDERS, "operations": [simplest | operation]}
    enforced_by = ORDERS if peer == "own" else BILLING
    head = {"schema": 1, "port": "shop/billing:80", "enforcedBy": enforced_by, "peer": peer, "notAfter": 100}
    return json.dumps(head | {"flows": [flow]})


def admitted(
    text: str, path: str = "/pay/7", headers: Any = JSON, *, peer: str | None = ORDERS, now: int = 99
) -> Exchange:
    return Policy(text).admit("POST", path, headers, peer=peer, now=now)


def passed(message: Message, body: bytes, size: int) -> bytes:
    pieces = [message.feed(body[start : start + size]) for start in range(0, len(body), size)]
    return b"".join(pieces) + message.finish()


def test_a_policy_says_where_it_applies() -> None:
    read = Policy(policy())
    assert (read.port, read.enforced_by, read.is_source) == ("shop/billing:80", ORDERS, True)
    assert not Policy(policy("certified")).is_source


@pytest.mark.parametrize("text", ["", "{}", "[]", policy().replace('"schema": 1', '"schema": 3'), policy(more=SECRET)])
def test_what_is_no_policy_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(PolicyError, match="the policy cannot be applied") as told:
        Policy(text)
    assert isinstance(told.value, ValueError)
    assert SECRET not in str(told.value)


def test_a_request_is_admitted_to_its_operation_until_the_policy_ends() -> None:
    exchange = admitted(policy())
    assert (exchange.flow, exchange.operation) == ("shop/orders-to-billing", "pay")
    assert (exchange.purpose, exchange.streams) == ("dpv:PaymentManagement", False)
    with pytest.raises(RefusedError) as late:
        admitted(policy(), now=100)
    assert (late.value.rule, late.value.status) == ("policy-expired", 403)


def test_a_refusal_carries_the_problem_document() -> None:
    with pytest.raises(RefusedError) as told:
        admitted(policy(), path="/customers/jane.doe@example.org")
    document = json.loads(told.value.document)
    assert document["type"] == "https://lawflow.dev/problems/undeclared-operation"
    assert (document["status"], document["enforcedBy"]) == (403, ORDERS)
    assert "jane" not in f"{told.value!r} {document}"


def test_the_receiver_believes_the_callers_certificate_and_no_header() -> None:
    admitted(policy("certified"))
    with pytest.raises(RefusedError):
        admitted(policy("certified"), peer="spiffe://cluster.local/ns/shop/sa/other")
    with pytest.raises(RefusedError):
        admitted(policy("certified"), peer=None)


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_declared_fields_headers_and_parameters_pass_in_chunks_of_any_size(size: int) -> None:
    request = {
        "fields": [{"pointer": "/customer/id"}, {"pointer": "/name", "protect": "mask"}],
        "headers": [{"name": "X-Order"}, {"name": "x-user", "protect": "truncate"}],
        "query": [{"name": "lang"}, {"name": "zip", "protect": "mask"}],
    }
    headers = [*JSON, ("Cookie", "a=b"), ("X-Order", "7"), ("X-User", "annabel"), ("content-length", "55")]
    message = admitted(policy(request=request), "/pay/7?lang=nl&email=a&zip=1012", headers).request()
    assert message.path == "/pay/7?lang=nl&zip=%2A%2A%2A%2A"
    assert message.dropped_headers == [("cookie", "undeclared"), ("content-length", "recomputed")]
    assert message.changed_headers == [("x-user", "truncate")]
    body = passed(message, b'{"customer":{"id":7,"email":"x"},"name":"Anna","more":[1,{}]}', size)
    assert body == b'{"customer":{"id":7},"name":"****"}'
    assert message.headers == [
        ("content-type", "application/json"),
        ("x-order", "7"),
        ("x-user", "ann"),
        ("lawflow-purpose", "dpv:PaymentManagement"),
        ("content-length", str(len(body))),
    ]


def test_the_receiver_tells_its_app_the_purpose_and_not_the_flow() -> None:
    headers = [("lawflow-purpose", "dpv:PaymentManagement"), ("lawflow-flow", "shop/orders-to-billing"), ("x", "y")]
    message = admitted(policy("certified"), headers=headers).request()
    assert message.headers == [("lawflow-purpose", "dpv:PaymentManagement"), ("x", "y")]
    assert passed(message, b"whatever the sender has filtered", 7) == b"whatever the sender has filtered"


def test_a_response_is_filtered_by_the_receiver_for_the_subject_of_its_request() -> None:
    response = {"fields": [{"pointer": "/ok"}, {"pointer": "/file", "protect": "encrypt"}]}
    keys = [{"usage": "encrypt", "id": "k", "secret": SECRET}]
    subject = {"in": "path", "name": "id"}

    def header_of(path: str) -> str:
        exchange = admitted(policy("certified", response=response, keys=keys, subject=subject), path)
        message = exchange.response([*JSON, ("set-cookie", "a=b")])
        body = json.loads(passed(message, b'{"ok":true,"file":"flu","subject":"anna"}', 9))
        assert message.dropped_headers == [("set-cookie", "undeclared")]
        assert list(body) == ["ok", "file"]
        return str(body["file"].partition("..")[0])

    assert header_of("/pay/anna") == header_of("/pay/anna")
    assert header_of("/pay/anna") != header_of("/pay/bert")


def test_the_subject_that_a_request_body_names_counts_for_the_response() -> None:
    payload = {"fields": [{"pointer": "/file", "protect": "encrypt"}]}
    keys = [{"usage": "encrypt", "id": "k", "secret": SECRET}]
    text = policy(request=payload, response=payload, keys=keys, subject={"in": "body", "name": "/who"})

    def key_id(subject: bytes) -> str:
        exchange = admitted(text)
        passed(exchange.request(), b'{"who":"' + subject + b'"}', 9)
        body = json.loads(passed(exchange.response(JSON), b'{"file":"flu"}', 9))
        return str(body["file"].partition("..")[0])

    assert key_id(b"anna") == key_id(b"anna")
    assert key_id(b"anna") != key_id(b"bert")


def test_a_header_that_names_the_subject_twice_is_refused() -> None:
    text = policy(subject={"in": "header", "name": "X-Patient"})
    assert admitted(text, headers=[("x-patient", "anna")]).operation == "pay"
    with pytest.raises(RefusedError) as told:
        admitted(text, headers=[("x-patient", "anna"), ("X-Patient", "bert")])
    assert (told.value.rule, told.value.status) == ("duplicate-name", 422)
    assert b"anna" not in told.value.document


def test_a_compressed_body_leaves_as_what_it_is() -> None:
    text = policy(request={"fields": [{"pointer": "/a"}]})
    message = admitted(text, headers=[*JSON, ("content-encoding", "gzip")]).request()
    assert passed(message, gzip.compress(b'{"a":1,"b":2}'), 3) == b'{"a":1}'
    assert message.dropped_headers == [("content-encoding", "decoded")]


def test_a_body_of_which_nothing_is_declared_goes_with_its_media_type() -> None:
    message = admitted(policy(request={})).request()
    assert message.drops_body
    assert passed(message, b"not even JSON", 4) == b""
    assert message.dropped_headers == [("content-type", "no-body")]
    assert message.headers[-1] == ("content-length", "0")


@pytest.mark.parametrize(
    ("headers", "body", "rule", "status"),
    [
        (JSON, b'{"a":"secret value"', "body-truncated", 422),
        (JSON, b'{"a":1,"a":"secret value"}', "duplicate-name", 422),
        (JSON, b'"secret value"', "undeclared-document", 422),
        ([("content-type", "text/plain")], b"secret value", "content-type", 415),
        ([*JSON, *JSON], b"{}", "content-type", 415),
        ([*JSON, ("content-encoding", "br")], b"secret value", "content-encoding", 415),
    ],
)
def test_a_body_that_cannot_be_minimized_is_refused_without_a_word_of_it(
    headers: list[tuple[str, str]], body: bytes, rule: str, status: int
) -> None:
    with pytest.raises(RefusedError) as told:
        passed(admitted(policy(request={"fields": [{"pointer": "/a"}]}), headers=headers).request(), body, 4)
    assert (told.value.rule, told.value.status) == (rule, status)
    assert "secret" not in f"{told.value!r} {told.value.document!r}"


def test_a_body_that_was_refused_or_has_ended_takes_nothing_more() -> None:
    text = policy(request={"fields": [{"pointer": "/a"}]})
    message = admitted(text).request()
    with pytest.raises(RefusedError) as told:
        message.feed(b'{"a":1]')
    assert told.value.passed == 0
    for ended in (message, admitted(text).request(has_body=False)):
        with pytest.raises(ValueError, match="has ended already"):
            ended.feed(b"{}")


def test_explanations_are_told_how_a_value_is_changed() -> None:
    request = {
        "fields": [{"pointer": "/a/*/b", "protect": "mask"}, {"pointer": "/c"}],
        "query": [{"name": "d*", "protect": "truncate"}],
    }
    message = admitted(policy(request=request)).request()
    assert message.field_protection(["a", None, "b"]) == "mask"
    assert message.field_protection(["a", "any", "b"]) == "mask"
    for path in (["c"], ["a"], ["x", "y"], [None], []):
        assert message.field_protection(path) is None
    assert message.query_protection("d*") == "truncate"
    assert message.query_protection("d") is None
