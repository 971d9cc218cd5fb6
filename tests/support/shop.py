"""The shop of the demonstration as a running folder, for tests against real Envoys."""

import asyncio
import contextlib
import datetime as dt
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from pathlib import Path

from lawflow.standalone.engine import Standalone, StandaloneSettings, standalone
from lawflow.standalone.report import Event
from lawflow.standalone.traffic import Client, Response, invoice_app

SECONDS = 60.0
"""Longest wait for anything; far above what it takes, so that only a defect meets it."""
BILLING = "billing.shop.svc"
SERVER_NAME = "p8080.billing.shop.svc"
PORT = 8080


def write_shop(folder: Path, app_port: int) -> Path:
    """The demonstration's manifests in ``folder``, with the app at ``app_port``; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    with resources.as_file(resources.files("lawflow.standalone").joinpath("demo")) as packaged:
        shutil.copytree(packaged, folder, dirs_exist_ok=True)
    file = folder / "shop.yaml"
    file.write_text(file.read_text().replace("18080", str(app_port)))
    return file


@dataclass
class Heard:
    """What the engine reported."""

    events: list[Event] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, event: Event) -> None:
        self.events.append(event)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def count(self, kind: str) -> int:
        return sum(event.kind == kind for event in self.events)

    async def until(self, condition: Callable[[], object], expected: str) -> None:
        """Return once ``condition`` holds; it is asked at each event."""
        try:
            async with asyncio.timeout(SECONDS):
                while not condition():
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"never seen: {expected}; heard: {self.events}") from None


@dataclass
class Shop:
    """A running shop."""

    running: Standalone
    heard: Heard
    file: Path

    @cached_property
    def billing_from_orders(self) -> str:
        """Where the app of orders calls billing; it stays the same."""
        return self.running.loopback("shop", "orders", BILLING)

    def edit(self, before: str, after: str) -> None:
        """Change the manifests as an editor would."""
        text = self.file.read_text()
        assert before in text
        self.file.write_text(text.replace(before, after))

    async def order(self, method: str = "GET", path: str = "/invoices/17") -> Response:
        """One request of the app of orders to billing, on a connection of its own."""
        client = Client(self.billing_from_orders, PORT, server_name="billing.shop")
        try:
            return await client.request(method, path)
        finally:
            await client.close()

    async def order_until(self, status: int, method: str = "GET", path: str = "/invoices/17") -> Response:
        """Repeat a request until it is answered with ``status``."""
        async with asyncio.timeout(SECONDS):
            while True:
                with contextlib.suppress(ConnectionRefusedError):
                    response = await self.order(method, path)
                    if response.status == status:
                        return response
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def running_shop(
    folder: Path, life: dt.timedelta = dt.timedelta(hours=1), extra: str = ""
) -> AsyncIterator[Shop]:
    """The shop with both sidecars ready and the first request through; ``extra`` is more YAML."""
    heard = Heard()
    async with invoice_app() as port:
        file = write_shop(folder, port)
        if extra:
            (folder / "extra.yaml").write_text(extra)
        async with standalone(StandaloneSettings(folder, certificate_life=life), heard.take) as running:
            async with asyncio.timeout(SECONDS):
                await running.sidecar("shop", "orders")
                await running.sidecar("shop", "billing")
            shop = Shop(running, heard, file)
            await shop.order_until(200)
            yield shop
