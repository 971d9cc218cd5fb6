"""``lawflow minimize``: what leaves, what is told of the rest, and how it ends."""

import gzip
import json
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from tests.support.cli import Result, Run

from lawflow.manifest import read
from lawflow.mesh.keys import KeyRing
from lawflow.mesh.policy import Terms, policy
from lawflow.mesh.sidecar import MeshSettings, Passage, destination_of, sidecar, source_of
from lawflow.model.base import CustomResource
from lawflow.model.operation import Operation, Payload
from lawflow.model.parse import is_custom, parse
from lawflow.native.minimizer import Policy
from lawflow.resolve import Objects, ResolvedFlow, resolve

pytestmark = pytest.mark.unit

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
SHOP = str(EXAMPLES / "shop" / "lawful")
TODAY = ("--today", "2026-11-01")
PAY = ("minimize", "-f", SHOP, "--flow", "orders-to-psp", "--operation", "create-charge", *TODAY)
SECRET = b"\7" * 32
JSON = ("content-type", "application/json")
BODY = (
    b'{"customer": {"id": "c-1", "email": "jane@example.org", "name": "Jane"}, "amount": 3, "items": [{"sku": 1}, 2]}'
)


def manifest(folder: Path, *, fields: Any = (), **operation: Any) -> str:
    """A folder with one flow in it, to a Service of its own namespace; returns its name."""
    request = {"fields": list(fields)}
    flow = {
        "apiVersion": "lawflow.dev/v1alpha1",
        "kind": "DataFlow",
        "metadata": {"name": "orders-to-billing"},
        "spec": {
            "source": {"serviceAccountName": "orders"},
            "destination": {"service": {"name": "billing", "port": 80}, "role": "sameController"},
            "operations": [{"name": "pay", "path": "/pay", "request": request} | operation],
        },
    }
    (folder / "flow.yaml").write_text(yaml.safe_dump(flow))
    return str(folder)


def tried(run: Run, folder: str, *arguments: str, body: bytes = b"{}") -> Result:
    words = ("minimize", "-f", folder, "--flow", "orders-to-billing", "--operation", "pay", *TODAY)
    return run(*words, *arguments, input=body)


def dropped(result: Result) -> list[tuple[str, str, str]]:
    return [(each["in"], each["name"], each["reason"]) for each in json.loads(result.out)["dropped"]]


def test_what_leaves_is_on_standard_output_byte_for_byte(run: Run) -> None:
    result = run(*PAY, input=BODY)
    assert (result.code, result.out) == (0, '{"customer":{"id":"c-1","email":"jane@example.org"},"amount":3}')


def test_what_does_not_is_told_by_name_and_reason(run: Run) -> None:
    result = run(*PAY, "--header", "Cookie: a=b", "--path", "/v1/charges/7?ref=8", input=BODY)
    assert result.code == 0
    assert [line.split(maxsplit=3) for line in result.err.splitlines() if line.startswith("  ")] == [
        ["dropped", "header", "cookie", "not declared"],
        ["dropped", "query", "ref", "not declared"],
        ["dropped", "field", "/customer/name", "not declared"],
        ["dropped", "field", "/items/*/sku", "not declared"],
        ["dropped", "field", "/items/*", "not declared"],
    ]


def test_no_value_is_on_standard_error(run: Run) -> None:
    body = b'{"customer":{"name":"secret-a"},"secret-10001":"secret-b","secret@example.org":{"c":"secret-d"},"e":[77]}'
    words = ("--header", "x: secret-f", "--path", "/v1/charges/secret-g?h=secret-i&secret-20002")
    result = run(*PAY, *words, input=body)
    assert result.code == 0
    assert "/customer/name" in result.err
    assert "secret" not in result.err
    assert "77" not in result.err


