"""The containers of a pod with their paths."""

from collections.abc import Iterator
from typing import Any

from lawflow.model.sidecar import OWN_CONTAINERS
from lawflow.model.workload import Object

_LISTS = ("initContainers", "containers", "ephemeralContainers")


def app_containers(spec: Object) -> Iterator[tuple[str, Any]]:
    """Path and content of every container that Lawflow did not add: init, main and ephemeral ones."""
    for path, container in all_containers(spec):
        if not (path.startswith(".spec.initContainers") and container.get("name") in OWN_CONTAINERS):
            yield path, container


def all_containers(spec: Object) -> Iterator[tuple[str, Any]]:
    """Path and content of every container."""
    for key in _LISTS:
        for position, container in enumerate(spec.get(key) or ()):
            yield f".spec.{key}[{position}]", container
