"""The store over the Kubernetes API: plain JSON both ways, no generated models."""

import asyncio
import contextlib
import logging
import random
import socket
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode
from weakref import WeakSet

import aiohttp
import orjson
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from lawflow.model.kinds import SECRET, Kind
from lawflow.store.changes import Known
from lawflow.store.protocol import (
    FIELD_MANAGER,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    Object,
    StoreError,
    WatchEvent,
)

REQUEST_SECONDS = 30.0
"""Longest a single call may take; the API server's own limit is 60 s, and a stuck call must not outlive a Lease."""
WATCH_SECONDS = 290
"""How long the server keeps one watch open; the next resumes where it ended."""
SILENCE_SECONDS = 150.0
"""A watch that says nothing for so long is dead: the server sends a bookmark about every minute."""
PAGE_SIZE = 500
CLOSING_SECONDS = 1.0
"""Longest that a store waits for its connections to end."""
MAXIMUM_BACK_OFF_SECONDS = 30.0
THROTTLED_ATTEMPTS = 5
"""How often a call is repeated that the server turned away unprocessed (429)."""

_log = logging.getLogger(__name__)


_Listing = tuple[list[Object], str]
"""Objects, and the resourceVersion from which a watch goes on."""


class ExpiredError(StoreError):
    """The server no longer has the history that a watch or a page wants to go on from (410)."""


async def load_configuration(kubeconfig: Path | str | None = None, context: str | None = None) -> Configuration:
    """Address and credentials of the API server: the pod's own, unless a kubeconfig is named or there is no pod.

    Raises StoreError where neither is usable.
    """
    configuration = Configuration()
    try:
        if kubeconfig is None:
            try:
                load_incluster_config(client_configuration=configuration)
                return configuration
            except ConfigException:
                pass
        file = str(kubeconfig) if kubeconfig else None
        await load_kube_config(file, context, client_configuration=configuration, persist_config=False)
    except (ConfigException, OSError) as error:
        raise StoreError(f"no way to the Kubernetes API: {error}; name a kubeconfig, or run in a pod") from None
    return configuration


