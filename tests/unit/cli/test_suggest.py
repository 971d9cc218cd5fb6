"""``lawflow suggest``: fields from samples, and how it ends."""

import json
from pathlib import Path

import pytest
import yaml
from tests.support.cli import Run

pytestmark = pytest.mark.unit

SAMPLE = b"""\
{"customer": {"id": 10293, "email": "jane@example.org", "tags": []}, "items": [{"sku": "A1"}, {"sku": "B2", "price": 5}
 ], "visits": {"2026-11-01": 2, "2026-11-02": 7}}
"""
FLOW = {
    "apiVersion": "lawflow.dev/v1alpha1",
    "kind": "DataFlow",
    "metadata": {"name": "f"},
    "spec": {
        "source": {"serviceAccountName": "a"},
        "destination": {"service": {"name": "b", "port": 80}, "role": "sameController"},
        "purposes": [{"purpose": "dpv:PaymentManagement"}],
    },
}


def test_the_fields_of_a_sample_are_proposed_without_its_values(run: Run) -> None:
    result = run("suggest", input=SAMPLE)
    assert result.code == 0
    assert yaml.safe_load(result.out)["fields"] == [
        {"pointer": "/customer/id", "category": "pd:TODO"},
        {"pointer": "/customer/email", "category": "pd:EmailAddress"},
        {"pointer": "/items/*/sku", "category": "pd:TODO"},
        {"pointer": "/items/*/price", "category": "pd:TODO"},
        {"pointer": "/visits/*", "category": "pd:TODO"},
    ]
    assert "# empty in all samples, so its fields are not known: /customer/tags" in result.out
    assert "4 of 5 categories are yours to decide" in result.err
    for value in ("10293", "jane", "A1", "B2", "5", "2026", "7"):
        assert value not in result.out


def test_samples_add_up_in_files_and_in_lines(run: Run, tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text('{"a": 1}')
    (tmp_path / "two.ndjson").write_text('{"b": 1}\n{"c": 1}\n')
    files = str(tmp_path / "one.json"), str(tmp_path / "two.ndjson")
    result = run("suggest", "--response", *files, "-", input=b'{"d": 1}')
    found = yaml.safe_load(result.out)["response"]["fields"]
    assert [field["pointer"] for field in found] == ["/a", "/b", "/c", "/d"]


def test_check_refuses_what_is_left_to_decide_and_nothing_else_of_it(run: Run, tmp_path: Path) -> None:
    proposed = yaml.safe_load(run("suggest", "--request", input=SAMPLE).out)
    flow = FLOW | {"spec": FLOW["spec"] | {"operations": [{"name": "o", "path": "/", **proposed}]}}  # type: ignore[operator]
    (tmp_path / "flow.yaml").write_text(yaml.safe_dump(flow))
    checked = run("check", "-f", str(tmp_path), "-o", "json", "--today", "2026-11-01")
    unknown = [
        (each["path"], each["severity"])
        for each in json.loads(checked.out)["findings"]
        if "pd:TODO" in each["message"] and "category" in each["path"]
    ]
    assert unknown == [(f".spec.operations[0].request.fields[{place}].category", "deny") for place in (0, 2, 3, 4)]


def test_under_the_proposed_fields_every_leaf_of_the_sample_passes(run: Run, tmp_path: Path) -> None:
    proposed = yaml.safe_load(run("suggest", "--request", input=SAMPLE).out)
    flow = FLOW | {"spec": FLOW["spec"] | {"operations": [{"name": "o", "path": "/", **proposed}]}}  # type: ignore[operator]
    (tmp_path / "flow.yaml").write_text(yaml.safe_dump(flow))
    passed = run("minimize", "-f", str(tmp_path), "--flow", "f", "--operation", "o", input=SAMPLE)
    assert passed.code == 0
    expected = json.loads(SAMPLE)
    del expected["customer"]["tags"]
    assert json.loads(passed.out) == expected


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"a": secret}', "no JSON from line 1, column 7"),
        (b'"secret"', "a single value, which has no fields"),
        (b"", "no JSON"),
        (b"\xff secret", "not UTF-8"),
    ],
)
def test_a_sample_that_cannot_be_used_ends_with_2_and_is_not_quoted(run: Run, body: bytes, told: str) -> None:
    result = run("suggest", input=body)
    assert (result.code, result.out) == (2, "")
    assert told in result.err
    assert "secret" not in result.err


def test_a_file_that_is_not_there_ends_with_2(run: Run) -> None:
    result = run("suggest", "/nowhere.json")
    assert (result.code, result.out) == (2, "")
    assert "/nowhere.json: no such file or directory" in result.err


def test_more_fields_than_a_message_can_declare_are_told_of(run: Run) -> None:
    body = json.dumps({f"{first}{second}": 1 for first in "abcdefghijklmnopq" for second in "abcdefghijklmnopq"})
    result = run("suggest", input=body.encode())
    assert "289 fields are more than one message can declare (256)" in result.err
