"""The bootstraps that sidecars of the releases so far were started with.

A pod runs the sidecar that it was made with for as long as it lives, so a control plane has to know the texts of the
releases before its own: a sidecar whose text nobody knows is not genuine, and gets no new certificate. Each release
keeps its own in ``bootstraps/VERSION.json``, with sample values where installations differ.
"""

import json
import re
from dataclasses import astuple
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from lawflow import __version__
from lawflow.mesh.bootstrap import BootstrapSettings, Server, bootstrap
from lawflow.mesh.envoy import Resource

COUNTED = 3
"""Releases whose sidecars are served and genuine: the present one and the two before."""
KEPT: Traversable = files("lawflow.mesh") / "bootstraps"
"""The folder of what the releases kept."""
_SUFFIX = ".json"
_SAMPLE = BootstrapSettings(
    tuple(
        Server(f"{name}.invalid", port, f"spiffe://domain.invalid/ns/namespace/sa/{name}")
        for name, port in (("xds", 65535), ("standby", 65534))
    )
)


def template() -> str:
    """What the present release keeps, as JSON."""
    return json.dumps(bootstrap(_SAMPLE), indent=1, sort_keys=True) + "\n"


def template_name(version: str = __version__) -> str:
    """The file that a release keeps it in, within the folder of this module."""
    return f"{KEPT.name}/{version}{_SUFFIX}"


def counted_versions(kept: Traversable = KEPT) -> tuple[str, ...]:
    """The present release and the two before it, as far as they were released; newest first."""
    found = {entry.name.removesuffix(_SUFFIX) for entry in kept.iterdir() if entry.name.endswith(_SUFFIX)}
    before = sorted((version for version in found if _order(version) < _order(__version__)), key=_order, reverse=True)
    return (__version__, *before[: COUNTED - 1])


def bootstrap_of(version: str, settings: BootstrapSettings, kept: Traversable = KEPT) -> Resource:
    """The bootstrap that a release counted above starts its sidecars with, in this installation."""
    if version == __version__:
        return bootstrap(settings)
    values = {
        before: after
        for sample, server in zip(_SAMPLE.servers, settings.servers, strict=True)
        for before, after in zip(astuple(sample), astuple(server), strict=True)
    }
    filled: Resource = _filled(json.loads((kept / f"{version}{_SUFFIX}").read_text(encoding="utf-8")), values)
    return filled


def _filled(value: Any, values: dict[Any, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(member, values) for key, member in value.items()}
    if isinstance(value, list):
        return [_filled(element, values) for element in value]
    return values.get(value, value)


def _order(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)))
