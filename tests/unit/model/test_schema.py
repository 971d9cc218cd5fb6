"""CustomResourceDefinitions: structural, documented, and what the repository keeps of them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from lawflow.cli.generate import GENERATORS, generate
from lawflow.model.kinds import CUSTOM_KINDS, CustomKind
from lawflow.model.schema import custom_resource_definition

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
SCHEMA_KEYWORDS = {
    "type", "description", "properties", "required", "items", "additionalProperties", "enum", "default", "format",
    "pattern", "minLength", "maxLength", "minItems", "maxItems", "maxProperties", "minimum", "maximum",
    "x-kubernetes-validations", "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type",
}  # fmt: skip
kinds = pytest.mark.parametrize("kind", CUSTOM_KINDS, ids=lambda kind: kind.name)


def _nodes(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from _nodes(child, f"{path}.{name}")
    if "items" in node:
        yield from _nodes(node["items"], f"{path}[]")
    if isinstance(node.get("additionalProperties"), dict):
        yield from _nodes(node["additionalProperties"], f"{path}.*")


def _schema(kind: CustomKind) -> dict[str, Any]:
    schema: dict[str, Any] = custom_resource_definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


@pytest.mark.parametrize("generator", GENERATORS)
def test_generated_files_are_what_the_code_says(generator: str) -> None:
    for path, text in GENERATORS[generator]():
        assert (ROOT / path).read_text(encoding="utf-8") == text, f"{path} has drifted: run `make generate`"


def test_no_definition_is_left_of_a_kind_that_is_gone() -> None:
    generated = {Path(path).name for path, _ in GENERATORS["crds"]()}
    assert {file.name for file in (ROOT / "crds").iterdir()} == generated


@kinds
def test_a_generated_definition_is_read_back_as_it_was_written(kind: CustomKind) -> None:
    definition = custom_resource_definition(kind)
    text = next(text for path, text in GENERATORS["crds"]() if path.endswith(f"_{kind.plural}.yaml"))
    assert yaml.safe_load(text) == definition


@kinds
def test_schemas_are_structural(kind: CustomKind) -> None:
    for path, node in _nodes(_schema(kind)):
        assert set(node) <= SCHEMA_KEYWORDS, path
        assert isinstance(node.get("type"), str), path
        assert node["type"] != "null", path


@kinds
def test_every_field_is_documented_for_kubectl_explain(kind: CustomKind) -> None:
    for path, node in _nodes(_schema(kind)):
        if path == ".metadata" or path.endswith(("[]", ".*")):
            continue  # the API server documents metadata; an element is documented by its list
        assert node.get("description", "").strip(), path


@kinds
def test_patterns_stay_within_what_the_api_server_compiles(kind: CustomKind) -> None:
    for path, node in _nodes(_schema(kind)):
        if "pattern" in node:
            re.compile(node["pattern"])
            assert not re.search(r"\(\?[=!<]|\\[1-9]", node["pattern"]), f"{path}: RE2 knows no look-around"


@kinds
def test_lists_and_strings_that_rules_look_at_are_bounded(kind: CustomKind) -> None:
    if kind.name == "FlowIndex":
        return  # no rule of its schema looks at it
    for path, node in _nodes(_schema(kind)["properties"]["spec"], ".spec"):
        if node["type"] == "array":
            assert "maxItems" in node, path
        if node["type"] == "string" and "enum" not in node and "format" not in node:
            assert "maxLength" in node, path


@kinds
def test_defaults_are_scalars_so_that_stored_objects_stay_as_written(kind: CustomKind) -> None:
    for path, node in _nodes(_schema(kind)):
        assert not isinstance(node.get("default"), dict | list), path


def test_constraints_appear_as_cel_with_a_message_that_says_what_to_do() -> None:
    flow = next(kind for kind in CUSTOM_KINDS if kind.name == "DataFlow")
    found = [v for _, node in _nodes(_schema(flow)) for v in node.get("x-kubernetes-validations", ())]
    assert len(found) >= 5
    for validation in found:
        assert "self" in validation["rule"]
        assert "; " in validation["message"]


@kinds
def test_kinds_have_short_names_columns_and_a_status_of_their_own(kind: CustomKind) -> None:
    definition = custom_resource_definition(kind)
    version = definition["spec"]["versions"][0]
    assert version["additionalPrinterColumns"][-1]["name"] == "Age"
    assert definition["spec"]["names"]["categories"] == ["lawflow"]
    if kind.name != "FlowIndex":  # internal: written whole, by the controller alone
        assert version["subresources"] == {"status": {}}
        assert definition["spec"]["names"]["shortNames"]


def test_the_columns_of_a_flow_tell_basis_verdict_enforcement_and_peers() -> None:
    flow = next(kind for kind in CUSTOM_KINDS if kind.name == "DataFlow")
    names = [column["name"] for column in flow.printer_columns]
    assert names == ["Basis", "Lawful", "Enforced", "Ready", "Peers", "Age"]


def test_generate_writes_what_has_changed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "crds").mkdir()
    first = CliRunner().invoke(generate, ["crds", "--directory", str(tmp_path)])
    assert len(first.output.splitlines()) == len(CUSTOM_KINDS)
    (tmp_path / "crds" / "lawflow.dev_datasets.yaml").write_text("drifted")
    again = CliRunner().invoke(generate, ["crds", "--directory", str(tmp_path)])
    assert again.output.splitlines() == ["wrote crds/lawflow.dev_datasets.yaml"]
