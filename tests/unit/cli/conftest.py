"""Runs commands in this process."""

import io
import signal
import sys
from collections.abc import Iterator

import pytest
from tests.support.cli import Result, Run

from lawflow.cli.main import main


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run ``lawflow`` with arguments, and bytes on standard input."""
    monkeypatch.setattr(sys, "argv", ["lawflow"])
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    handler = signal.getsignal(signal.SIGTERM)

    def run_command(*arguments: str, input: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(input)))
        code = main(arguments)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    yield run_command
    signal.signal(signal.SIGTERM, handler)
