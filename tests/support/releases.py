"""Releases of Lawflow made from this tree under other version numbers, to upgrade from and to."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.chart import ROOT
from tests.support.node import images
from tests.support.node.cluster import NodeCluster

from lawflow.mesh.policy import SCHEMA
from lawflow.mesh.releases import template_name

_TREE = ("operator", "charts", "crds", "pyproject.toml", "README.md", "LICENSE")
_PACKAGE = "operator/lawflow"
_VERSIONED = {
    f"{_PACKAGE}/__init__.py": r'(?m)^(__version__ = )".+"$',
    "pyproject.toml": r'(?m)^(version = )".+"$',
    "charts/lawflow/Chart.yaml": r"(?m)^((?:appVersion|version): )\S+()$",
}
_BOOTSTRAPS = f"{_PACKAGE}/mesh/bootstraps"


@dataclass(frozen=True)
class Release:
    """A source tree of one version."""

    version: str
    tree: Path

    @property
    def chart(self) -> Path:
        """The chart of that version."""
        return self.tree / "charts" / "lawflow"

    def put_onto(self, cluster: NodeCluster, folder: Path) -> None:
        """Builds both images and loads them."""
        archive = folder / f"{self.version}.tar"
        images.operator_of(archive, self.tree, self.version)
        cluster.load(archive)
        images.sidecar_of(archive, self.version)
        cluster.load(archive)
        archive.unlink()


def release(version: str, folder: Path, *, before: Sequence[Release] = (), of_old: bool = False) -> Release:
    """A release of this tree; it counts the sidecars of the releases before it, newest first.

    One of old writes and reads policies of the schema before, and its sidecars ask their xDS server more often whether
    it lives.
    """
    made = Release(version, folder / version)
    for part in _TREE:
        source, target = ROOT / part, made.tree / part
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    for path, pattern in _VERSIONED.items():
        quote = "" if path.endswith(".yaml") else '"'
        _change(made.tree / path, pattern, rf"\g<1>{quote}{version}{quote}")
    listed = ", ".join(f"lawflow/sidecar:{each}" for each in (version, *(earlier.version for earlier in before)))
    _change(made.chart / "values.yaml", r"(?m)^(  images: )\[.+\]$", rf"\g<1>[{listed}]")
    if of_old:
        _change(made.tree / _PACKAGE / "mesh" / "policy.py", r"(?m)^(SCHEMA = )\d+$", rf"\g<1>{SCHEMA - 1}")
        _change(made.tree / _PACKAGE / "mesh" / "bootstrap.py", r'("interval": )"30s"', r'\g<1>"20s"')
    for kept in (made.tree / _BOOTSTRAPS).iterdir():
        kept.unlink()
    for earlier in before:
        shutil.copy(earlier.tree / _PACKAGE / "mesh" / template_name(earlier.version), made.tree / _BOOTSTRAPS)
    subprocess.run(
        [sys.executable, "-m", "lawflow", "generate", "bootstraps"],
        cwd=made.tree, check=True, env=os.environ | {"PYTHONPATH": str(made.tree / "operator")},
    )  # fmt: skip
    return made


def _change(file: Path, pattern: str, replacement: str) -> None:
    text, count = re.subn(pattern, replacement, file.read_text(encoding="utf-8"))
    assert count, f"{file} holds nothing like {pattern}"
    file.write_text(text, encoding="utf-8")
