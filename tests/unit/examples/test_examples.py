"""The examples: what is lawful has no finding, what is not has exactly those that it was written for."""

import datetime as dt
import io
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.support import restricted

from lawflow.cli.declared import Declared, declared
from lawflow.cli.inject import inject
from lawflow.cli.judgement import Judgement, judge
from lawflow.cli.sources import read_manifests
from lawflow.law.context import Context
from lawflow.manifest import read
from lawflow.model.status import Severity

pytestmark = pytest.mark.unit

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
TODAY = dt.date(2026, 11, 1)
NAMES = sorted(folder.name for folder in EXAMPLES.iterdir() if folder.is_dir())
VARIANTS = [f"{name}/{variant}" for name in NAMES for variant in ("lawful", "unlawful")]
QUICKSTART = "quickstart.yaml"


def _declared(folder: str) -> Declared:
    found, problems = declared(read_manifests([str(EXAMPLES / folder)], io.BytesIO()), "default")
    assert not problems
    return found


def _judged(folder: str) -> Judgement:
    found = _declared(folder)
    return judge(found, Context(found.objects), TODAY)


def _told(judgement: Judgement) -> list[str]:
    return [
        f"{found.finding.severity.value} {found.finding.rule} {found.kind}/{found.namespace}/{found.name} "
        f"{found.finding.path}"
        for found in judgement.findings
    ]


@pytest.mark.parametrize("path", [*(f"{name}/lawful" for name in NAMES), QUICKSTART])
def test_a_lawful_example_has_no_finding_of_any_weight(path: str) -> None:
    assert _told(_judged(path)) == []


@pytest.mark.parametrize("name", NAMES)
def test_an_unlawful_example_has_exactly_the_findings_that_it_was_written_for(name: str) -> None:
    expected = (EXAMPLES / name / "unlawful" / "expected.txt").read_text(encoding="utf-8").splitlines()
    assert sorted(_told(_judged(f"{name}/unlawful"))) == sorted(expected)


@pytest.mark.parametrize("name", NAMES)
def test_every_flow_of_an_unlawful_example_is_denied_and_so_is_every_workload(name: str) -> None:
    found = _declared(f"{name}/unlawful")
    denied = {
        (told.kind, told.name)
        for told in _judged(f"{name}/unlawful").findings
        if told.finding.severity is Severity.DENY
    }
    assert {("DataFlow", flow.metadata.name) for flow, _ in found.flows} <= denied
    for workload in found.workloads:
        assert (workload.located.object["kind"], workload.located.object["metadata"]["name"]) in denied


@pytest.mark.parametrize("name", NAMES)
def test_both_variants_declare_the_same_flows(name: str) -> None:
    lawful, unlawful = (_declared(f"{name}/{variant}") for variant in ("lawful", "unlawful"))
    assert {flow.key for flow, _ in lawful.flows} == {flow.key for flow, _ in unlawful.flows}


@pytest.mark.parametrize("folder", [*VARIANTS, QUICKSTART])
def test_workloads_fit_the_restricted_pod_security_standard(folder: str) -> None:
    for workload in _declared(folder).workloads:
        pod = {"metadata": workload.template.metadata, "spec": workload.template.spec}
        assert restricted.violations(pod) == []


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_a_lawful_example_refers_to_is_missing(name: str) -> None:
    found = _declared(f"{name}/lawful")
    sources = {workload.template.service_account for workload in found.workloads}
    assert {flow.spec.source.service_account_name for flow, _ in found.flows} <= sources
    context = Context(found.objects, unresolved="deny")
    assert _told(judge(found, context, TODAY)) == []


@pytest.mark.parametrize("name", NAMES)
def test_workloads_of_a_lawful_example_get_their_sidecars_and_stay_lawful_and_restricted(name: str) -> None:
    injected = CliRunner().invoke(inject, ["-f", str(EXAMPLES / name / "lawful")])
    assert injected.exit_code == 0
    found, problems = declared(read(injected.output, "injected.yaml"), "default")
    assert not problems
    assert _told(judge(found, Context(found.objects), TODAY)) == []
    for workload in found.workloads:
        pod = {"metadata": workload.template.metadata, "spec": workload.template.spec}
        assert [container["name"] for container in pod["spec"]["initContainers"]]
        assert restricted.violations(pod) == []
