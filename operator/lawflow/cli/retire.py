"""``lawflow retire``: takes the gate down in order before Lawflow is uninstalled."""

import asyncio
import time
from pathlib import Path

import click

from lawflow.controller.network_policy import MANAGED_BY
from lawflow.gate.policy import PART_OF
from lawflow.model import labels
from lawflow.model.kinds import (
    ADMISSION_POLICY_BINDING,
    DEPLOYMENT,
    MUTATING_WEBHOOK_CONFIGURATION,
    NAMESPACE,
    NETWORK_POLICY,
    POD,
    VALIDATING_WEBHOOK_CONFIGURATION,
    Kind,
)  # fmt: skip
from lawflow.store.kubernetes import KubernetesStore
from lawflow.store.protocol import NotFoundError, Object, Store, StoreError

CONTROLLER = "lawflow-controller"
PAUSE_SECONDS = 0.5
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_GATE: tuple[Kind, ...] = (
    ADMISSION_POLICY_BINDING, MUTATING_WEBHOOK_CONFIGURATION, VALIDATING_WEBHOOK_CONFIGURATION
)  # fmt: skip


@click.command()
@click.option("--namespace", default="lawflow-system", show_default=True, help="Lawflow's own namespace.")
@click.option("--timeout", default=60.0, show_default=True, help="How long to wait for each step, in seconds.")
@click.option("--kubeconfig", type=_FILE, help="Cluster to change; the pod's own by default.")
def retire(namespace: str, timeout: float, kubeconfig: Path | None) -> int:
    """Stop the controller, remove the gate, the labels that bind it, and NetworkPolicies. Twice does no harm."""

    async def run() -> None:
        async with await KubernetesStore.connect(kubeconfig) as store:
            await _stop_controller(store, namespace, timeout)
            await _remove_gate(store)
            await _remove_network_policies(store)
            await _remove_labels(store, timeout)

    try:
        asyncio.run(run())
    except StoreError as error:
        raise click.ClickException(str(error)) from None
    return 0


async def _stop_controller(store: Store, namespace: str, timeout: float) -> None:  # noqa: ASYNC109
    """It would set the labels again, and the gate's policy would miss its index."""
    try:
        await store.patch(DEPLOYMENT, namespace, CONTROLLER, {"spec": {"replicas": 0}})
    except NotFoundError:
        return
    deadline = time.monotonic() + timeout
    while any(_component(pod) == "controller" for pod in await store.list(POD, namespace)):
        if time.monotonic() >= deadline:
            click.echo(f"the controller's pods have not ended after {timeout:g} s; going on without waiting")
            return
        await asyncio.sleep(PAUSE_SECONDS)
    click.echo("the controller has stopped")


async def _remove_gate(store: Store) -> None:
    for kind in _GATE:
        for obj in await store.list(kind):
            if PART_OF.items() <= _labels(obj).items():
                await store.delete(kind, "", obj["metadata"]["name"])
                click.echo(f"removed {kind.name} {obj['metadata']['name']}")


async def _remove_network_policies(store: Store) -> None:
    """Receivers that restart without a sidecar would be closed to everybody."""
    for policy in await store.list(NETWORK_POLICY):
        if MANAGED_BY.items() <= _labels(policy).items():
            metadata = policy["metadata"]
            await store.delete(NETWORK_POLICY, metadata["namespace"], metadata["name"])
            click.echo(f"removed NetworkPolicy {metadata['namespace']}/{metadata['name']}")


async def _remove_labels(store: Store, timeout: float) -> None:  # noqa: ASYNC109
    """The API server enforces a removed binding for a moment longer, and it guards this label."""
    deadline = time.monotonic() + timeout
    for namespace in await store.list(NAMESPACE):
        while labels.INDEX_READY in _labels(namespace):
            name = namespace["metadata"]["name"]
            try:
                await store.patch(NAMESPACE, "", name, {"metadata": {"labels": {labels.INDEX_READY: None}}})
                click.echo(f"removed the label {labels.INDEX_READY} from Namespace {name}")
                break
            except NotFoundError:
                break
            except StoreError:
                if time.monotonic() >= deadline:
                    raise
                await asyncio.sleep(PAUSE_SECONDS)


def _component(pod: Object) -> str:
    return _labels(pod).get("app.kubernetes.io/component", "")


def _labels(obj: Object) -> dict[str, str]:
    found: dict[str, str] = obj["metadata"].get("labels") or {}
    return found
