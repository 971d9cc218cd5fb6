"""Images whose processes take another time for the present one: a library in front of the C library's clocks.

A container has its node's clock, and a namespace for the wall clock there is none. What a process learns of the time it
learns from the C library, so a library that is loaded before it makes the clock wrong for that process alone. Clocks
that measure durations stay right, as they do on a machine whose wall clock is wrong.
"""

import shutil
import tempfile
from pathlib import Path

from tests.support.chart import ROOT
from tests.support.node import debian, images, oci

OPERATOR, SIDECAR_AHEAD, SIDECAR_BEHIND = "wrong-clock", "two-hours-ahead", "two-hours-behind"
_LIBRARY = "usr/lib/faketime/libfaketime.so.1"


def environment(offset: str) -> dict[str, str]:
    """What sets the clock of a process in these images off, e.g. by ``+2h``."""
    return {"LD_PRELOAD": f"/{_LIBRARY}", "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def operator(archive: Path) -> int:
    """The operator's image, with the library."""
    return images.operator_of(archive, ROOT, OPERATOR, _layer())


def sidecar(archive: Path, tag: str, offset: str) -> int:
    """The sidecar's image, whose Envoy has a wrong clock: no pod may give it another environment."""
    return images.sidecar_of(archive, tag, _layer(), **environment(offset))


def _layer() -> oci.Layer:
    files = debian.beside_what_is_installed("libfaketime")
    (library,) = files.glob("usr/lib/*/faketime/libfaketime.so.1")
    with tempfile.TemporaryDirectory(prefix="lawflow-clock-") as folder:
        place = Path(folder, _LIBRARY)
        place.parent.mkdir(parents=True)
        shutil.copy(library, place)
        return oci.layer(Path(folder))
