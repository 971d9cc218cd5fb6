"""The cluster tier once more, on a kind cluster: where Docker is, a kubelet and a scheduler are to be had as well.

``python -m tests.support.kind [PYTEST ARGUMENTS]`` makes a cluster of its own, lends it to the tests by
LAWFLOW_TEST_KUBECONFIG, and deletes it however they end. Clusters of yours are never touched. Exit 0 where the tests
passed, or where there is no Docker and CI does not ask; else theirs.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from tests.support import toolchain
from tests.support.unavailable import UnavailableError

NODE_IMAGE = "kindest/node:v1.37.0"
NETWORK = "kind"
"""The Docker network that kind puts its nodes into."""


def main(arguments: list[str]) -> int:
    """Run the cluster tier on kind."""
    try:
        engine = docker()
    except UnavailableError as reason:
        print(f"the cluster tier cannot run on kind here: {reason}", file=sys.stderr)
        return 1 if os.environ.get("CI") == "true" else 0
    signal.signal(signal.SIGTERM, _end)
    with _cluster() as kubeconfig:
        lent = {"LAWFLOW_TEST_KUBECONFIG": str(kubeconfig), "LAWFLOW_TEST_HOST": _gateway(engine)}
        command = [sys.executable, "-m", "pytest", "-m", "cluster and not soak", *arguments]
        return subprocess.run(command, env={**os.environ, **lent}, check=False).returncode


def docker() -> str:
    """Where the client of a running Docker engine is. Raises UnavailableError where there is none."""
    client = shutil.which("docker")
    if client is None:
        raise UnavailableError("there is no docker on PATH")
    asked = subprocess.run([client, "info"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if asked.returncode:
        complaint = asked.stderr.strip().splitlines()
        raise UnavailableError(complaint[-1] if complaint else f"docker info ended with {asked.returncode}")
    return client


@contextmanager
def _cluster() -> Iterator[Path]:
    kind, name = str(toolchain.kind()), f"lawflow-test-{uuid.uuid4().hex[:8]}"
    with tempfile.TemporaryDirectory(prefix="lawflow-kind-") as directory:
        kubeconfig = Path(directory) / "kubeconfig"
        flags = (f"--name={name}", f"--kubeconfig={kubeconfig}")
        try:
            subprocess.run([kind, "create", "cluster", *flags, f"--image={NODE_IMAGE}", "--wait=120s"], check=True)
            yield kubeconfig
        finally:
            subprocess.run([kind, "delete", "cluster", *flags], check=False)


def _gateway(engine: str) -> str:
    """The address of this host on kind's network: where its API server reaches the admission server of a test."""
    shown = "{{range .IPAM.Config}}{{.Gateway}} {{end}}"
    told = subprocess.run(
        [engine, "network", "inspect", NETWORK, f"--format={shown}"], capture_output=True, text=True, check=True
    )
    return next(address for address in told.stdout.split() if "." in address)


def _end(_number: int, _frame: object) -> NoReturn:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
