"""A running shop whose app keeps all that reaches it, for the corpus of evasions."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.evasion_client import Target
from tests.support.recording_app import RecordingApp, recording_app
from tests.support.shop import BILLING, PORT, SECONDS, SERVER_NAME, Heard

from lawflow.model.sidecar import PEER_PORT
from lawflow.standalone.engine import Standalone, StandaloneSettings, standalone
from lawflow.standalone.sidecars import RunningSidecar
from lawflow.standalone.traffic import Client, mutual_tls

_ACTIVE = re.compile(
    r"^(?:http\.(?:in|out)bound\S*downstream|cluster\.(?:in|out)bound\S*upstream)_rq_active: (\d+)", re.M
)


@dataclass
class EvasionShop:
    """The parts that a case needs."""

    running: Standalone
    app: RecordingApp
    orders: RunningSidecar
    billing: RunningSidecar

    def target(self) -> Target:
        """Where a request of the app goes: to its own sidecar."""
        return Target(self.running.loopback("shop", "orders", BILLING), PORT)

    def receiver(self, service_account: str) -> Target:
        """Past that, the receiver's sidecar, with a certificate of ``service_account`` or, where it is empty, none."""
        credential = self.running.credential("shop", service_account) if service_account else None
        tls = mutual_tls(self.running.bundle, credential)
        return Target(self.billing.address, PEER_PORT, tls, SERVER_NAME)

    async def idle(self) -> None:
        """Return once no sidecar has a request under way, and the app has what they sent."""
        for sidecar in (self.orders, self.billing):
            while True:
                active = _ACTIVE.findall((await sidecar.process.admin("/stats"))[1])
                assert active, "the statistics have other names"
                if not any(int(count) for count in active):
                    break
                await asyncio.sleep(0.005)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.app.port)
        writer.write(b"BARRIER / HTTP/1.1\r\n\r\n")
        await reader.read(1)
        writer.close()

    async def what_envoys_say(self) -> str:
        """The logs and statistics of both sidecars."""
        found = []
        for sidecar in (self.orders, self.billing):
            found.append(sidecar.process.log.read_text(errors="replace"))
            found.append((await sidecar.process.admin("/stats"))[1])
        return "\n".join(found)


@contextlib.asynccontextmanager
async def evasion_shop(folder: Path) -> AsyncIterator[EvasionShop]:
    """The shop of ``evasion_shop.yaml``, once its first request is through."""
    heard = Heard()
    async with recording_app() as app:
        _write(folder, app.port)
        async with standalone(StandaloneSettings(folder), heard.take) as running:
            try:
                async with asyncio.timeout(SECONDS):
                    sidecars = [await running.sidecar("shop", name) for name in ("orders", "billing")]
                    shop = EvasionShop(running, app, *sidecars)
                    await _until_open(shop)
            except TimeoutError:
                raise AssertionError(f"the shop does not open: {heard.events}") from None
            yield shop


def _write(folder: Path, app_port: int) -> None:
    folder.mkdir(parents=True)
    manifests = Path(__file__).with_name("evasion_shop.yaml").read_text(encoding="utf-8")
    (folder / "shop.yaml").write_text(manifests.replace("18080", str(app_port)), encoding="utf-8")


async def _until_open(shop: EvasionShop) -> None:
    target = shop.target()
    while True:
        with contextlib.suppress(ConnectionRefusedError):
            client = Client(target.address, target.port, server_name="billing.shop")
            response = await client.request("GET", "/ping")
            await client.close()
            if response.status == 200:
                return
        await asyncio.sleep(0.02)