class KubernetesStore:
    """The Store over one API server. Use it as a context manager, within one event loop."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._session: aiohttp.ClientSession | None = None
        self._sockets: WeakSet[socket.socket] = WeakSet()

    @classmethod
    async def connect(cls, kubeconfig: Path | str | None = None, context: str | None = None) -> Self:
        """A store with the configuration that :func:`load_configuration` finds; nothing is sent yet."""
        return cls(await load_configuration(kubeconfig, context))

    @property
    def configuration(self) -> Configuration:
        """Address and credentials in use."""
        return self._configuration

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; returns when they are closed, or after CLOSING_SECONDS."""
        if self._session:
            await self._session.close()
            self._session = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_SECONDS):
                # Those of calls that were given up end in their own time, when the server has heard of it.
                while any(each.fileno() != -1 for each in self._sockets):  # noqa: ASYNC110 - no event tells
                    await asyncio.sleep(0.005)

    def _socket(self, where: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, *_ = where
        made = socket.socket(family, kind, protocol)
        self._sockets.add(made)
        return made

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """One object, or ``None``; StoreError where the server cannot be asked or refuses."""
        try:
            return await self._call("GET", kind, kind.path(namespace, name))
        except NotFoundError:
            return None

    async def list(self, kind: Kind, namespace: str | None = None) -> list[Object]:
        """All objects of a kind, page by page."""
        return (await self._list(kind, namespace))[0]

    async def create(self, kind: Kind, obj: Object) -> Object:
        """Create an object; ConflictError where it exists."""
        return await self._call("POST", kind, kind.path(_namespace(obj)), body=obj)

    async def try_create(self, kind: Kind, obj: Object) -> tuple[str, ...]:
        """Have the API server admit an object and not store it; returns its warnings, as HTTP has them (RFC 9111).

        Raises StoreError where it refuses.
        """
        path = kind.path(_namespace(obj))
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        try:
            async with await self._send("POST", path, {"dryRun": "All"}, obj, timeout=timeout) as response:
                content = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise StoreError(f"POST {path}: {type(error).__name__}: {error}") from None
        if response.status >= 400:
            raise _error("POST", kind, path, response.status, content)
        return tuple(response.headers.getall("Warning", ()))

    async def apply(self, kind: Kind, obj: Object, manager: str = FIELD_MANAGER) -> Object:
        """Server-side apply with force: the fields named are this manager's from now on."""
        path = kind.path(_namespace(obj), obj["metadata"]["name"])
        query = {"fieldManager": manager, "force": "true"}
        # JSON is YAML, and the API server takes it under this type.
        return await self._call("PATCH", kind, path, query, obj, "application/apply-patch+yaml")

    async def patch(self, kind: Kind, namespace: str, name: str, patch: Mapping[str, Any]) -> Object:
        """JSON merge patch; with ``metadata.resourceVersion`` in it, ConflictError if the object changed since."""
        path = kind.path(namespace, name)
        return await self._call("PATCH", kind, path, _MANAGED, patch, "application/merge-patch+json")

    async def patch_status(
        self, kind: Kind, namespace: str, name: str, status: Mapping[str, Any], version: str = ""
    ) -> Object:
        """JSON merge patch of the status subresource; with a ``version``, ConflictError if the object changed since."""
        path = kind.path(namespace, name, "status")
        patch = {"status": status} | ({"metadata": {"resourceVersion": version}} if version else {})
        return await self._call("PATCH", kind, path, _MANAGED, patch, "application/merge-patch+json")

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str | None = None) -> None:
        """Delete in the background; where it is gone, or another of that name has taken its place, nothing is done."""
        options: Object = {"propagationPolicy": "Background"} | ({"preconditions": {"uid": uid}} if uid else {})
        try:
            await self._call("DELETE", kind, kind.path(namespace, name), body=options)
        except NotFoundError:
            return
        except ConflictError:
            if uid is None:
                raise

    async def watch(self, kind: Kind, namespace: str | None = None) -> AsyncIterator[WatchEvent]:
        """All objects, SYNCED, then every change for ever; failures are waited out with growing, jittered pauses."""
        known = Known(kind)
        version: str | None = None
        pause = 0.0
        while True:
            try:
                if version is None:
                    objects, version = await self._list(kind, namespace)
                    for event in known.relisted(objects):
                        yield event
                    yield WatchEvent("SYNCED", {})
                async for change in self._changes(kind, namespace, version):
                    version, pause = change["object"]["metadata"]["resourceVersion"], 0.0
                    if change["type"] != "BOOKMARK":
                        yield known.changed(change["type"], _clean(kind, change["object"]))
            except ExpiredError:
                version = None
            except StoreError as error:
                pause = min(max(2 * pause, 0.25), MAXIMUM_BACK_OFF_SECONDS)
                _log.warning("the watch of %s is interrupted: %s", kind.plural, error)
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  (jitter, no secret)

    async def _list(self, kind: Kind, namespace: str | None) -> _Listing:
        while True:
            try:
                return await self._pages(kind, namespace)
            except ExpiredError:
                continue

    async def _pages(self, kind: Kind, namespace: str | None) -> _Listing:
        found: list[Object] = []
        query = {"limit": str(PAGE_SIZE)}
        while True:
            page = await self._call("GET", kind, kind.path(namespace), query)
            found += [_clean(kind, item) for item in page.get("items") or ()]
            if not (more := page["metadata"].get("continue")):
                return found, page["metadata"]["resourceVersion"]
            query["continue"] = more

    async def _changes(self, kind: Kind, namespace: str | None, version: str) -> AsyncIterator[Object]:
        """The events of one watch request, until the server ends it."""
        query = {
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        path = kind.path(namespace)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=REQUEST_SECONDS, sock_read=SILENCE_SECONDS)
        try:
            async with await self._send("GET", path, query, timeout=timeout) as response:
                try:
                    if response.status >= 400:
                        raise _error("WATCH", kind, path, response.status, await response.read())
                    async for event in _events(response.content):
                        if event["type"] == "ERROR":
                            raise _status_error("WATCH", kind, path, event["object"])
                        yield event
                finally:
                    _cut_off(response)
        except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError) as error:
            raise StoreError(f"WATCH {path}: {type(error).__name__}: {error}") from None

    async def _call(
        self,
        method: str,
        kind: Kind,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> Object:
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        for attempt in range(1, THROTTLED_ATTEMPTS + 1):
            try:
                response = await self._send(method, path, query, body, content_type, timeout)
                async with response:
                    try:
                        content = await response.read()
                    except BaseException:
                        _cut_off(response)
                        raise
            except (aiohttp.ClientError, TimeoutError) as error:
                raise StoreError(f"{method} {path}: {type(error).__name__}: {error}") from None
            if response.status != 429 or attempt == THROTTLED_ATTEMPTS:
                break
            await asyncio.sleep(float(response.headers.get("Retry-After", 1)))
        if response.status >= 400:
            raise _error(method, kind, path, response.status, content)
        answer: Object = orjson.loads(content)
        answer.get("metadata", {}).pop("managedFields", None)
        return answer

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        timeout: aiohttp.ClientTimeout | None = None,  # noqa: ASYNC109  (handed on to the connection)
    ) -> aiohttp.ClientResponse:
        configuration = self._configuration
        if self._session is None:
            tls = RESTClientObject(configuration).ssl_context
            # Watches hold connections for ever: a limit would let them starve all calls.
            connector = aiohttp.TCPConnector(ssl=tls, limit=0, socket_factory=self._socket)
            self._session = aiohttp.ClientSession(connector=connector)
        headers = {"Accept": "application/json", "User-Agent": FIELD_MANAGER}
        if body is not None:
            headers["Content-Type"] = content_type
        # Asked for at each call: the token of a pod is renewed in its file.
        if token := await configuration.get_api_key_with_prefix("BearerToken", "authorization"):
            headers["Authorization"] = token
        return await self._session.request(
            method,
            configuration.host.rstrip("/") + path + (f"?{urlencode(query)}" if query else ""),
            data=None if body is None else orjson.dumps(body),
            headers=headers,
            timeout=timeout,
            proxy=configuration.proxy,
            server_hostname=configuration.tls_server_name,
        )


