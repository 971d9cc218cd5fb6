"""Which names become stars, and how places are called."""

import json
from typing import Any

import pytest

from lawflow.minimize.document import DocumentError, by_path, documents
from lawflow.minimize.shape import fields_of, looks_like_value

pytestmark = pytest.mark.unit


def pointers(*samples: Any) -> list[str]:
    text = b"\n".join(json.dumps(sample).encode() for sample in samples)
    return list(fields_of(documents(text)).pointers())


def test_a_field_is_a_pointer_to_a_single_value() -> None:
    assert pointers({"a": 1, "b": {"c": None, "d": True}}) == ["/a", "/b/c", "/b/d"]


def test_elements_of_arrays_share_a_star() -> None:
    assert pointers({"a": [{"b": 1}, {"c": 2}, 3], "d": [[1]]}) == ["/a/*", "/a/*/b", "/a/*/c", "/d/*/*"]
    assert pointers([{"a": 1}]) == ["/*/a"]


def test_names_are_escaped() -> None:
    assert pointers({"a/b": 1, "m~n": 2, "*": 3, "": 4}) == ["/a~1b", "/m~0n", "/~2", "/"]


@pytest.mark.parametrize(
    "name",
    [
        "7",
        "-1.5",
        "2026-11-24",
        "2026-11-24T10:00:00Z",
        "192.0.2.7",
        "2001:db8::1",
        "+31 20 123 4567",
        "jane.doe@example.org",
        "order-10293",
        "0c1d2e3f-0000-4000-8000-00000000000a",
        "a" * 65,
    ],
)
def test_a_name_that_looks_like_a_value_becomes_a_star(name: str) -> None:
    assert looks_like_value(name)
    assert pointers({"m": {name: {"x": 1}}}) == ["/m/*/x"]


@pytest.mark.parametrize(
    "name", ["email", "@context", "$ref", "line_1", "sha256", "first name", "größe", "x-1", "deed"]
)
def test_a_name_that_does_not_stays(name: str) -> None:
    assert not looks_like_value(name)


def test_names_beside_such_a_name_stay() -> None:
    assert pointers({"name": 1, "2026": 2}) == ["/name", "/*"]


def words(count: int, start: int = 0) -> list[str]:
    return [f"{first}{second}{third}" for first in "abcd" for second in "efgh" for third in "ijkl"][
        start : start + count
    ]


def test_many_names_that_lead_to_objects_of_one_form_are_a_map() -> None:
    assert pointers({"m": {name: {"x": 1, "y": [2]} for name in words(16)}}) == ["/m/*/x", "/m/*/y/*"]
    assert len(pointers({"m": {name: {"x": 1} for name in words(15)}})) == 15
    assert len(pointers({"m": {name: {name: 1} for name in words(16)}})) == 16


def test_many_single_values_are_a_map_only_where_the_names_vary_from_sample_to_sample() -> None:
    assert len(pointers({"m": dict.fromkeys(words(40), 1)})) == 40
    varying = [{"m": dict.fromkeys(words(8, start), 1)} for start in (0, 8, 16)]
    assert pointers(*varying) == ["/m/*"]


def test_a_body_as_a_whole_is_never_a_map() -> None:
    """Records of several kinds in one stream have names that vary, too; a star would let all of them pass."""
    assert len(pointers(*(dict.fromkeys(words(8, start), 1) for start in (0, 8, 16)))) == 24


def test_what_was_always_empty_is_told() -> None:
    fields = fields_of(documents(b'{"a":[],"b":{"c":{}},"d":1}'))
    assert list(fields.hollow()) == ["/a", "/b/c"]
    assert list(fields.pointers()) == ["/d"]


def test_lines_are_documents() -> None:
    assert [len(documents(text)) for text in (b"{}", b"{}\n{}\n\n{}", b'{"a":\n1}')] == [1, 3, 1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b'{"a": secret}', "line 1, column 7"),
        (b'{"a":1}\n{"b": secret}', "line 2: it is no JSON from line 1, column 7"),
        (b'"\\secret"', "line 1, column"),
        (b"\xff", "UTF-8"),
        (b"[NaN]", "a number that JSON does not have"),
        (b"[" * 100_000, "nested too deeply"),
        (b"", "line 1, column 1"),
    ],
)
def test_a_broken_text_is_told_by_its_place_alone(text: bytes, told: str) -> None:
    with pytest.raises(DocumentError, match=told) as error:
        documents(text)
    assert "secret" not in str(error.value)


def test_numbers_of_any_length_are_read() -> None:
    assert list(by_path(documents(b"[" + b"1" * 10_000 + b"]"))) == [(None,)]
