"""Who listens and who calls within network namespaces of a test."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.support.pod_network import PodNetwork

_PEER = str(Path(__file__).with_name("pod_peer.py"))


@contextlib.contextmanager
def listening(
    network: PodNetwork, namespace: str, user: int, address: str, port: int, kind: str = "tcp"
) -> Iterator[subprocess.Popen[str]]:
    """A program that tells who calls which port it listens at, and to where the call was on its way."""
    process = network.start(namespace, [sys.executable, _PEER, "listen", kind, address, str(port)], user)
    assert process.stdout is not None
    assert process.stdout.readline() == "listening\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def calls(
    network: PodNetwork, namespace: str, user: int, address: str, port: int, source: str = "", kind: str = "tcp"
) -> str:
    """What becomes of a call: ``met PORT``, the one that answered, or ``refused``, or ``lost``."""
    command = [sys.executable, _PEER, "call", kind, address, str(port), source]
    called = network.run(namespace, command, user=user)
    assert called.code == 0, called.error
    return " ".join(called.out.split()[:2])


def source_of_captured(network: PodNetwork, user: int, address: str, port: int) -> str:
    """Where the one that answers a call of the pod's says that the call was on its way to."""
    called = network.run(network.pod, [sys.executable, _PEER, "call", "tcp", address, str(port), ""], user=user)
    assert called.code == 0, called.error
    assert called.out.startswith("met 15001 "), called.out
    return called.out.removeprefix("met 15001 ").strip()
