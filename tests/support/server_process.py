"""A process of Lawflow's with health and metrics, which tests signal and kill."""

import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import httpx
from tests.support import ctrl_c, environment
from tests.support.cluster import Cluster, User
from tests.support.waiting import eventually

SECONDS_TO_END = 20.0


class ServerProcess:
    """One replica. Use it as a context manager; what it logs is in ``log``."""

    command: ClassVar[str]
    hurry: ClassVar[tuple[str, ...]] = ()
    """Options that go before those of a test."""

    def __init__(
        self,
        cluster: Cluster,
        directory: Path,
        namespace: str,
        *options: str,
        name: str = "a",
        user: User | None = None,
    ) -> None:
        self.log = directory / f"{self.command}-{name}.log"
        arguments = [
            *(sys.executable, "-m", "lawflow", self.command),
            *(f"--kubeconfig={(user or cluster.admin).kubeconfig}", f"--namespace={namespace}"),
            *("--host=127.0.0.1", "--port=0", *self.hurry, *options),
        ]
        self._output = self.log.open("ab")
        self.process = subprocess.Popen(
            arguments,
            stdout=self._output,
            stderr=self._output,
            env=environment.without("KUBE", "LAWFLOW"),
            preexec_fn=ctrl_c.heard,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ended = self.process.poll()
        self.process.kill()
        self.process.wait()
        self._output.close()
        if error is not None or ended not in (None, 0):
            print(self.log.read_text(errors="replace")[-6000:], file=sys.stderr)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal it and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS_TO_END)

    def get(self, path: str) -> httpx.Response:
        """Ask its health server."""
        found = eventually(lambda: _port(self.log), "the port is logged")
        return httpx.get(f"http://127.0.0.1:{found}{path}", trust_env=False, timeout=30.0)


class ControllerProcess(ServerProcess):
    """One replica of the controller, in a hurry."""

    command = "controller"
    hurry = ("--tick-seconds=0.1",)

    def leads(self) -> bool:
        """Whether it says that it has the Lease."""
        assert self.process.poll() is None, f"the controller ended with {self.process.returncode}"
        return "this replica leads" in self.log.read_text(errors="replace")


class SignerProcess(ServerProcess):
    """One replica of the signer."""

    command = "signer"


def _port(log: Path) -> str | None:
    for line in log.read_text(errors="replace").splitlines():
        if "metrics and health at port" in line:
            return line.partition("metrics and health at port ")[2].split('"')[0]
    return None
