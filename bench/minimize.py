"""The minimizer alone, beside memcpy and the parsers that others would filter with, on the same bodies.

The measuring is done in Rust (sidecar/bench), in one process: gigabytes a second on one core. The bodies are records of
13 or 52 fields, of which the first half is declared. The parsers parse into a tree and write all of it again.
"""

import os
import subprocess
from pathlib import Path

from tests.support import builds

SIDECAR = Path(__file__).resolve().parent.parent / "sidecar"


def main() -> None:
    """Measure and print."""
    environment = {**os.environ, "CARGO_TARGET_DIR": str(builds.cache() / "sidecar")}
    command = ["cargo", "run", "--release", "--locked", "--quiet", "--package", "lawflow-bench"]
    subprocess.run(command, cwd=SIDECAR, env=environment, check=True)


if __name__ == "__main__":
    main()
