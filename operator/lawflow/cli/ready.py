"""``lawflow ready``: proves through the API server that the gate works, or says what it lacks."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import click

from lawflow.model.base import API_VERSION, GROUP
from lawflow.model.flow_index import INDEX_NAME
from lawflow.model.kinds import DATA_FLOW, FLOW_INDEX
from lawflow.store.kubernetes import KubernetesStore
from lawflow.store.protocol import Object, StoreError

PAUSE_SECONDS = 1.0
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

Probe = Callable[[KubernetesStore, str], Awaitable[str]]
"""Looks at one part of the gate; the empty string where it works, else what is the matter."""


@click.command()
@click.option("--timeout", default=120.0, show_default=True, help="How long to wait, in seconds.")
@click.option("--backstop/--no-backstop", default=True, help="Whether to ask for the policies in the API server.")
@click.option(
    "--probe-namespace",
    default="default",
    show_default=True,
    help="Where objects are created by dry run; not Lawflow's.",
)
@click.option("--kubeconfig", type=_FILE, help="Cluster to ask; the pod's own by default.")
def ready(timeout: float, backstop: bool, probe_namespace: str, kubeconfig: Path | None) -> int:
    """Wait until the API server has the gate judge what is created. Exit 0 when it has, 1 when time is up."""
    probes: dict[str, Probe] = {"the webhook": _webhook}
    if backstop:
        probes["the policies"] = _policies

    async def run() -> int:
        async with await KubernetesStore.connect(kubeconfig) as store:
            return await _wait(store, probes, probe_namespace, timeout)

    try:
        return asyncio.run(run())
    except StoreError as error:
        raise click.ClickException(str(error)) from None


async def _wait(store: KubernetesStore, probes: dict[str, Probe], namespace: str, timeout: float) -> int:  # noqa: ASYNC109
    deadline = time.monotonic() + timeout
    told: dict[str, str] = {}
    while True:
        lacking = {}
        for name, probe in probes.items():
            try:
                lacking[name] = await probe(store, namespace)
            except StoreError as error:
                lacking[name] = str(error)
        for name, lack in lacking.items():
            if told.get(name) != lack:
                click.echo(f"waiting for {name}: {lack}" if lack else f"{name} answered")
        told = lacking
        if not any(lacking.values()):
            return 0
        if time.monotonic() >= deadline:
            click.echo(f"not ready after {timeout:g} s", err=True)
            return 1
        await asyncio.sleep(PAUSE_SECONDS)


async def _webhook(store: KubernetesStore, namespace: str) -> str:
    """The webhook fails open: only a denial or a warning of its own proves that the API server reached it."""
    try:
        warnings = await store.try_create(DATA_FLOW, _unlawful_flow(namespace))
    except StoreError as error:
        if f'webhook "resources.{GROUP}" denied' in str(error):
            return ""
        raise
    if any("GDPR-" in warning for warning in warnings):
        return ""
    return (
        "the API server got no answer from it; see the pods of lawflow-webhook, whether caBundle is set in "
        "validatingwebhookconfiguration/lawflow, and whether the API server's network reaches them"
    )


async def _policies(store: KubernetesStore, namespace: str) -> str:
    """Nobody but the controller writes a FlowIndex, whatever RBAC says."""
    metadata = {"namespace": namespace, "name": INDEX_NAME}
    index: Object = {"apiVersion": API_VERSION, "kind": FLOW_INDEX.name, "metadata": metadata, "spec": {}}
    try:
        await store.try_create(FLOW_INDEX, index)
    except StoreError as error:
        if "ValidatingAdmissionPolicy 'lawflow-flow-index'" in str(error):
            return ""
        raise
    return "they are not in force yet; see validatingadmissionpolicybinding/lawflow-flow-index"


def _unlawful_flow(namespace: str) -> Object:
    """A flow that no other object could make lawful: it has a purpose without a basis."""
    return {
        "apiVersion": API_VERSION,
        "kind": DATA_FLOW.name,
        "metadata": {"namespace": namespace, "name": "lawflow-ready"},
        "spec": {
            "source": {"serviceAccountName": "lawflow-ready"},
            "destination": {"service": {"name": "lawflow-ready", "port": 443}, "role": "sameController"},
            "purposes": [{"purpose": "dpv:Marketing"}],
            "operations": [{"name": "probe", "path": "/", "subject": {"in": "none"}}],
        },
    }
