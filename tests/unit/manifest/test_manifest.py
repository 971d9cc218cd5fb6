"""Text to objects with lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lawflow.manifest import MAXIMUM_ALIASED_NODES, read

pytestmark = pytest.mark.unit

HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


def _value(scalar: str) -> object:
    (found,) = read(f"{HEAD}data: {scalar}\n", "f.yaml").objects
    return found.object["data"]


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("2027-01-31", "2027-01-31"),
        ("NO", False),
        ("y", True),
        ("'NO'", "NO"),
        ("010", 8),
        ("0x1f", 31),
        ("1e3", 1000.0),
        ("12:30:45", "12:30:45"),
        ("~", None),
        ("!!str 12", "12"),
        ("1.2.3", "1.2.3"),
    ],
)
def test_scalars_mean_what_kubectl_takes_them_for(scalar: str, value: object) -> None:
    assert _value(scalar) == value
    assert type(_value(scalar)) is type(value)


def test_documents_and_lists_yield_their_objects_one_by_one() -> None:
    member = "- {apiVersion: v1, kind: Secret, metadata: {name: %s}}\n"
    text = f"{HEAD}---\n# nothing\n---\napiVersion: v1\nkind: List\nitems:\n{member % 'b'}{member % 'c'}"
    manifest = read(text, "f.yaml")
    assert [found.object["metadata"]["name"] for found in manifest.objects] == ["a", "b", "c"]
    assert not manifest.problems


def test_members_of_a_typed_list_get_its_kind() -> None:
    (found,) = read("apiVersion: apps/v1\nkind: DeploymentList\nitems: [{metadata: {name: a}}]", "f").objects
    assert (found.object["apiVersion"], found.object["kind"]) == ("apps/v1", "Deployment")


def test_json_is_read_with_its_lines() -> None:
    (found,) = read(b'{\n\t"apiVersion": "v1",\n\t"kind": "Pod",\n\t"metadata": {\n"name": "a"}}', "f.json").objects
    assert found.line(".metadata.name") == 5


@pytest.mark.parametrize(
    ("escaped", "means"),
    [(r"\ud83d\ude00", "\U0001f600"), (r"\\ud83d\\ude00", r"\ud83d\ude00"), (r"\\\uD83D\uDE00", "\\\U0001f600")],
)
def test_a_surrogate_pair_of_json_is_one_character(escaped: str, means: str) -> None:
    text = '{"apiVersion": "v1", "kind": "ConfigMap",\n"metadata": {"name": "a"}, "data": {"x": "-"}}'
    (found,) = read(text.replace("-", escaped), "f").objects
    assert found.object["data"] == {"x": means}
    assert found.line(".data.x") == 2


def test_what_looks_like_a_surrogate_pair_in_yaml_stays() -> None:
    (found,) = read(r"{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {x: '\ud83d\ude00'}}", "f").objects
    assert found.object["data"] == {"x": r"\ud83d\ude00"}


@pytest.mark.parametrize("between", ["", "\n", " \n\n", "\n---\n"])
def test_documents_of_json_may_follow_each_other(between: str) -> None:
    one = '{"apiVersion": "v1", "kind": "ConfigMap",\n "metadata": {"name": "%s"}}'
    first, second = read((one + between + one) % ("a", "b"), "f").objects
    assert (first.object["metadata"]["name"], second.object["metadata"]["name"]) == ("a", "b")
    assert second.line(".metadata.name") == 3 + between.count("\n")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "- " * 100_000 + "x", "? " * 100_000 + "x"])
def test_a_text_that_nests_without_end_is_refused_and_ends_no_process(text: str) -> None:
    (problem,) = read(text, "f").problems
    assert "nested deeper than 100 levels" in problem.message


def test_a_field_is_found_at_the_line_of_its_key() -> None:
    text = "---\n" + HEAD + "spec:\n  list:\n  - a: 1\n  - a: 2\n    b:\n      c: 3\n"
    (found,) = read("\n\n---\n" + HEAD + text, "f.yaml").objects[1:]
    first = 8
    assert found.line() == first
    assert found.line(".spec.list[1].b.c") == first + 8
    assert found.line(".spec.list[1].missing.deeper") == first + 6
    assert found.line(".spec.list[7]") == first + 4


def test_a_key_with_dots_is_found() -> None:
    (found,) = read("apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  annotations:\n    x.y/z: a\n", "f").objects
    assert found.line(".metadata.annotations.x.y/z") == 6


def test_an_empty_text_holds_nothing_and_is_no_problem() -> None:
    for text in ("", "# only a comment\n", "---\n---\n", b"\xef\xbb\xbf"):
        assert read(text, "f.yaml") == read("", "f.yaml")
        assert not read(text, "f.yaml").problems


@pytest.mark.parametrize(
    ("text", "line", "path", "message"),
    [
        ("a: 1\na: 2\n", 2, ".a", "the key occurs twice"),
        ("- 1\n", 1, "", "a list, not an object"),
        ("a: 'open\n", 1, "", "not YAML"),
        ("\nkind: {{ .Values.kind }}\n", 2, ".kind", "a key is not a scalar"),
        (b"a: 1\nb: \xff\n", 2, "", "not UTF-8"),
        ("a: &a [*a]\n", 1, ".a[0]", "an alias contains itself"),
        ("a: !!python/object:os.system x\n", 1, ".a", "has no meaning here"),
        ("[" * 200 + "]" * 200, 1, "", "nested deeper"),
        ("kind: Pod\nmetadata: {name: a}\n", 1, ".apiVersion", "required field is missing"),
        ("apiVersion: v1\nkind: Pod\nmetadata:\n  labels: {}\n", 3, ".metadata.name", "required field is missing"),
        ("apiVersion: v1\nkind: Pod\nmetadata:\n  name: 1\n", 4, ".metadata.name", "not a string"),
        ("apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  labels:\n    x: 1\n", 6, ".metadata.labels.x", "string"),
        ("apiVersion: v1\nkind: List\nitems:\n- 1\n", 4, ".items[0]", "not an object"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(text: str | bytes, line: int, path: str, message: str) -> None:
    problems = read(text, "f.yaml").problems
    assert (problems[0].file, problems[0].line, problems[0].path) == ("f.yaml", line, path)
    assert message in problems[0].message
    assert problems[0].fix
    assert str(problems[0]).startswith(f"f.yaml:{line}: ")


def test_a_broken_document_does_not_hide_the_others() -> None:
    manifest = read(f"a: b: c\n---\n{HEAD}---\nd: e: f\n", "f.yaml")
    assert len(manifest.objects) == 1
    assert [problem.line for problem in manifest.problems] == [1, 7]


def test_aliases_cannot_expand_without_bound() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    (problem,) = read("\n".join(lines), "f.yaml").problems
    assert str(MAXIMUM_ALIASED_NODES) in problem.message


def test_a_merge_key_yields_to_what_stands_beside_it() -> None:
    text = f"{HEAD}data: &base {{a: 1, b: 2}}\nother: {{<<: *base, b: 3}}\n"
    (found,) = read(text, "f.yaml").objects
    assert found.object["other"] == {"a": 1, "b": 3}


@pytest.mark.parametrize(
    "text",
    [
        "%YAML 1.1\n---\n",
        "apiVersion: v1\nkind: List\nitems: null\n",
        "<<: {apiVersion: v1, kind: List, items: []}\n",
        "base: &list [{apiVersion: v1, kind: List, items: []}]\napiVersion: v1\nkind: List\nitems: *list\n",
    ],
)
def test_a_list_of_nothing_holds_nothing(text: str) -> None:
    assert read(text, "f.yaml") == read("", "f.yaml")


_text = st.text(alphabet=st.sampled_from("abk:-[]{}&*<>|!#'\"%,? \n\t0~x\ufeff\x85"), max_size=60)


@given(_text, st.sampled_from(["", HEAD, f"{HEAD}data: ", f"{HEAD}---\n"]))
def test_nothing_but_objects_and_problems_comes_of_any_text(text: str, before: str) -> None:
    manifest = read(before + text, "f.yaml")
    lines = len((before + text).splitlines())
    for found in manifest.objects:
        assert 1 <= found.line() <= lines
    for problem in manifest.problems:
        assert 1 <= problem.line <= max(1, lines)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    manifest = read(data, "f.yaml")
    assert not manifest.objects or not manifest.problems


def test_a_kustomization_is_no_object() -> None:
    manifest = read("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a]\n", "k.yaml")
    assert manifest == read("", "k.yaml")
