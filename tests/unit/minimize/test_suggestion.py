"""Fields that are proposed, and the categories that names give away."""

import json
from typing import Any

import pytest
import yaml

from lawflow import law
from lawflow.minimize.categories import NAMES, TODO, guess
from lawflow.minimize.document import documents
from lawflow.minimize.suggestion import LONGEST, as_yaml, suggest

pytestmark = pytest.mark.unit

CATEGORIES = law.default_legal_data().vocabulary.category_names


def suggested(sample: Any, part: str | None = None) -> str:
    return "\n".join(as_yaml(suggest(documents(json.dumps(sample).encode()), CATEGORIES), part))


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("email", "pd:EmailAddress"),
        ("billing_email", "pd:EmailAddress"),
        ("customerEmailAddress", "pd:EmailAddress"),
        ("IPAddress", "pd:IPAddress"),
        ("ip_address", "pd:IPAddress"),
        ("postal-code", "pd:PostalCode"),
        ("firstName", "pd:Name"),
        ("user-agent", "pd:UserAgent"),
        ("creditCardNumber", "pd:CreditCardNumber"),
    ],
)
def test_a_name_that_means_one_thing_tells_the_category(name: str, category: str) -> None:
    assert guess(name, CATEGORIES) == category


@pytest.mark.parametrize(
    "name", ["name", "reference", "weight", "emailVerified", "has_email", "id", "", "zip", "address", "capacity", "7"]
)
def test_a_name_that_means_many_things_does_not(name: str) -> None:
    assert guess(name, CATEGORIES) == TODO


def test_only_terms_of_the_vocabulary_are_guessed_and_the_placeholder_is_none() -> None:
    assert set(NAMES.values()) <= set(CATEGORIES)
    assert TODO not in CATEGORIES


def test_the_yaml_is_what_an_operation_declares() -> None:
    text = suggested({"email": "jane@example.org", "items": [{"sku": 3}]}, "request")
    assert text.splitlines() == [
        "request:",
        "  fields:",
        "    - {pointer: /email, category: 'pd:EmailAddress'}",
        "    - {pointer: /items/*/sku, category: 'pd:TODO'} # TODO: category",
    ]
    assert suggested([]) == "fields: []\n  # empty in all samples, so its fields are not known: ''"


@pytest.mark.parametrize("name", ["a: b", "a # b", "'", '"', "{", "a\nb", "\u2028", "\x07", "😀", "yes", "- x"])
def test_any_name_is_written_so_that_yaml_reads_it_back(name: str) -> None:
    sample = {name: 1, "empty": {name: []}}
    assert yaml.safe_load(suggested(sample)) == {"fields": [{"pointer": f"/{name}", "category": TODO}]}
    assert len(suggested(sample).splitlines()) == 3


def test_a_pointer_that_no_flow_can_declare_is_counted() -> None:
    deep: Any = 1
    for _ in range(LONGEST):
        deep = {"a": deep}
    found = suggest(documents(json.dumps({"deep": deep, "b": 1}).encode()), CATEGORIES)
    assert ([field.pointer for field in found.fields], found.too_long) == (["/b"], 1)
