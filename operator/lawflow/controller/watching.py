"""Kopf as the controller's eyes in a cluster: it watches, the engine decides and writes.

Only on.event handlers are registered: they are level-triggered and leave nothing on users' objects, neither finalizers
nor annotations. Kopf misses deletions that happen while the API server has forgotten its history; the engine's resync
finds those.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import kopf
from kubernetes.aio.client.configuration import Configuration

from lawflow.controller.engine import Controller
from lawflow.controller.world import WATCHED
from lawflow.model.kinds import Kind
from lawflow.store.protocol import StoreError

RETRIES = (1.0, 2.0, 4.0, *(8.0,) * 10_000)
"""Seconds between attempts while the API server fails: an outage of hours must not end the process."""
PAUSE_SECONDS = 2.0
"""Pause before Kopf is started again after it ended by itself."""

# Peering is off. Without an identity Kopf asks for the user's name, and the user of a container has none.
_IDENTITY: Any = "lawflow"

_log = logging.getLogger(__name__)


async def watch(
    controller: Controller, configuration: Configuration, stop: asyncio.Event, handle_signals: Callable[[], None]
) -> None:
    """Feed the controller until ``stop`` is set. Kopf takes the signals for itself; ``handle_signals`` undoes that."""
    while not stop.is_set():
        others = asyncio.all_tasks()
        tasks = await kopf.spawn_tasks(
            registry=_registry(controller, configuration), settings=_settings(), standalone=True, clusterwide=True,
            stop_flag=stop, identity=_IDENTITY,
        )  # fmt: skip
        handle_signals()
        try:
            await kopf.run_tasks(tasks, ignored=others)
        except Exception:
            _log.exception("the watches failed")
        if stop.is_set():
            return
        _log.warning("the watches ended and begin anew in %.0f s", PAUSE_SECONDS)
        await asyncio.sleep(PAUSE_SECONDS)
        try:
            await controller.resync()
        except StoreError as error:
            _log.warning("the listing after it failed, and is done again at the next resync: %s", error)


def _registry(controller: Controller, configuration: Configuration) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return await _connection(configuration)

    for kind in WATCHED:
        kopf.on.event(kind.group or "", kind.version, kind.plural, id=kind.name, registry=registry)(
            _handler(controller, kind)
        )
    return registry


def _handler(controller: Controller, kind: Kind) -> Callable[..., Any]:
    async def changed(event: Any, **_: Any) -> None:
        # Without managedFields and Kopf's views: what the store would have given.
        obj = dict(event["object"])
        obj["metadata"] = {name: part for name, part in obj["metadata"].items() if name != "managedFields"}
        obj.setdefault("kind", kind.name)
        obj.setdefault("apiVersion", kind.api_version)
        controller.observe(kind, obj, deleted=event["type"] == "DELETED")

    return changed


async def _connection(configuration: Configuration) -> kopf.ConnectionInfo:
    scheme, token = None, None
    if authorization := await configuration.get_api_key_with_prefix("BearerToken", "authorization"):
        scheme, _, token = authorization.partition(" ")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        scheme=scheme and scheme.capitalize(),
        token=token,
        proxy_url=configuration.proxy,
    )


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.networking.error_backoffs = RETRIES
    settings.watching.inactivity_timeout = 70.0
    settings.queueing.exit_timeout = 10.0  # what was heard is passed on at once, but for a machine that is very busy
    # Never written as long as there are only on.event handlers; named so that nothing of Kopf's own could appear.
    settings.persistence.finalizer = "lawflow.dev/controller"
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix="lawflow.dev")
    settings.persistence.diffbase_storage = _NoDifferences()
    return settings


class _NoDifferences(kopf.DiffBaseStorage):
    """What Kopf would compare an object with: nothing. Copying every object for that took a third of the CPU time."""

    def build(self, *, body: Any, extra_fields: Any = None) -> Any:
        return {}

    def fetch(self, *, body: Any) -> Any:
        return None

    def store(self, *, body: Any, patch: Any, essence: Any) -> None:
        return None
