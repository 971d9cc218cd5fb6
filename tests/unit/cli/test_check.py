"""``lawflow check``: what it finds, in which form, and how it ends."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.cli import Run

pytestmark = pytest.mark.unit

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
LAWFUL = str(EXAMPLES / "shop" / "lawful")
UNLAWFUL = str(EXAMPLES / "shop" / "unlawful")
TODAY = ("--today", "2026-11-01")

FLOW = b"""\
apiVersion: lawflow.dev/v1alpha1
kind: DataFlow
metadata:
  name: orders-to-billing
spec:
  source:
    serviceAccountName: orders
  destination:
    role: sameController
    service: {name: billing, port: 8080}
  purposes:
  - purpose: dpv:PaymentManagement
"""
DEPLOYMENT = b"""\
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: orders
spec:
  template:
    metadata:
      annotations: {lawflow.dev/flows: "orders-to-billing, nowhere"}
    spec:
      serviceAccountName: orders
      containers: []
"""


def _findings(run: Run, manifest: bytes, *arguments: str) -> list[dict[str, Any]]:
    result = run("check", "-f", "-", "-o", "json", *TODAY, *arguments, input=manifest)
    found: list[dict[str, Any]] = json.loads(result.out)["findings"]
    return found


def test_lawful_manifests_end_with_0(run: Run) -> None:
    result = run("check", "-f", LAWFUL, *TODAY)
    assert (result.code, result.err) == (0, "")
    assert result.out == "Nothing found in 20 objects.\n"


def test_findings_that_deny_end_with_1(run: Run) -> None:
    result = run("check", "-f", UNLAWFUL, *TODAY)
    assert (result.code, result.err) == (1, "")


def test_the_json_has_exactly_the_documented_shape(run: Run) -> None:
    document = json.loads(run("check", "-f", UNLAWFUL, "--output", "json", *TODAY).out)
    assert list(document) == ["findings", "summary"]
    assert list(document["summary"]) == ["deny", "warn", "info", "objects"]
    assert all(type(number) is int for number in document["summary"].values())
    for finding in document["findings"]:
        assert list(finding) == ["rule", "article", "severity", "object", "path", "source", "message", "fix"]
        assert list(finding["object"]) == ["kind", "namespace", "name"]
        assert list(finding["source"]) == ["file", "line"]
        assert finding["severity"] in ("deny", "warn", "info")
        assert finding["path"].startswith(".")
        assert (finding["article"] == "house") == finding["rule"].startswith("HOUSE-")
    for severity in ("deny", "warn", "info"):
        told = [finding for finding in document["findings"] if finding["severity"] == severity]
        assert len(told) == document["summary"][severity]
    assert document["summary"]["objects"] == 12


def test_a_finding_names_the_line_of_its_field_or_of_the_nearest_parent(run: Run) -> None:
    found = {finding["path"]: finding["source"] for finding in _findings(run, b"# a comment\n---\n" + FLOW)}
    assert found[".spec.purposes[0].lawfulBasis"] == {"file": "<stdin>", "line": 14}
    assert found[".spec.retention"]["line"] == 7


def test_objects_without_a_namespace_lie_in_default_or_in_the_one_that_is_named(run: Run) -> None:
    assert {finding["object"]["namespace"] for finding in _findings(run, FLOW)} == {"default"}
    assert {finding["object"]["namespace"] for finding in _findings(run, FLOW, "-n", "shop")} == {"shop"}


def test_a_workload_of_an_unlawful_flow_is_a_finding_that_names_flow_and_rule(run: Run) -> None:
    (finding,) = [
        found for found in _findings(run, FLOW + DEPLOYMENT) if found["rule"] == "HOUSE-workload-unlawful-flow"
    ]
    assert finding["object"] == {"kind": "Deployment", "namespace": "default", "name": "orders"}
    assert finding["severity"] == "deny"
    assert "orders-to-billing" in finding["message"]
    assert "GDPR-" in finding["message"]
    assert finding["path"] == ".spec.template.metadata.annotations.lawflow.dev/flows"
    assert finding["source"]["line"] == 21


def test_the_order_of_workload_and_flow_does_not_matter(run: Run) -> None:
    def judged(manifest: bytes) -> list[dict[str, Any]]:
        return [{**found, "source": None} for found in _findings(run, manifest)]

    assert judged(FLOW + DEPLOYMENT) == judged(DEPLOYMENT + b"---\n" + FLOW)


def test_a_flow_that_is_not_at_hand_is_unresolved_and_denies_nothing(run: Run) -> None:
    (finding,) = [found for found in _findings(run, FLOW + DEPLOYMENT) if "nowhere" in found["message"]]
    assert finding["severity"] == "info"
    assert finding["message"].startswith("unresolved")


def test_a_reference_that_is_not_at_hand_is_unresolved_and_denies_nothing(run: Run) -> None:
    flow = FLOW.replace(b"spec:\n", b"spec:\n  controllerRef: {name: acme}\n", 1)
    (finding,) = [found for found in _findings(run, flow) if found["path"] == ".spec.controllerRef"]
    assert (finding["severity"], finding["rule"]) == ("info", "HOUSE-reference-unresolved")


def test_a_flow_that_the_other_namespace_does_not_accept_is_told(run: Run, tmp_path: Path) -> None:
    text = (EXAMPLES / "shop" / "lawful" / "billing.yaml").read_text()
    (tmp_path / "billing.yaml").write_text(text.replace("accept-flows-from: shop", "accept-flows-from: other"))
    sources = [f"{LAWFUL}/{name}.yaml" for name in ("controller", "datasets", "orders")] + [str(tmp_path)]
    result = run("check", *[word for source in sources for word in ("-f", source)], *TODAY)
    assert "HOUSE-flow-not-accepted" in result.out
    assert result.out.splitlines()[-1].startswith("1 warn in ")


@pytest.mark.parametrize("name", ["Orders", "a_b", "-a", "a/b", "a" * 254])
def test_a_name_that_no_cluster_takes_is_a_problem(run: Run, name: str) -> None:
    result = run("check", "-f", "-", input=FLOW.replace(b"name: orders-to-billing", b"name: " + name.encode()))
    assert result.code == 2
    assert "<stdin>:4: .metadata.name: " in result.err


def test_strict_counts_warnings(run: Run, tmp_path: Path) -> None:
    text = (EXAMPLES / "shop" / "lawful" / "orders.yaml").read_text()
    (tmp_path / "orders.yaml").write_text(text.replace("lastTested: 2026-09-15", "lastTested: 2020-09-15"))
    arguments = ["check", "-f", str(tmp_path), *TODAY]
    for name in ("controller.yaml", "datasets.yaml"):
        arguments += ["-f", str(EXAMPLES / "shop" / "lawful" / name)]
    assert run(*arguments).code == 0
    assert run(*arguments, "--strict").code == 1


def test_the_day_decides(run: Run) -> None:
    assert run("check", "-f", LAWFUL, "--today", "2026-11-01").code == 0
    assert run("check", "-f", LAWFUL, "--today", "2035-01-01").code == 1


def test_a_house_rule_can_be_turned_off_and_an_article_cannot(run: Run) -> None:
    rules = {found["rule"] for found in _findings(run, FLOW + DEPLOYMENT, "--disable", "HOUSE-workload-unlawful-flow")}
    assert "HOUSE-workload-unlawful-flow" not in rules
    refused = run("check", "-f", "-", "--disable", "GDPR-6-1-basis-missing")
    assert refused.code == 2
    assert "only house rules" in refused.err
    misspelt = run("check", "-f", "-", "--disable", "HOUSE-workload-unlawful-flows")
    assert misspelt.code == 2
    assert "did you mean HOUSE-workload-unlawful-flow?" in misspelt.err


def test_legal_data_can_be_changed_and_a_broken_file_is_refused(run: Run, tmp_path: Path) -> None:
    changed = tmp_path / "legal.yaml"
    changed.write_text("adequacy: {US: null}\n")
    result = run("check", "-f", LAWFUL, "--legal-data", str(changed), *TODAY)
    assert result.code == 1
    assert "GDPR-45-decision-missing" in result.out
    changed.write_text("adequacies: {}\n")
    refused = run("check", "-f", LAWFUL, "--legal-data", str(changed), *TODAY)
    assert refused.code == 2
    assert "adequacies" in refused.err


def test_every_problem_of_unusable_input_is_told_with_place_and_fix(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(FLOW.replace(b"role: sameController", b"role: owner") + b"  zzz: 1\n---\n- 1\n")
    (tmp_path / "b.yml").write_bytes(b"a: b: c\n")
    result = run("check", "-f", str(tmp_path), "-f", str(tmp_path / "missing.yaml"), "-o", "json")
    assert (result.code, result.out) == (2, "")
    lines = result.err.splitlines()
    assert lines[0].startswith(f"{tmp_path}/a.yaml:9: .spec.destination.role: unsupported value 'owner'; use ")
    assert lines[1].startswith(f"{tmp_path}/a.yaml:13: .spec.zzz: unknown field; ")
    assert lines[2].startswith(f"{tmp_path}/a.yaml:15: a document holds a list")
    assert lines[3].startswith(f"{tmp_path}/b.yml:1: not YAML")
    assert lines[4].startswith(f"{tmp_path}/missing.yaml: no such file")
    assert lines[5] == "Error: the input cannot be judged; 5 problems to correct first"


def test_a_folder_is_read_with_all_below_it_but_nothing_hidden(run: Run, tmp_path: Path) -> None:
    for name in ("a.yaml", "below/b.yml", "below/c.json", ".git/x.yaml", ".x.yaml", "notes.txt", "kustomization.yaml"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": file.stem}}))
    assert "in 3 objects" in run("check", "-f", str(tmp_path)).out
    assert "in 3 objects" in run("check", "-f", str(tmp_path), "-f", str(tmp_path / "a.yaml")).out


def test_a_folder_without_manifests_is_unusable(run: Run, tmp_path: Path) -> None:
    assert run("check", "-f", str(tmp_path)).code == 2


def test_what_a_server_adds_to_an_object_is_no_problem(run: Run) -> None:
    metadata = b"metadata: {uid: 1-2, generation: 3, managedFields: [{manager: kubectl}], creationTimestamp: null,"
    served = FLOW.replace(b"metadata:\n  name: orders-to-billing\n", metadata + b" name: orders-to-billing}\n")
    assert b"managedFields" in served
    assert run("check", "-f", "-", input=served + b"status: {ofALaterRelease: 1}\n").code == 1


def test_empty_input_is_clean(run: Run) -> None:
    assert run("check", "-f", "-").code == 0


def test_two_different_objects_of_one_name_are_refused(run: Run) -> None:
    result = run("check", "-f", "-", input=FLOW + b"---\n" + FLOW.replace(b"8080", b"9090"))
    assert result.code == 2
    assert "declared twice; first in <stdin>:1" in result.err


def test_members_of_a_list_are_judged_with_their_own_paths_and_lines(run: Run) -> None:
    flow = yaml.safe_load(FLOW)
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": [flow]}, indent=1).encode()
    found = {finding["path"]: finding["source"]["line"] for finding in _findings(run, text)}
    lines = text.decode().splitlines()
    assert "dpv:PaymentManagement" in lines[found[".spec.purposes[0].lawfulBasis"]]


@pytest.mark.parametrize(
    "template",
    [
        "metadata: {annotations: [a]}, spec: {}",
        "metadata: {annotations: {lawflow.dev/flows: 1}}, spec: {}",
        "metadata: [a], spec: {}",
        "spec: 1",
        "spec: {serviceAccountName: 1}",
    ],
)
def test_a_pod_template_that_cannot_be_read_is_a_problem_and_no_traceback(run: Run, template: str) -> None:
    manifest = f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: a}}\nspec: {{template: {{{template}}}}}\n"
    result = run("check", "-f", "-", input=manifest.encode())
    assert result.code == 2
    assert "<stdin>:4: .spec.template" in result.err


@pytest.mark.parametrize("kind", ["Pod", "Deployment", "CronJob", "Widget"])
def test_an_object_without_a_pod_template_is_left_alone(run: Run, kind: str) -> None:
    spec = "{}" if kind != "CronJob" else "{jobTemplate: {spec: {}}}"
    manifest = f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: a}}\nspec: {spec}\n"
    assert run("check", "-f", "-", input=manifest.encode()).code == 0


def test_text_is_grouped_by_object_and_ends_with_a_summary(run: Run) -> None:
    lines = run("check", "-f", UNLAWFUL, *TODAY).out.splitlines()
    headings = [line for line in lines if line and not line.startswith(" ")]
    assert headings[0].startswith("DataFlow shop/analytics-to-insights  ")
    assert len(headings) == len(set(headings)) == 6
    assert re.fullmatch(r"\d+ deny.* in 12 objects\. `lawflow explain RULE` says more\.", lines[-1])


def test_messages_fit_the_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    prose = [line for line in run("check", "-f", UNLAWFUL, *TODAY).out.splitlines() if line.startswith(" " * 8)]
    places = [line for line in prose if line.strip().startswith("line ")]
    assert prose
    for line in prose:
        # A path or a rule is not broken: it would not be found again.
        assert len(line) <= 60 or line in places or max(map(len, line.split())) > 40, line


def test_colours_appear_on_a_terminal_only_and_never_with_no_color(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[" not in run("check", "-f", UNLAWFUL, *TODAY).out
    monkeypatch.setattr("lawflow.cli.text_output._on_terminal", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[31m" in run("check", "-f", UNLAWFUL, *TODAY).out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in run("check", "-f", UNLAWFUL, *TODAY).out


def test_sarif_points_at_lines_and_describes_each_rule_once(run: Run) -> None:
    document = json.loads(run("check", "-f", UNLAWFUL, "-o", "sarif", *TODAY).out)
    assert document["version"] == "2.1.0"
    (sarif,) = document["runs"]
    rules = sarif["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["shortDescription"]["text"]
        assert rule["help"]["text"]
        if rule["id"].startswith("GDPR"):
            assert rule["helpUri"].startswith("https://eur-lex.europa.eu/")
    assert sarif["results"]
    for result in sarif["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
        (location,) = result["locations"]
        assert location["physicalLocation"]["artifactLocation"]["uri"].startswith("file:///")
        assert location["physicalLocation"]["region"]["startLine"] > 0
    fingerprints = {result["partialFingerprints"]["lawflow/v1"] for result in sarif["results"]}
    assert len(fingerprints) == len(sarif["results"])


def test_policy_reports_come_one_for_each_namespace_with_matching_sums(run: Run) -> None:
    result = run("check", "-f", UNLAWFUL, "-f", str(EXAMPLES / "hospital" / "unlawful"), "-o", "policyreport", *TODAY)
    reports = list(yaml.safe_load_all(result.out))
    assert [report["metadata"]["namespace"] for report in reports] == ["hospital", "shop"]
    for report in reports:
        assert (report["apiVersion"], report["kind"]) == ("wgpolicyk8s.io/v1alpha2", "PolicyReport")
        outcomes = [one["result"] for one in report["results"]]
        assert report["summary"] == {name: outcomes.count(name) for name in report["summary"]}
        for one in report["results"]:
            assert one["result"] in ("pass", "fail", "warn", "error", "skip")
            assert one["severity"] in ("critical", "high", "medium", "low", "info")
            assert all(isinstance(value, str) for value in one["properties"].values())


def test_the_options_of_a_cluster_need_the_cluster(run: Run) -> None:
    result = run("check", "-f", LAWFUL, "--context", "prod")
    assert result.code == 2
    assert "--cluster" in result.err


def test_a_cluster_that_cannot_be_asked_is_told(run: Run, tmp_path: Path) -> None:
    result = run("check", "-f", LAWFUL, "--cluster", "--kubeconfig", str(tmp_path / "none"))
    assert result.code == 2
    assert result.err.splitlines()[-1].startswith("Error: --cluster: no way to the Kubernetes API")
