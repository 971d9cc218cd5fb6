"""A network of a test's own, in which outbound connections are redirected as they are in a pod."""

import asyncio
import contextlib
import ctypes
import os
import subprocess
from collections.abc import Iterator

from tests.support.node.programs import nft
from tests.support.shop import SECONDS

from lawflow.model.sidecar import OUTBOUND_PORT
from lawflow.standalone.traffic import Client, Response

_CLONE_NEWNET = 0x40000000

APP_USER = 1000

# As lawflow-network writes them, where root stands for the sidecar.
_RULES = f"""
table inet test {{
  chain output {{
    type nat hook output priority -100; policy accept;
    meta skuid 0 return
    ip daddr 127.0.0.0/8 return
    ip6 daddr ::1 return
    meta l4proto tcp redirect to :{OUTBOUND_PORT}
  }}
}}
"""


@contextlib.contextmanager
def redirected_network(*addresses: str) -> Iterator[None]:
    """Move the calling thread, and what it starts, into a network with these addresses and rules that redirect.

    Sockets that exist already stay where they were made.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.unshare(_CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "a network namespace takes root")
        try:
            _run("ip", "link", "set", "lo", "up")
            for address in addresses:
                _run("ip", "address", "add", address, "dev", "lo", *(["nodad"] if ":" in address else []))
            _run("ip", "link", "add", "outside", "type", "veth", "peer", "name", "other-end")
            for end in ("outside", "other-end"):
                _run("ip", "link", "set", end, "up")
            _run("ip", "address", "add", "10.244.0.2/24", "dev", "outside")
            _run("ip", "-6", "address", "add", "fd00:10:244::2/64", "dev", "outside", "nodad")
            for family in ("-4", "-6"):
                _run("ip", family, "route", "add", "default", "dev", "outside")
            subprocess.run([nft(), "-f", "-"], input=_RULES, text=True, check=True)
            yield
        finally:
            if libc.setns(home, _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "the way back to the host's network is lost")
    finally:
        os.close(home)


@contextlib.contextmanager
def as_app() -> Iterator[None]:
    """Let sockets that this thread makes count as those of an app: the kernel asks who made a socket."""
    libc = ctypes.CDLL(None)
    before = libc.setfsuid(APP_USER)
    try:
        yield
    finally:
        libc.setfsuid(before)


async def get_as_app(address: str, port: int, host: str = "", path: str = "/invoices/17") -> Response:
    """What an app gets that calls an address by a name, on a connection of its own."""
    client = Client(address, port, server_name=host or address)
    try:
        async with asyncio.timeout(SECONDS):
            with as_app():
                return await client.request("GET", path)
    finally:
        await client.close()


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
