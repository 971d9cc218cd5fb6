"""Images whose processes take another time for the present one: a library in front of the C library's clocks.

A container has its node's clock, and a namespace for the wall clock there is none. What a process learns of the time it
learns from the C library, so a library that is loaded before it makes the clock wrong for that process alone. Clocks
that measure durations stay right, as they do on a machine whose wall clock is wrong.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.support.builds import GO_MODULES, BuildError, digest, kept
from tests.support.chart import ROOT
from tests.support.node import images, oci
from tests.support.unavailable import UnavailableError

SOURCE = GO_MODULES / "wrongclock" / "clock.c"
OPERATOR = "wrong-clock"
"""Tag of the operator's image."""
_PLACE = "usr/lib/wrong-clock/clock.so"


def environment(seconds: int) -> dict[str, str]:
    """What sets the clock of a process in these images off by so many seconds."""
    return {"LD_PRELOAD": f"/{_PLACE}", "WRONG_CLOCK_SECONDS": str(seconds)}


def operator(archive: Path) -> int:
    """The operator's image, with the library."""
    return images.operator_of(archive, ROOT, OPERATOR, _layer())


def sidecar(archive: Path, tag: str, seconds: int) -> int:
    """The sidecar's image, whose Envoy has a wrong clock: no pod may give it another environment."""
    return images.sidecar_of(archive, tag, _layer(), **environment(seconds))


def _layer() -> oci.Layer:
    with tempfile.TemporaryDirectory(prefix="lawflow-clock-") as folder:
        place = Path(folder, _PLACE)
        place.parent.mkdir(parents=True)
        shutil.copy(_library(), place)
        return oci.layer(Path(folder))


def _library() -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        raise UnavailableError("there is no C compiler here (cc) to build the library of wrong clocks with")

    def build(into: Path) -> None:
        command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(into / "clock.so"), str(SOURCE)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BuildError(f"{SOURCE} did not compile: {done.stderr.strip()}")

    return (
        kept(f"wrong-clock-{digest(SOURCE.read_bytes())}", "building the library of wrong clocks", build) / "clock.so"
    )
