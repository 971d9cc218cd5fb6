"""``lawflow retire``: takes the gate down in order before Lawflow is uninstalled."""

import asyncio
import datetime as dt
import time
from contextlib import suppress
from pathlib import Path

import click

from lawflow.cli import network_plugin
from lawflow.controller import authority, certificate, leader, serving
from lawflow.controller.network_policy import MANAGED_BY
from lawflow.gate.policy import PART_OF
from lawflow.identity.validity import rfc3339
from lawflow.mesh import keys
from lawflow.model import labels
from lawflow.model.dataflow import DataFlow
from lawflow.model.kinds import (
    ADMISSION_POLICY_BINDING,
    CONFIG_MAP,
    DAEMON_SET,
    DATA_FLOW,
    DEPLOYMENT,
    FLOW_INDEX,
    LEASE,
    MUTATING_WEBHOOK_CONFIGURATION,
    NAMESPACE,
    NETWORK_POLICY,
    POD,
    SECRET,
    STATEFUL_SET,
    VALIDATING_WEBHOOK_CONFIGURATION,
    WORKLOAD_KINDS,
    Kind,
)  # fmt: skip
from lawflow.model.parse import data_flows
from lawflow.model.sidecar import SIGNER_NAME, certificate_secret_name
from lawflow.model.trust_bundle import APP_ROOTS_NAME, CONFIG_MAP_NAME, ISSUER_NAME, TOKEN_KEYS_NAME
from lawflow.store.kubernetes import KubernetesStore
from lawflow.store.protocol import ForbiddenError, NotFoundError, Object, Store, StoreError

STOPPED = ("controller", "webhook")
"""Components that would undo what is done here: one sets labels, the other injects sidecars."""
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
PAUSE_SECONDS = 0.5
_NOTED = (labels.RETRY, labels.BREAK_GLASS_USER)
"""Annotations that Lawflow writes on workloads."""
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_GATE: tuple[Kind, ...] = (
    ADMISSION_POLICY_BINDING, MUTATING_WEBHOOK_CONFIGURATION, VALIDATING_WEBHOOK_CONFIGURATION
)  # fmt: skip


@click.command()
@click.option("--namespace", default="lawflow-system", show_default=True, help="Lawflow's own namespace.")
@click.option("--timeout", default=60.0, show_default=True, help="How long to wait for each step, in seconds.")
@click.option("--kubeconfig", type=_FILE, help="Cluster to change; the pod's own by default.")
@click.option("--forget", is_flag=True, help="Remove the secret behind pseudonyms and encrypted values, too: what was "
              "stored with it can be matched and read no more.")  # fmt: skip
def retire(namespace: str, timeout: float, kubeconfig: Path | None, forget: bool) -> int:
    """Stop the controller, take the gate down, restart workloads without sidecars, and remove what Lawflow wrote.

    On nodes, too: the CNI plugin of the interception redirect. Pods that still run keep the rules of their network.

    Twice does no harm. DataFlows and other objects of yours stay, and the secret behind pseudonyms.
    """

    async def run() -> None:
        async with await KubernetesStore.connect(kubeconfig) as store:
            await _stop(store, namespace, timeout)
            await _remove_gate(store)
            await _remove_network_policies(store)
            await _remove_labels(store, timeout)
            await _remove_annotations(store)
            await _restart_injected(store, namespace)
            await _remove_named(store, SECRET, await _certificates(store))
            await _remove_named(store, CONFIG_MAP, await _app_roots(store))
            await _remove_indexes(store)
            await network_plugin.remove(store, timeout)
            await _remove_own(store, namespace, forget=forget)

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


async def _remove_annotations(store: Store) -> None:
    for kind in WORKLOAD_KINDS:
        # A pod's annotations go with it.
        for workload in await store.list(kind) if kind is not POD else []:
            metadata = workload["metadata"]
            if noted := [name for name in _NOTED if name in (metadata.get("annotations") or {})]:
                patch = {"metadata": {"annotations": dict.fromkeys(noted)}}
                with suppress(NotFoundError):
                    await store.patch(kind, metadata["namespace"], metadata["name"], patch)


