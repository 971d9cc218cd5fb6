"""The first process of a node: starts its programs one by one, passes API requests in, and ends with any of them,
unless it was ordered to end that one.

Arguments: the plan's file, the socket that listens on the host (inherited; it stays in the host's network namespace
though this process left that), and the pipe for reports. Standard input is held by the keeper: when it closes, this
process ends, and the kernel ends all others of the namespace with it.

A report is a line of JSON: ``{"step": …}`` or ``{"failed": …}``.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.support.node.isolation import mount_processes, protect_host_settings
from tests.support.node.orders import RESTART_STATUS, SOCKET
from tests.support.node.plan import Component, Plan

SECONDS_TO_READY = 90.0
SECONDS_BETWEEN_LOOKS = 0.05
LOG_LINES_TO_SHOW = 15
LET_GO = "the keeper let go"


class Init:
    """The programs that run, and who ends first."""

    def __init__(self, plan: Plan, listening: socket.socket, report: int) -> None:
        self._plan = plan
        self._listening = listening
        self._report = report
        self._running: dict[int, Component] = {}
        self._kept: dict[str, subprocess.Popen[bytes]] = {}
        self._ordered: dict[int, asyncio.Event] = {}
        """By process id: set when a program has ended that was ordered to."""
        self._started = asyncio.Event()
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Start everything; returns with the first program that ends, or when the keeper lets go."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGCHLD, self._reap)
        loop.add_reader(sys.stdin, self._end, LET_GO)
        server = await asyncio.start_server(self._pass_on, sock=self._listening)
        orders = await asyncio.start_unix_server(self._take_order, self._plan.directory / SOCKET)
        started = asyncio.create_task(self._start())
        started.add_done_callback(self._end_where_it_failed)
        self.report(failed=await self._ended)
        started.cancel()
        server.close()
        orders.close()

    async def _start(self) -> None:
        for component in self._plan.components:
            await self._start_one(component)
            self.report(step=f"{component.name} {'answers' if component.ready else 'started'}")
        self._started.set()

    async def _start_one(self, component: Component) -> None:
        began = time.monotonic()
        self._run_component(component)
        if component.ready:
            await self._answers(component, began + SECONDS_TO_READY)

    async def _take_order(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer: dict[str, str] = {}
        try:
            await self._obey(**json.loads(await reader.readline()))
        except (TimeoutError, KeyError, OSError, TypeError, ValueError) as error:
            answer = {"failed": str(error) or repr(error)}
        writer.write(json.dumps(answer).encode() + b"\n")
        writer.close()

    async def _obey(self, order: str, component: str = "", signal: int = 0) -> None:
        if order == "settle":
            await self._started.wait()
        elif order == "restart":
            os._exit(RESTART_STATUS)  # as by a power failure: the kernel ends all others at once
        elif order == "end":
            pid = self._kept[component].pid
            ended = self._ordered[pid] = asyncio.Event()
            os.kill(pid, signal)
            await ended.wait()
        elif order == "start":
            (found,) = [each for each in self._plan.components if each.name == component]
            if self._kept[component].pid not in self._running:
                await self._start_one(found)
        else:
            raise ValueError(f"nobody knows the order {order}")

    def _run_component(self, component: Component) -> None:
        process = self._launch(component)
        self._kept[component.name] = process
        self._running[process.pid] = component

    def _launch(self, component: Component) -> subprocess.Popen[bytes]:
        with (self._plan.directory / f"{component.name}.log").open("ab") as output:
            return subprocess.Popen(
                component.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={"HOME": str(self._plan.directory), "PATH": self._plan.path},
                start_new_session=True,
            )

    async def _answers(self, component: Component, deadline: float) -> None:
        while not await asyncio.to_thread(_looks_ready, component.ready, self._plan.authority):
            if time.monotonic() > deadline:
                raise TimeoutError(self._described(component, f"did not answer within {SECONDS_TO_READY:.0f} s"))
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)

    def _reap(self) -> None:
        """Of orphans, too: the shims of pods belong to this process."""
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                pid, status = found
                component = self._running.pop(pid, None)
                if ordered := self._ordered.pop(pid, None):
                    ordered.set()
                elif component and component.restarts and self._started.is_set():
                    self._run_component(component)
                elif component:
                    self._end(self._described(component, f"ended with {os.waitstatus_to_exitcode(status)}"))

    def _end_where_it_failed(self, started: asyncio.Task[None]) -> None:
        if not started.cancelled() and (error := started.exception()):
            self._end(str(error))

    def _end(self, reason: str) -> None:
        if not self._ended.done():
            self._ended.set_result(reason)

    def _described(self, component: Component, what: str) -> str:
        log = self._plan.directory / f"{component.name}.log"
        return "\n".join(
            [f"{component.name} {what}:", *log.read_text(errors="replace").splitlines()[-LOG_LINES_TO_SHOW:]]
        )

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carries one connection from the host to the API server in here."""
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._plan.port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))
        writer.close()
        inner_writer.close()

    def report(self, **said: object) -> None:
        """Tells whoever started the node, if it still listens."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._report, json.dumps(said).encode() + b"\n")


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, TimeoutError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


def _looks_ready(where: str, authority: Path) -> bool:
    try:
        if where.startswith("unix:"):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(where.removeprefix("unix:"))
            return True
        if where.startswith("tcp:"):
            _, host, port = where.split(":")
            with socket.create_connection((host, int(port)), timeout=1.0):
                return True
        context = ssl.create_default_context(cafile=authority)
        with urllib.request.urlopen(where, timeout=2.0, context=context) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def main(plan_file: str, listening: str, report: str) -> None:
    """Be the first process of a node."""
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    plan = Plan.read(Path(plan_file))
    mount_processes()
    protect_host_settings(plan.directory)

    async def run() -> None:
        await Init(plan, socket.socket(fileno=int(listening)), int(report)).run()

    asyncio.run(run())
    os._exit(1)  # at once: the kernel ends the others


if __name__ == "__main__":
    main(*sys.argv[1:])