async def _events(stream: aiohttp.StreamReader) -> AsyncIterator[Object]:
    rest = b""
    # Not readline: an object may be longer than the stream's line limit.
    async for chunk in stream.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in filter(None, lines):
            yield orjson.loads(line)


def _cut_off(response: aiohttp.ClientResponse) -> None:
    """Leave a stream that has not ended: an orderly end of TLS would wait for a server that may be gone."""
    if response.connection and response.connection.transport:
        response.connection.transport.abort()


_MANAGED = {"fieldManager": FIELD_MANAGER}


def _namespace(obj: Object) -> str:
    namespace: str = obj["metadata"].get("namespace", "")
    return namespace


def _clean(kind: Kind, obj: Object) -> Object:
    """The object as ``get`` returns it: items of a list lack their kind, and nobody reads managedFields."""
    obj.setdefault("apiVersion", kind.api_version)
    obj.setdefault("kind", kind.name)
    obj["metadata"].pop("managedFields", None)
    return obj


def _error(method: str, kind: Kind, path: str, code: int, content: bytes) -> StoreError:
    try:
        status = orjson.loads(content)
    except orjson.JSONDecodeError:
        status = None
    return _status_error(method, kind, path, status if isinstance(status, dict) else {}, code)


def _status_error(method: str, kind: Kind, path: str, status: Object, code: int = 0) -> StoreError:
    code = status.get("code") or code
    reason = status.get("reason") or f"HTTP {code}"
    # The server's message may quote the object, which for a Secret is the secret.
    detail = "" if kind == SECRET else f": {str(status.get('message', ''))[:512]}"
    message = f"{method} {path}: {reason}{detail}"
    match code:
        case 403:
            return ForbiddenError(message)
        case 404:
            return NotFoundError(message)
        case 409:
            return ConflictError(message)
        case 410:
            return ExpiredError(message)
        case _:
            return StoreError(message)
