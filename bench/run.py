"""Runs every benchmark in turn and writes ``bench/RESULTS.md``, with the machine and the date.

A benchmark is a module of this folder whose ``main()`` prints its figures as JSON, one object a line. Each runs in a
process of its own, so that none warms or burdens another.
"""

import datetime as dt
import inspect
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BENCHMARKS = (
    "law", "minimize", "datapath", "certificates", "admission", "propagation", "acknowledgement", "rotation", "memory",
    "pods",
)  # fmt: skip

HEAD = """# Results

`make bench` and `make soak` write this page. Figures of one section come from one run."""


def machine() -> str:
    """Processor, cores, memory, kernel and Python of this machine, in one line."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor() or "unknown processor",
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    software = f"Linux {platform.release()}, Python {platform.python_version()}"
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, {software}"


def figures(benchmark: str) -> list[dict[str, Any]]:
    """The JSON objects that a benchmark printed. Raises CalledProcessError where it failed."""
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{benchmark}"], check=True, stdout=subprocess.PIPE, text=True, cwd=HERE.parent
    )
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def rows(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every figure with its dotted path."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from rows(part, f"{path}.{key}" if path else key)
    elif isinstance(value, float):
        yield path, f"{value:,.3f}" if abs(value) < 100 else f"{value:,.0f}"
    else:
        yield path, str(value)


def section(benchmark: str) -> str:
    """The Markdown section of one benchmark."""
    module = import_module(f"bench.{benchmark}")
    lines = [f"## {benchmark}", "", inspect.cleandoc(module.__doc__ or ""), ""]
    # One with many figures of a kind lays them out itself.
    if table := getattr(module, "table", None):
        return "\n".join([*lines, *table(figures(benchmark))]).rstrip()
    lines += ["| figure | value |", "|---|---|"]
    for figure in figures(benchmark):
        lines += [f"| {path.replace('_', ' ')} | {value} |" for path, value in rows(figure)]
    return "\n".join(lines)


def main() -> None:
    """Run the benchmarks named on the command line, or all but the soak, and replace their sections of the results."""
    chosen = sys.argv[1:] or [name for name in BENCHMARKS if (HERE / f"{name}.py").exists()]
    results = HERE / "RESULTS.md"
    kept = {
        part.split("\n", 1)[0].strip(): f"## {part.strip()}"
        for part in (results.read_text().split("\n## ")[1:] if results.exists() else [])
    }
    for benchmark in chosen:
        print(f"bench: {benchmark} …", file=sys.stderr, flush=True)
        stamp = dt.datetime.now(dt.UTC).date().isoformat()
        kept[benchmark] = section(benchmark) + f"\n\nMeasured {stamp} on {machine()}."
        # After each, so that what has been measured outlives a benchmark that fails.
        results.write_text("\n\n".join([HEAD, *(kept[name] for name in sorted(kept))]) + "\n")
    print(f"bench: results are in {results.relative_to(HERE.parent)}", file=sys.stderr)


if __name__ == "__main__":
    main()
