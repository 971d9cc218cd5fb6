"""Takes the CNI plugin of the interception redirect off all nodes."""

import asyncio
import time
from contextlib import suppress

import click

from lawflow.gate.policy import PART_OF
from lawflow.model.kinds import DAEMON_SET
from lawflow.store.protocol import NotFoundError, Object, Store

LABELS = PART_OF | {"app.kubernetes.io/component": "network"}
"""Of the DaemonSet that keeps the plugin on nodes."""
REMOVE = "--remove"
"""The option with which it keeps the plugin off them."""
PAUSE_SECONDS = 0.5


async def remove(store: Store, timeout: float) -> None:  # noqa: ASYNC109
    """Has the DaemonSet take the plugin off its nodes, and waits until it has, for ``timeout`` seconds.

    A DaemonSet that is deleted leaves the plugin where it is, as an upgrade has to.
    """
    for found in await store.list(DAEMON_SET):
        if not LABELS.items() <= (found["metadata"].get("labels") or {}).items():
            continue
        metadata = found["metadata"]
        containers = [_removing(container) for container in found["spec"]["template"]["spec"]["containers"]]
        patch = {"spec": {"template": {"spec": {"containers": containers}}}}
        with suppress(NotFoundError):
            await store.patch(DAEMON_SET, metadata["namespace"], metadata["name"], patch)
            await _rolled_out(store, metadata["namespace"], metadata["name"], timeout)


def _removing(container: Object) -> Object:
    probe = container.get("readinessProbe") or {}
    command = _with_remove((probe.get("exec") or {}).get("command") or [])
    changed = {"args": _with_remove(container.get("args") or [])}
    return container | changed | ({"readinessProbe": probe | {"exec": {"command": command}}} if command else {})


def _with_remove(arguments: list[str]) -> list[str]:
    return arguments if not arguments or REMOVE in arguments else [*arguments, REMOVE]


async def _rolled_out(store: Store, namespace: str, name: str, timeout: float) -> None:  # noqa: ASYNC109
    deadline = time.monotonic() + timeout
    while True:
        found = await store.get(DAEMON_SET, namespace, name)
        if found is None:
            return
        status = found.get("status") or {}
        wanted = status.get("desiredNumberScheduled", 0)
        done = min(status.get("updatedNumberScheduled", 0), status.get("numberReady", 0))
        if status.get("observedGeneration", 0) >= found["metadata"]["generation"] and done >= wanted:
            click.echo(f"took the CNI plugin off {wanted} nodes")
            return
        if time.monotonic() >= deadline:
            click.echo(f"the CNI plugin is off {done} of {wanted} nodes after {timeout:g} s; going on without waiting")
            return
        await asyncio.sleep(PAUSE_SECONDS)