def test_changed_values_are_told_with_their_protection(run: Run, tmp_path: Path) -> None:
    fields = [
        {"pointer": "/zip", "category": "pd:PostalCode", "protect": "truncate"},
        {"pointer": "/who/*/id", "category": "pd:UID", "protect": "pseudonymize"},
        {"pointer": "/gone", "category": "none", "protect": "drop"},
    ]
    request = {
        "fields": fields,
        "headers": [{"name": "X-User", "category": "pd:UID", "protect": "mask"}],
        "query": [{"name": "to", "category": "pd:EmailAddress", "protect": "mask"}],
    }
    body = b'{"zip":"1012AB","who":[{"id":1},{"id":2}],"gone":[],"gone":5}'
    arguments = ("--header", "x-user: Anna", "--path", "/pay?to=a%40b", "-o", "json")
    result = tried(run, manifest(tmp_path, request=request), *arguments, body=body)
    document = json.loads(result.out)
    assert document["changed"] == [
        {"in": "header", "name": "x-user", "protect": "mask"},
        {"in": "query", "name": "to", "protect": "mask"},
        {"in": "field", "name": "/zip", "protect": "truncate"},
        {"in": "field", "name": "/who/*/id", "protect": "pseudonymize"},
    ]
    assert dropped(result) == [("field", "/gone", "drop"), ("field", "/gone", "empty")]
    assert document["path"] == "/pay?to=%2A%2A%2A"
    assert {"name": "x-user", "value": "****"} in document["headers"]
    assert "random key of this run" in result.err
    again = json.loads(tried(run, str(tmp_path), *arguments, body=body).out)
    assert again["body"] != document["body"]


def test_a_flow_without_keys_says_nothing_of_keys(run: Run) -> None:
    assert "key" not in run(*PAY, input=BODY).err


def test_a_refused_message_ends_with_1_and_the_problem_document(run: Run) -> None:
    result = run(*PAY, input=b'{"amount":1,"amount":"secret"}')
    assert result.code == 1
    document = json.loads(result.out)
    assert document["type"] == "https://lawflow.dev/problems/duplicate-name"
    assert document["status"] == 422
    assert "is refused: duplicate-name" in result.err
    assert "secret" not in result.err + result.out


def test_refusals_in_json_have_the_problem_in_them(run: Run) -> None:
    result = run(*PAY, "-o", "json", "--content-type", "text/plain", input=b"x")
    document = json.loads(result.out)
    assert (result.code, document["passes"]) == (1, False)
    assert (document["problem"]["status"], document["bytesLeft"]) == (415, 0)


def test_of_a_stream_it_is_told_how_much_has_left(run: Run, tmp_path: Path) -> None:
    folder = manifest(tmp_path, fields=[{"pointer": "/a", "category": "none"}], stream=True)
    result = tried(run, folder, "--content-type", "application/x-ndjson", body=b'{"a":1}\n{"b":2}\n{"a":')
    assert result.code == 1
    assert "the sidecar breaks the stream off" in result.err


def test_a_response_is_filtered_by_its_own_fields(run: Run) -> None:
    result = run(*PAY, "--response", "--header", "Set-Cookie: a=b", "-o", "json", input=b'{"charge":{"id":1,"x":2}}')
    assert json.loads(result.out)["body"] == '{"charge":{"id":1}}'
    assert dropped(result) == [("header", "set-cookie", "undeclared"), ("field", "/charge/x", "undeclared")]


def test_purposes_count_as_in_the_mesh(run: Run) -> None:
    words = ("minimize", "-f", SHOP, "--flow", "shop/orders-to-billing", "--operation", "create-invoice", *TODAY)
    unnamed = run(*words, input=b"{}")
    assert (unnamed.code, json.loads(unnamed.out)["status"]) == (1, 403)
    assert "--purpose" in unnamed.err
    named = run(*words, "--purpose", "dpv:LegalCompliance", input=b"{}")
    assert (named.code, named.out) == (0, "{}")


def test_a_body_of_which_nothing_is_declared_is_dropped_field_by_field_or_as_a_whole(run: Run, tmp_path: Path) -> None:
    folder = manifest(tmp_path)
    assert ("field", "/a/*", "undeclared") in dropped(tried(run, folder, "-o", "json", body=b'{"a":[1]}'))
    text = tried(run, folder, body=b"\xff")
    assert (text.code, text.out) == (0, "")
    assert "(the whole body)" in text.err


def test_forms_and_compressed_bodies_are_compared_as_what_they_mean(run: Run, tmp_path: Path) -> None:
    folder = manifest(tmp_path, fields=[{"pointer": "/a", "category": "none"}])
    form = tried(
        run, folder, "-o", "json", "--content-type", "application/x-www-form-urlencoded", body=b"a=1&b+c=2&%61b=3"
    )
    assert json.loads(form.out)["body"] == "a=1"
    assert dropped(form) == [("field", "/b c", "undeclared"), ("field", "/ab", "undeclared")]
    zipped = tried(
        run, folder, "-o", "json", "--header", "Content-Encoding: gzip", body=gzip.compress(b'{"a":1,"b":2}')
    )
    assert json.loads(zipped.out)["body"] == '{"a":1}'
    assert ("field", "/b", "undeclared") in dropped(zipped)


