"""An xDS server, and callers that break their handshakes off: ``python -m tests.support.broken_handshakes ROUNDS``.

In a process of its own, since what it tries ended the whole process once. Exit 0: the server is still there.
"""

import asyncio
import contextlib
import random
import ssl
import sys
import tempfile
from pathlib import Path

from tests.support.authority import Authority

from lawflow.xds.last_known import LastKnown
from lawflow.xds.server import DiscoveryService, ServerCredentials, start

CALLERS = 20
LONGEST_SECONDS = 0.05


async def main(rounds: int) -> None:
    """Call and hang up, in the middle of handshakes and after them."""
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(Path(folder), "mesh")
        pair = authority.server("localhost")
        roots = authority.certificate.read_text()
        held = ServerCredentials(pair.key.read_text(), pair.certificate.read_text(), roots)
        tls = ssl.create_default_context(cadata=roots)
        tls.load_cert_chain(pair.certificate, pair.key)
        tls.set_alpn_protocols(["h2"])
        server, port = await start(DiscoveryService(LastKnown(), "example.org"), "127.0.0.1", 0, lambda: held)
        for _ in range(rounds):
            await asyncio.gather(*(_hang_up(port, tls) for _ in range(CALLERS)))
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname="localhost")
        writer.close()
        await server.stop(None)


async def _hang_up(port: int, tls: ssl.SSLContext) -> None:
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(random.uniform(0, LONGEST_SECONDS)):
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname="localhost")
            writer.transport.abort()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
