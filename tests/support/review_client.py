"""Sends reviews to an admission server over TLS connections that stay open, as an API server does."""

import asyncio
import ssl
import time
from collections.abc import Iterable
from pathlib import Path

from tests.support.gate import AdmissionServer


async def send(server: AdmissionServer, bodies: Iterable[bytes], connections: int = 10) -> list[float]:
    """Send each body once, so many at a time; the seconds until each answer, in the order of the answers.

    Raises AssertionError where an answer is neither 200 nor 400.
    """
    waiting = iter(bodies)
    took: list[float] = []
    await asyncio.gather(*(_one_connection(server, waiting, took) for _ in range(connections)))
    return took


async def _one_connection(server: AdmissionServer, waiting: Iterable[bytes], took: list[float]) -> None:
    tls = ssl.create_default_context(cafile=server.authority.certificate)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=tls, server_hostname="127.0.0.1")
    for body in waiting:
        start = time.perf_counter()
        writer.write(
            b"POST /mutate HTTP/1.1\r\nHost: gate\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (len(body), body)
        )
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0]))
        took.append(time.perf_counter() - start)
        assert head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 400")), head
    writer.close()
    await writer.wait_closed()


def cpu_seconds(pid: int) -> float:
    """CPU time of a process's threads so far (Linux: the first field of schedstat, in nanoseconds)."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def resident_mebibytes(pid: int) -> float:
    """Resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1]) / 1024
