"""The rules about what sidecars can apply say what the sidecar's own module says, for each combination."""

import base64
import itertools
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet

from lawflow.law import evaluate
from lawflow.law.example import EXAMPLE_DAY, situation_of
from lawflow.law.rules.sidecar import RULES, tls_terminated
from lawflow.mesh.keys import KeyRing
from lawflow.mesh.policy import Terms, policy
from lawflow.mesh.sidecar import MeshSettings, Passage, sidecar, source_of
from lawflow.native.minimizer import Policy, PolicyError
from lawflow.resolve import resolve_flow

pytestmark = pytest.mark.unit

FOUND = {rule.id for rule in RULES} - {tls_terminated.id}
TERMS = Terms(1, KeyRing(b"m" * 32, 0))
SETTINGS = MeshSettings()


def field(name: str, number: int, kind: str, message: str = "", *, repeated: bool = False) -> FieldDescriptorProto:
    return FieldDescriptorProto(
        name=name,
        number=number,
        type=FieldDescriptorProto.Type.Value(f"TYPE_{kind}"),
        label=FieldDescriptorProto.LABEL_REPEATED if repeated else FieldDescriptorProto.LABEL_OPTIONAL,
        type_name=message or None,
    )


def descriptor_set(*more: FieldDescriptorProto) -> str:
    entry = DescriptorProto(name="TagsEntry", field=[field("key", 1, "STRING"), field("value", 2, "STRING")])
    entry.options.map_entry = True
    order = DescriptorProto(
        name="Order",
        nested_type=[entry],
        field=[
            field("customer_id", 1, "STRING"),
            field("amount", 2, "INT64"),
            field("is_gift", 3, "BOOL"),
            field("notes", 4, "STRING", repeated=True),
            field("tags", 5, "MESSAGE", ".shop.Order.TagsEntry", repeated=True),
            field("again", 6, "MESSAGE", ".shop.Order"),
            *more,
        ],
    )
    found = FileDescriptorSet(file=[FileDescriptorProto(name="shop.proto", package="shop", message_type=[order])])
    return base64.b64encode(found.SerializeToString()).decode()


def says_the_module(changes: Mapping[str, Any]) -> str:
    """Why the policy of the changed example flow cannot be applied; empty where it can."""
    flow, context = situation_of(changes)
    resolved = resolve_flow(flow, context.objects)
    source = source_of(resolved)
    port = sidecar(source, [Passage(resolved)], SETTINGS).outbound[0].port
    open_port = replace(port, rules=tuple(replace(each, closed="") for each in port.rules))
    written = policy(open_port, "outbound", source.spiffe_id(SETTINGS.trust_domain), TERMS)
    (only,) = written["flows"]
    if "closed" in only:
        return str(only["closed"])
    try:
        Policy(json.dumps(written))
    except PolicyError as error:
        return str(error)
    return ""


def say_the_rules(changes: Mapping[str, Any]) -> list[str]:
    flow, context = situation_of(changes)
    return [f"{each.path}: {each.message}" for each in evaluate(flow, context, EXAMPLE_DAY) if each.rule in FOUND]


def agree(changes: Mapping[str, Any]) -> bool:
    """Whether both find fault, or neither; what they say is shown where they differ."""
    module, rules = says_the_module(changes), say_the_rules(changes)
    assert bool(module) == bool(rules), f"{changes}: the module says {module!r}, the rules {rules}"
    return not rules


POINTERS = ("/customer/id", "/items/*", "/items/**", "/**", "/a/**/b", "/a~2b", "/", "/*", "/~0~1")
PROTECTIONS = ("pass", "drop", "mask", "truncate", "generalize", "pseudonymize", "encrypt")
SUBJECTS = (
    None,
    {"in": "none"},
    {"in": "path", "name": "customer"},
    {"in": "query", "name": "customer"},
    {"in": "header", "name": "x-customer"},
    *({"in": "body", "name": name} for name in ("/customer/id", "/customer/**", "/~9", "/**", "/*/id")),
)


