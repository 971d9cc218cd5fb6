"""``lawflow inject``: YAML in, YAML with sidecars out."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import NoReturn

import click

from lawflow.cli.declared import declared
from lawflow.cli.injection import injection_options
from lawflow.cli.round_trip import Change, Object, rewritten
from lawflow.cli.sources import Text, read_texts
from lawflow.inject import (
    Injected,
    InjectionSettings,
    Refusal,
    Refused,
    identity_data,
    inject_workload,
    needs_sidecar,
    shape_problems,
)
from lawflow.manifest import LocatedObject, LocatedProblem, Manifest, read
from lawflow.model.dataflow import DataFlow
from lawflow.model.labels import INTERCEPTION
from lawflow.model.sidecar import Interception
from lawflow.model.workload import pod_template
from lawflow.resolve import flows_of

REFUSED, UNUSABLE = 1, 2


@click.command()
@click.option(
    "-f",
    "--filename",
    "sources",
    multiple=True,
    required=True,
    metavar="FILE|DIR|-",
    help="Manifests: a file, a folder with all below it, or - for standard input. Can be repeated.",
)
@click.option(
    "-n",
    "--namespace",
    "default_namespace",
    default="default",
    show_default=True,
    help="Namespace of objects that name none.",
)
@partial(injection_options, own_namespace="--system-namespace")
def inject(sources: tuple[str, ...], default_namespace: str, injection: InjectionSettings, namespace: str) -> None:
    """Add the sidecar to every workload at which a data flow of the same input starts or ends.

    The manifests go to standard output with their comments; whatever has no flow passes as it is. Where a workload
    can have no sidecar, the reasons go to standard error, nothing to standard output, and the exit code is 1.
    """
    texts, manifest, problems = _read(sources)
    found, declaration_problems = declared(manifest, default_namespace)
    # Those of the manifest itself are among the declaration's.
    problems += declaration_problems
    for workload in found.workloads:
        shape = shape_problems(workload.template.spec, f"{workload.template.path}.spec")
        problems += map(workload.located.problem, shape)
    if problems:
        _stop(UNUSABLE, problems)
    flows = [flow for flow, _ in found.flows]
    refused: list[str] = []
    warned: list[str] = []
    change = _change(flows, _modes(manifest), default_namespace, injection, refused, warned)
    output = [rewritten(each.text.decode("utf-8-sig"), each.file, change) for each in texts]
    if refused:
        _stop(REFUSED, refused)
    click.echo(_joined(output), nl=False)
    for warning in (*_missing(manifest, flows, default_namespace), *warned):
        click.echo(f"warning: {warning}", err=True)


def _read(sources: Iterable[str]) -> tuple[list[Text], Manifest, list[LocatedProblem]]:
    texts: list[Text] = []
    objects: list[LocatedObject] = []
    problems: list[LocatedProblem] = []
    in_texts: list[LocatedProblem] = []
    for each in read_texts(sources, sys.stdin.buffer):
        if isinstance(each, LocatedProblem):
            problems.append(each)
            continue
        texts.append(each)
        manifest = read(each.text, each.file)
        objects += manifest.objects
        in_texts += manifest.problems
    return texts, Manifest(tuple(objects), tuple(in_texts)), problems


def _modes(manifest: Manifest) -> dict[str, Interception]:
    """The modes that Namespaces of the input choose by their label."""
    namespaces = [each.object["metadata"] for each in manifest.objects if each.object["kind"] == "Namespace"]
    chosen = {each.get("name"): (each.get("labels") or {}).get(INTERCEPTION) for each in namespaces}
    return {name: mode for name, mode in chosen.items() if mode}


def _change(
    flows: Sequence[DataFlow],
    modes: Mapping[str, Interception],
    default: str,
    settings: InjectionSettings,
    refused: list[str],
    warned: list[str],
) -> Change:
    def change(located: LocatedObject) -> Object | None:
        workload = located.object
        template = pod_template(workload)
        namespace = _namespace(located, default)
        if template is None or not needs_sidecar(template, namespace, flows):
            return None
        data = identity_data(template.service_account, namespace, flows, modes.get(namespace))
        match inject_workload(workload, settings, data):
            case Injected(injected, warnings):
                warned.extend(_told(located, namespace, each) for each in warnings)
                return injected
            case Refused(reasons):
                refused.extend(_told(located, namespace, reason) for reason in reasons)
        return None

    return change


def _told(located: LocatedObject, namespace: str, reason: Refusal | str) -> str:
    metadata = located.object["metadata"]
    name = metadata.get("name") or metadata.get("generateName")
    return f"{located.file}: {located.object['kind']} {namespace}/{name}: {reason}"


def _missing(manifest: Manifest, flows: Sequence[DataFlow], default: str) -> Iterable[str]:
    for located in manifest.objects:
        template = pod_template(located.object)
        if template is None:
            continue
        namespace = _namespace(located, default)
        for name in flows_of(template, namespace, flows)[1]:
            yield (
                f"{located.file}:{located.line()}: the flow {namespace}/{name} is not in the input: "
                "the sidecar is added, but nothing says where that flow leads"
            )


def _namespace(located: LocatedObject, default: str) -> str:
    return located.object["metadata"].get("namespace") or default


def _joined(texts: Iterable[str]) -> str:
    """One stream of documents from several files."""
    stream = ""
    for text in texts:
        if stream and not stream.endswith("\n"):
            stream += "\n"
        if stream and not text.startswith("---"):
            stream += "---\n"
        stream += text
    return stream


def _stop(code: int, reasons: Iterable[object]) -> NoReturn:
    for reason in reasons:
        click.echo(f"error: {reason}", err=True)
    raise SystemExit(code)
