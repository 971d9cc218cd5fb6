"""The table of commands, exit codes and signals."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from tests.support import ctrl_c
from tests.support.cli import Run

from lawflow import __version__
from lawflow.cli.main import BROKEN_PIPE, COMMANDS, INTERRUPTED, cli, program_name

pytestmark = pytest.mark.unit

LAWFUL = str(Path(__file__).resolve().parents[3] / "examples" / "shop" / "lawful")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_loads_and_explains_itself(name: str, run: Run) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.help
    result = run(name, "--help")
    assert result.code == 0
    assert "Usage: lawflow " + name in result.out


def test_the_list_of_commands_imports_none_of_them() -> None:
    program = (
        "import sys; from lawflow.cli.main import main; main(['--help']); "
        "print([name for name in sys.modules if name.startswith(('pydantic', 'kopf', 'grpc', 'lawflow.law'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_hidden_commands_stay_out_of_the_list(run: Run) -> None:
    out = run("--help").out
    assert "check " in out
    assert "generate" not in out


def test_the_version_is_told(run: Run) -> None:
    assert run("--version").out == f"lawflow {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["chek"], "did you mean check?"),
        (["--nope"], "No such option"),
        (["check"], "Missing option '-f'"),
        (["check", "-f", "-", "--today", "tomorrow"], "tomorrow"),
        (["completion", "tcsh"], "tcsh"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_wrong(run: Run, arguments: list[str], says: str) -> None:
    result = run(*arguments)
    assert result.code == 2
    assert says in result.err
    assert result.out == ""


def test_the_program_calls_itself_as_the_user_did() -> None:
    assert program_name("/usr/local/bin/kubectl-lawflow") == "kubectl lawflow"
    assert program_name("/usr/local/bin/lawflow") == "lawflow"
    assert program_name("/site-packages/lawflow/__main__.py") == "lawflow"


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "lawflow", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"lawflow {__version__}\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, INTERRUPTED), (signal.SIGTERM, 0)])
def test_a_command_that_is_stopped_ends_quietly(tmp_path: Path, number: signal.Signals, code: int) -> None:
    pipe = tmp_path / "manifests.yaml"
    os.mkfifo(pipe)
    process = subprocess.Popen(
        [sys.executable, "-m", "lawflow", "check", "-f", str(pipe)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=ctrl_c.heard,
    )  # fmt: skip
    # Opening blocks until the command has opened the other end, and so is reading.
    with pipe.open("wb"):
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert b"Traceback" not in out + err


def test_a_reader_that_goes_away_is_no_error_to_speak_of() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "lawflow", "explain"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert process.wait(timeout=30) == BROKEN_PIPE
    assert process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.parametrize("command", ["check --today 2026-11-01", "inject"])
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_process_that_was_started_without_a_stream_does_its_work(command: str, closed: str) -> None:
    line = f'"{sys.executable}" -m lawflow {command} -f - -f "{LAWFUL}" {closed}'
    done = subprocess.run(["/bin/sh", "-c", line], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_output_that_cannot_be_written_is_told_and_looks_neither_clean_nor_denied() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "lawflow", "explain"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2
    assert done.stderr == "Error: [Errno 28] No space left on device\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_a_script_that_completes(run: Run, shell: str) -> None:
    assert f"_LAWFLOW_COMPLETE={shell}_complete" in run("completion", shell).out


@pytest.mark.parametrize(
    ("words", "completed"),
    [("lawflow ch", "check"), ("lawflow explain GDPR-6-1-f-bal", "GDPR-6-1-f-balancing-missing")],
)
def test_commands_and_rules_are_completed(words: str, completed: str) -> None:
    environment = {
        **os.environ,
        "_LAWFLOW_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    program = "import sys; sys.argv = ['lawflow']; from lawflow.cli.main import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert f"plain,{completed}" in done.stdout.splitlines()