@pytest.mark.parametrize("direction", ["request", "response"])
@pytest.mark.parametrize("stream", [False, True])
def test_pointers_protections_subjects_and_streaming(direction: str, stream: bool) -> None:
    outcomes = set()
    for pointer, protect, subject in itertools.product(POINTERS, PROTECTIONS, SUBJECTS):
        declared = {"pointer": pointer, "category": "none", "protect": protect}
        operation = {"operations[0].stream": stream, "operations[0].path": "/charges/{customer}"}
        fields = {f"operations[0].{direction}": {"fields": [declared]}}
        outcomes.add(agree(operation | fields | ({"operations[0].subject": subject} if subject else {})))
    assert outcomes == {True, False}


@pytest.mark.parametrize("kind", ["headers", "query"])
@pytest.mark.parametrize("protect", PROTECTIONS)
def test_a_parameter_of_any_protection_can_be_applied(kind: str, protect: str) -> None:
    declared = {"name": "x-customer", "category": "none", "protect": protect}
    subject = {"in": "body", "name": "/customer/id"}
    changes = {f"operations[0].request.{kind}": [declared], "operations[0].subject": subject}
    assert agree(changes | {"operations[0].stream": True})


IN_MESSAGE = (
    "/customer_id", "/customerId", "/amount", "/is_gift", "/notes", "/notes/*", "/notes/**", "/tags/*", "/tags/**",
    "/tags", "/again", "/again/**", "/again/again/amount", "/again/*", "/nothing", "/customer_id/x", "/*", "/**",
    "/customer_id/**",
)  # fmt: skip


@pytest.mark.parametrize("direction", ["request", "response"])
def test_pointers_into_protocol_buffers(direction: str) -> None:
    outcomes = set()
    for pointer, protect, subject in itertools.product(IN_MESSAGE, PROTECTIONS, (None, *IN_MESSAGE)):
        payload = {
            "message": {"descriptorSet": "shop", "name": "shop.Order"},
            "fields": [{"pointer": pointer, "category": "none", "protect": protect}],
        }
        changes = {
            f"operations[0].{direction}": payload,
            "descriptorSets": [{"name": "shop", "data": descriptor_set()}],
        }
        outcomes.add(agree(changes | ({"operations[0].subject": {"in": "body", "name": subject}} if subject else {})))
    assert outcomes == {True, False}


@pytest.mark.parametrize(
    ("data", "name", "is_good"),
    [
        (descriptor_set(), "shop.Order", True),
        (descriptor_set(), "Order", False),
        (descriptor_set(field("customerId", 7, "STRING")), "shop.Order", False),
        (descriptor_set(field("elsewhere", 7, "MESSAGE", ".other.Message")), "shop.Order", True),
        (descriptor_set(FieldDescriptorProto(name="nothing")), "shop.Order", False),
        (descriptor_set(field("relative", 7, "MESSAGE", "Order")), "shop.Order", False),
        ("AAAA", "shop.Order", False),
        ("A", "shop.Order", False),
        ("", "shop.Order", False),
    ],
)
def test_descriptor_sets(data: str, name: str, is_good: bool) -> None:
    payload = {
        "message": {"descriptorSet": "shop", "name": name},
        "fields": [{"pointer": "/customerId", "category": "none"}],
    }
    changes = {"operations[0].request": payload, "descriptorSets": [{"name": "shop", "data": data}]}
    assert agree(changes) == is_good


def test_a_message_that_passes_as_a_whole_must_be_described_as_a_whole() -> None:
    data = descriptor_set(field("elsewhere", 7, "MESSAGE", ".other.Message"))
    payload = {
        "message": {"descriptorSet": "shop", "name": "shop.Order"},
        "fields": [{"pointer": "/again/**", "category": "none"}],
    }
    assert not agree({"operations[0].request": payload, "descriptorSets": [{"name": "shop", "data": data}]})


def test_a_descriptor_set_that_is_not_declared() -> None:
    assert not agree({"operations[0].request.message": {"descriptorSet": "none", "name": "shop.Order"}})