def test_a_request_without_a_body_is_its_head_alone(run: Run) -> None:
    result = run(*PAY, "-o", "json")
    document = json.loads(result.out)
    assert (result.code, document["body"], document["dropped"]) == (0, "", [])
    assert "content-type" not in [each["name"] for each in document["headers"]]


def test_an_unlawful_flow_is_tried_all_the_same_and_said_to_be_closed(run: Run) -> None:
    unlawful = str(EXAMPLES / "shop" / "unlawful")
    words = ("--flow", "orders-to-psp", "--operation", "create-charge", "--purpose", "dpv:PaymentManagement", *TODAY)
    result = run("minimize", "-f", unlawful, *words, input=BODY)
    assert (result.code, json.loads(result.out)["amount"]) == (0, 3)
    assert "`lawflow check` finds the flow shop/orders-to-psp unlawful" in result.err
    assert "GDPR-" in result.err
    assert "unlawful" not in run(*PAY, input=BODY).err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--flow", "orders-to-pps", "--operation", "x"), "did you mean shop/orders-to-psp?"),
        (("--flow", "shop/order-to-psp", "--operation", "x"), "did you mean shop/orders-to-psp?"),
        (("--flow", "zzz", "--operation", "x"), "name files with -f"),
        (("--flow", "orders-to-psp", "--operation", "create-charges"), "did you mean create-charge?"),
        (("--flow", "orders-to-psp", "--operation", "zzz"), "it has create-charge"),
        (("--flow", "orders-to-psp", "--operation", "create-charge", "--header", "x"), "write 'Name: value'"),
        (("--flow", "orders-to-psp", "--operation", "create-charge", "-f", "-"), "standard input is for the body"),
    ],
)
def test_what_is_not_there_ends_with_2_and_a_hint(run: Run, arguments: tuple[str, ...], told: str) -> None:
    result = run("minimize", "-f", SHOP, *arguments, *TODAY)
    assert (result.code, result.out) == (2, "")
    assert told in result.err


def test_broken_manifests_end_with_2(run: Run, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("a: [")
    result = tried(run, str(tmp_path))
    assert (result.code, result.out) == (2, "")
    assert "broken.yaml" in result.err
    assert "1 problem to correct first" in result.err


def test_a_name_in_several_namespaces_has_to_be_told_apart(run: Run, tmp_path: Path) -> None:
    manifest(tmp_path)
    flow = yaml.safe_load((tmp_path / "flow.yaml").read_text())
    flow["metadata"]["namespace"] = "other"
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(flow))
    result = tried(run, str(tmp_path))
    assert result.code == 2
    assert "default/orders-to-billing, other/orders-to-billing" in result.err


def test_a_path_of_another_operation_ends_with_2(run: Run, tmp_path: Path) -> None:
    manifest(tmp_path, path="/pay/{id}")
    flow = yaml.safe_load((tmp_path / "flow.yaml").read_text())
    flow["spec"]["operations"].append({"name": "refund", "path": "/pay/refund"})
    (tmp_path / "flow.yaml").write_text(yaml.safe_dump(flow))
    result = tried(run, str(tmp_path), "--path", "/pay/refund")
    assert result.code == 2
    assert "belongs to the operation refund and not to pay" in result.err


def test_a_flow_in_which_fields_cannot_be_told_ends_with_2(run: Run, tmp_path: Path) -> None:
    manifest(tmp_path)
    flow = yaml.safe_load((tmp_path / "flow.yaml").read_text())
    flow["spec"]["destination"]["service"]["protocol"] = "tcp"
    (tmp_path / "flow.yaml").write_text(yaml.safe_dump(flow))
    result = tried(run, str(tmp_path))
    assert result.code == 2
    assert "protocol is tcp" in result.err


