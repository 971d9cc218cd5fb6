"""``lawflow retire``: takes the gate down in order before Lawflow is uninstalled."""

import asyncio
import datetime as dt
import time
from contextlib import suppress
from pathlib import Path

import click

from lawflow.cli import network_plugin
from lawflow.controller import certificate
from lawflow.controller.network_policy import MANAGED_BY
from lawflow.gate.policy import PART_OF
from lawflow.identity.validity import rfc3339
from lawflow.model import labels
from lawflow.model.kinds import (
    ADMISSION_POLICY_BINDING,
    DAEMON_SET,
    DATA_FLOW,
    DEPLOYMENT,
    FLOW_INDEX,
    MUTATING_WEBHOOK_CONFIGURATION,
    NAMESPACE,
    NETWORK_POLICY,
    POD,
    SECRET,
    STATEFUL_SET,
    VALIDATING_WEBHOOK_CONFIGURATION,
    Kind,
)  # fmt: skip
from lawflow.model.parse import data_flows
from lawflow.model.sidecar import certificate_secret_name
from lawflow.store.kubernetes import KubernetesStore
from lawflow.store.protocol import NotFoundError, Object, Store, StoreError

STOPPED = ("controller", "webhook")
"""Components that would undo what is done here: one sets labels, the other injects sidecars."""
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
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
    """Stop the controller, take the gate down, restart workloads without sidecars, and remove what Lawflow wrote.

    Twice does no harm. DataFlows and other objects of yours stay.
    """

    async def run() -> None:
        async with await KubernetesStore.connect(kubeconfig) as store:
            await _stop(store, namespace, timeout)
            await _remove_gate(store)
            await _remove_network_policies(store)
            await _remove_labels(store, timeout)
            await _restart_injected(store)
            await _remove_certificates(store)
            await _remove_indexes(store)
            await network_plugin.remove(store, timeout)

    try:
        asyncio.run(run())
    except StoreError as error:
        raise click.ClickException(str(error)) from None
    return 0


async def _stop(store: Store, namespace: str, timeout: float) -> None:  # noqa: ASYNC109
    for component in STOPPED:
        with suppress(NotFoundError):
            await store.patch(DEPLOYMENT, namespace, f"lawflow-{component}", {"spec": {"replicas": 0}})
    deadline = time.monotonic() + timeout
    while any(_labels(pod).get("app.kubernetes.io/component") in STOPPED for pod in await store.list(POD, namespace)):
        if time.monotonic() >= deadline:
            click.echo(f"pods of {' and '.join(STOPPED)} have not ended after {timeout:g} s; going on without waiting")
            return
        await asyncio.sleep(PAUSE_SECONDS)
    click.echo(f"{' and '.join(STOPPED)} have stopped")


async def _remove_gate(store: Store) -> None:
    for kind in _GATE:
        for obj in await store.list(kind):
            if PART_OF.items() <= _labels(obj).items():
                await store.delete(kind, "", obj["metadata"]["name"])
                click.echo(f"removed {kind.name} {obj['metadata']['name']}")


async def _remove_network_policies(store: Store) -> None:
    """Receivers without a sidecar would be closed to everybody."""
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


async def _restart_injected(store: Store) -> None:
    """As ``kubectl rollout restart``: sidecars get no new certificates from now on. Jobs end by themselves."""
    injected = [pod for pod in await store.list(POD) if labels.INJECTED in (pod["metadata"].get("annotations") or {})]
    now = rfc3339(dt.datetime.now(dt.UTC))
    for kind in (DEPLOYMENT, STATEFUL_SET, DAEMON_SET):
        for workload in await store.list(kind) if injected else []:
            if not any(_selects(workload, pod) for pod in injected):
                continue
            metadata = workload["metadata"]
            patch = {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: now}}}}}
            with suppress(NotFoundError):
                await store.patch(kind, metadata["namespace"], metadata["name"], patch)
                click.echo(f"restarted {kind.name} {metadata['namespace']}/{metadata['name']} without sidecar")


async def _remove_certificates(store: Store) -> None:
    """By their names, so that no right to list Secrets is needed. Pods that still run keep the files."""
    accounts = {key[1:] for flow in data_flows(await store.list(DATA_FLOW)) for key in certificate.keys(flow)}
    for pod in await store.list(POD):
        if labels.INJECTED in (pod["metadata"].get("annotations") or {}):
            accounts.add((pod["metadata"]["namespace"], (pod.get("spec") or {}).get("serviceAccountName") or "default"))
    for namespace, account in sorted(accounts):
        name = certificate_secret_name(account)
        try:
            secret = await store.get(SECRET, namespace, name)
        except StoreError:
            # Where certificates come as pod certificates, there is neither a Secret nor a right to look.
            return
        if secret and MANAGED_BY.items() <= _labels(secret).items():
            await store.delete(SECRET, namespace, name)
            click.echo(f"removed Secret {namespace}/{name}")


async def _remove_indexes(store: Store) -> None:
    """Nobody keeps them current any more."""
    for index in await store.list(FLOW_INDEX):
        metadata = index["metadata"]
        await store.delete(FLOW_INDEX, metadata["namespace"], metadata["name"])
        click.echo(f"removed FlowIndex {metadata['namespace']}/{metadata['name']}")


def _selects(workload: Object, pod: Object) -> bool:
    wanted: dict[str, str] = workload["spec"]["selector"].get("matchLabels") or {}
    same_namespace = workload["metadata"]["namespace"] == pod["metadata"]["namespace"]
    return same_namespace and bool(wanted) and wanted.items() <= _labels(pod).items()


def _labels(obj: Object) -> dict[str, str]:
    found: dict[str, str] = obj["metadata"].get("labels") or {}
    return found