async def _restart_injected(store: Store, namespace: str) -> None:
    """As ``kubectl rollout restart``: sidecars get no new certificates from now on. Jobs end by themselves.

    The egress gateway in Lawflow's own namespace ends with Lawflow.
    """
    injected = [
        pod
        for pod in await store.list(POD)
        if labels.INJECTED in (pod["metadata"].get("annotations") or {}) and pod["metadata"]["namespace"] != namespace
    ]
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


async def _certificates(store: Store) -> set[tuple[str, str]]:
    """The Secrets they may be in. Pods that still run keep the files."""
    accounts = {key[1:] for flow in data_flows(await store.list(DATA_FLOW)) for key in certificate.keys(flow)}
    for pod in await store.list(POD):
        if labels.INJECTED in (pod["metadata"].get("annotations") or {}):
            accounts.add((pod["metadata"]["namespace"], (pod.get("spec") or {}).get("serviceAccountName") or "default"))
    return {(namespace, certificate_secret_name(account)) for namespace, account in accounts}


async def _app_roots(store: Store) -> set[tuple[str, str]]:
    """The ConfigMaps they may be in. Apps that still trust them trust nobody: the keys end with Lawflow's secret."""
    flows = data_flows(await store.list(DATA_FLOW))
    return {(flow.metadata.namespace, APP_ROOTS_NAME) for flow in flows if _is_ended(flow)}


def _is_ended(flow: DataFlow) -> bool:
    external = flow.spec.destination.external
    return external is not None and external.tls == "terminate"


async def _remove_named(store: Store, kind: Kind, names: set[tuple[str, str]]) -> None:
    """By namespace and name, so that no right to list is needed.

    There is not even a right to look where an installation writes none: Secrets where certificates come as pod
    certificates, ConfigMaps where no TLS of apps is ended.
    """
    with suppress(ForbiddenError):
        for namespace, name in sorted(names):
            found = await store.get(kind, namespace, name)
            if found and MANAGED_BY.items() <= _labels(found).items():
                await store.delete(kind, namespace, name)
                click.echo(f"removed {kind.name} {namespace}/{name}")


async def _remove_indexes(store: Store) -> None:
    """Nobody keeps them current any more."""
    for index in await store.list(FLOW_INDEX):
        metadata = index["metadata"]
        await store.delete(FLOW_INDEX, metadata["namespace"], metadata["name"])
        click.echo(f"removed FlowIndex {metadata['namespace']}/{metadata['name']}")


async def _remove_own(store: Store, namespace: str, *, forget: bool) -> None:
    """What the controller made for itself; keys of an authority that nobody watches over are a danger."""
    secrets = [
        authority.SECRET_NAME,
        ISSUER_NAME,
        TOKEN_KEYS_NAME,
        *map(serving.secret_name, serving.SERVERS),
    ]
    for name in [*secrets, *([keys.SECRET_NAME] if forget else [])]:
        await store.delete(SECRET, namespace, name)
    await store.delete(CONFIG_MAP, namespace, CONFIG_MAP_NAME)
    await store.delete(LEASE, namespace, leader.LEASE_NAME)
    await store.delete(authority.CLUSTER_TRUST_BUNDLE, "", authority.trust_bundle_name(SIGNER_NAME))
    click.echo("removed the certificate authority")


def _selects(workload: Object, pod: Object) -> bool:
    wanted: dict[str, str] = workload["spec"]["selector"].get("matchLabels") or {}
    same_namespace = workload["metadata"]["namespace"] == pod["metadata"]["namespace"]
    return same_namespace and bool(wanted) and wanted.items() <= _labels(pod).items()


def _labels(obj: Object) -> dict[str, str]:
    found: dict[str, str] = obj["metadata"].get("labels") or {}
    return found