class Case(NamedTuple):
    """One direction of an operation of an example."""

    folder: str
    flow: ResolvedFlow
    operation: Operation
    direction: str

    @property
    def name(self) -> str:
        return f"{self.flow.namespace}/{self.flow.flow.metadata.name}"

    @property
    def payload(self) -> Payload:
        return getattr(self.operation, self.direction) or Payload()


def _flows(folder: Path) -> list[ResolvedFlow]:
    objects: list[CustomResource] = []
    for file in sorted(folder.glob("*.yaml")):
        objects += [parse(each.object) for each in read(file.read_bytes(), file.name).objects if is_custom(each.object)]
    return resolve(Objects(objects))


def _cases() -> Iterator[Case]:
    for folder in sorted(EXAMPLES.glob("*/*lawful")):
        for flow in _flows(folder):
            for operation in flow.flow.spec.operations:
                for direction in ("request", "response"):
                    yield Case(str(folder), flow, operation, direction)


CASES = list(_cases())


def _policy(case: Case) -> dict[str, Any]:
    """The policy as the mesh writes it of all flows of the example, each of them open."""
    opened = [Passage(ResolvedFlow(each.flow)) for each in _flows(Path(case.folder))]
    source, receiver = source_of(case.flow), destination_of(case.flow)
    terms = Terms(9, KeyRing.at(SECRET, 0))
    if case.direction == "request" or receiver is None:
        outbound = [each.port for each in sidecar(source, opened, MeshSettings()).outbound]
        (port,) = [port for port in outbound if case.name in [rule.flow for rule in port.rules]]
        return policy(port, "outbound", source.spiffe_id("cluster.local"), terms)
    inbound = [each.port for each in sidecar(receiver, opened, MeshSettings()).inbound]
    (port,) = [port for port in inbound if case.name in [rule.flow for rule in port.rules]]
    return policy(port, "inbound", port.peer, terms)


def _body(payload: Payload) -> bytes:
    """A document with every declared field, and as many that are not."""
    document: dict[str, Any] = {"undeclared": [1, {"more": "x"}]}
    for field in payload.fields:
        here, *names = document, *field.pointer.split("/")[1:]
        for name, following in zip(names, [*names[1:], None], strict=True):
            if following is None:
                here[name] = "1984-02-29"
            elif following == "*":
                here = here.setdefault(name, [{"undeclared": None}])[0]
            elif name != "*":
                here = here.setdefault(name, {"undeclared": 7})
    return json.dumps(document).encode()


def _expected(case: Case, purpose: str, body: bytes) -> bytes:
    source = source_of(case.flow).spiffe_id("cluster.local")
    path = case.operation.path.replace("{", "").replace("}", "")
    headers = [JSON, ("lawflow-purpose", purpose)]
    exchange = Policy(json.dumps(_policy(case))).admit(case.operation.methods[0], path, headers, peer=source, now=1)
    message = exchange.request() if case.direction == "request" else exchange.response([JSON])
    return b"".join(message.feed(body[at : at + 1]) for at in range(len(body))) + message.finish()


def _without_nonces(body: str) -> str:
    """An encrypted value is another one each time; the head of its JWE, which names its key, is not."""
    return re.sub(r'"(eyJ[^."]+)\.\.[^"]+"', r'"\1"', body)


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{Path(case.folder).parent.name}-{case.flow.flow.metadata.name}-{case.direction}"
)
def test_of_every_example_exactly_that_leaves_which_the_core_lets_through(
    run: Run, monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    monkeypatch.setattr(secrets, "token_bytes", lambda _: SECRET)
    purpose = case.flow.flow.spec.purposes[0].purpose
    body = _body(case.payload)
    result = run(
        "minimize", "-f", case.folder, "--flow", case.name,
        "--operation", case.operation.name, "--purpose", purpose, *TODAY,
        *(["--response"] if case.direction == "response" else []), input=body,
    )  # fmt: skip
    assert result.code == 0, result.err
    assert _without_nonces(result.out) == _without_nonces(_expected(case, purpose, body).decode())
    takes_all = any(field.pointer == "/**" for field in case.payload.fields)
    assert ("undeclared" in result.out) == takes_all
    assert ("{" in result.out) == bool(case.payload.fields)


def test_the_examples_have_cases_of_both_directions_and_of_both_kinds_of_destination() -> None:
    assert len(CASES) >= 16
    assert {case.flow.flow.spec.destination.external is None for case in CASES} == {True, False}
