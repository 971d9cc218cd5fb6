"""``lawflow generate``: what the repository keeps in a file but the code knows better, or has to know later."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import click
import yaml

from lawflow.cli.rules import OWN_RULES
from lawflow.gate import GateSettings, policies, webhook_configurations
from lawflow.inject.gateway import gateway_pod
from lawflow.inject.settings import Delivery, InjectionSettings, SidecarRelease
from lawflow.law.document import catalogue_page
from lawflow.mesh import releases
from lawflow.mesh.bootstrap import BootstrapSettings, bootstrap, installed_servers
from lawflow.model.document import api_reference
from lawflow.model.schema import custom_resource_definitions

_HEADER = "# Generated from lawflow.model by `lawflow generate crds`.\n"
_GATE_HEADER = "# Generated from lawflow.gate by `lawflow generate chart`; Helm fills in the namespace.\n"
_EGRESS_HEADER = (
    "# Generated from lawflow.inject.gateway by `lawflow generate chart`; Helm fills in what an installation chooses.\n"
)
_RELEASE_NAMESPACE = "{{.Release.Namespace}}"
_TRUST_DOMAIN = "{{.Values.trustDomain}}"


class _Dumper(yaml.SafeDumper):
    """Indents lists below their key and writes every value out, as people do."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, _data: object) -> bool:
        return True


def custom_resource_files() -> Iterator[tuple[str, str]]:
    """Path and text of each CustomResourceDefinition."""
    for definition in custom_resource_definitions():
        text = yaml.dump(definition, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
        spec = definition["spec"]
        yield f"crds/{spec['group']}_{spec['names']['plural']}.yaml", _HEADER + text


def document_files() -> Iterator[tuple[str, str]]:
    """Path and text of each generated page."""
    yield "docs/api.md", api_reference()
    yield "docs/rules.md", catalogue_page() + "\n".join(_rules_of_check())


def _rules_of_check() -> Iterator[str]:
    yield "\n## Rules of `lawflow check` alone\n"
    for rule in OWN_RULES:
        yield f"### {rule.id}\n"
        yield f"**{rule.severity.value}** · Lawflow's own\n"
        yield f"{rule.reason}\n"
        yield f"* Finding: {rule.summary}"
        yield f"* Fix: {rule.fix}\n"


def chart_files() -> Iterator[tuple[str, str]]:
    """Path and text of what the chart takes over: the gate, with the release's namespace left open for Helm."""
    controller = f"system:serviceaccount:{_RELEASE_NAMESPACE}:lawflow-controller"
    settings = GateSettings(namespace=_RELEASE_NAMESPACE, index_writers=(controller,))
    for name, objects in ("policies", policies(settings)), ("webhooks", webhook_configurations(settings)):
        text = yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
        yield f"charts/lawflow/files/gate/{name}.yaml", _GATE_HEADER + text
    for delivery in get_args(Delivery):
        injection = InjectionSettings(_open_release(), delivery=delivery)
        pod = gateway_pod(injection, injection.release)
        text = yaml.dump(pod, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
        yield f"charts/lawflow/files/egress/{delivery}.yaml", _EGRESS_HEADER + text


def _open_release() -> SidecarRelease:
    """The sidecar's release with what an installation chooses left open for Helm."""
    servers = installed_servers(_TRUST_DOMAIN, _RELEASE_NAMESPACE)
    text = json.dumps(bootstrap(BootstrapSettings(servers)), sort_keys=True)
    return SidecarRelease("{{.Chart.AppVersion}}", "{{first .Values.sidecar.images}}", text)


def bootstrap_files() -> Iterator[tuple[str, str]]:
    """Path and text of the bootstrap of this release; those of the releases before stay as they are."""
    yield f"operator/lawflow/mesh/{releases.template_name()}", releases.template()


GENERATORS = {
    "crds": custom_resource_files,
    "docs": document_files,
    "chart": chart_files,
    "bootstraps": bootstrap_files,
}


@click.command()
@click.argument("what", nargs=-1, type=click.Choice(list(GENERATORS)))
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=".",
    show_default=True,
    help="Checkout to write into.",
)
def generate(what: tuple[str, ...], directory: Path) -> None:
    """Write crds/, docs/, the chart's gate and this release's bootstrap from the code; all by default."""
    for name in what or tuple(GENERATORS):
        for path, text in GENERATORS[name]():
            file = directory / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if not file.exists() or file.read_text(encoding="utf-8") != text:
                file.write_text(text, encoding="utf-8")
                click.echo(f"wrote {path}")
