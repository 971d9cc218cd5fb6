"""What manifests declare: typed Lawflow objects and workloads, each with its place, or everything that is wrong."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lawflow.manifest import LocatedObject, LocatedProblem, Manifest
from lawflow.model.base import CustomResource
from lawflow.model.dataflow import DataFlow
from lawflow.model.foreign import shape_problems
from lawflow.model.kinds import CUSTOM_KINDS, SERVICE
from lawflow.model.parse import InvalidObjectError, Problem, is_custom, parse
from lawflow.model.workload import PodTemplate, pod_template
from lawflow.resolve import Key, Objects

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_CLUSTER_SCOPED = frozenset(kind.name for kind in CUSTOM_KINDS if not kind.namespaced) | {"Namespace"}


@dataclass(frozen=True)
class Workload:
    """An object that makes pods, with its pod template."""

    located: LocatedObject
    template: PodTemplate

    @property
    def namespace(self) -> str:
        """Namespace of the workload."""
        return str(self.located.object["metadata"]["namespace"])


@dataclass(frozen=True)
class Declared:
    """The objects of all manifests."""

    flows: tuple[tuple[DataFlow, LocatedObject], ...]
    workloads: tuple[Workload, ...]
    resources: tuple[CustomResource, ...]
    services: tuple[Mapping[str, Any], ...]
    count: int
    """Objects that were read, of any kind."""

    @property
    def objects(self) -> Objects:
        """What flows may refer to."""
        return Objects(self.resources, self.services)


def declared(manifest: Manifest, namespace: str) -> tuple[Declared, tuple[LocatedProblem, ...]]:
    """The typed form of manifests, and every problem in them.

    Objects of namespaced kinds that name no namespace lie in ``namespace``, as they would for ``kubectl apply``.
    """
    flows: list[tuple[DataFlow, LocatedObject]] = []
    workloads: list[Workload] = []
    resources: list[CustomResource] = []
    services: list[Mapping[str, Any]] = []
    problems = list(manifest.problems)
    first: dict[Key, LocatedObject] = {}
    for located in (_in_namespace(located, namespace) for located in manifest.objects):
        obj = located.object
        if is_custom(obj):
            try:
                # Status is the server's, as `kubectl get` prints it, perhaps that of another release.
                resource = parse({name: part for name, part in obj.items() if name != "status"})
            except InvalidObjectError as error:
                problems += map(located.problem, error.problems)
                continue
            problems += map(located.problem, (*_misnamed(obj), *_repeated(resource.key, located, first)))
            resources.append(resource)
            if isinstance(resource, DataFlow):
                flows.append((resource, located))
        elif found := shape_problems(obj):
            problems += map(located.problem, found)
        elif obj["kind"] == SERVICE.name and obj["apiVersion"] == SERVICE.api_version:
            services.append(obj)
        elif template := pod_template(obj):
            workloads.append(Workload(located, template))
    return (
        Declared(tuple(flows), tuple(workloads), tuple(resources), tuple(services), len(manifest.objects)),
        tuple(sorted(problems, key=lambda problem: (problem.file, problem.line, problem.path))),
    )


def _in_namespace(located: LocatedObject, namespace: str) -> LocatedObject:
    metadata = located.object["metadata"]
    name = metadata.get("name") or metadata.get("generateName")
    where = "" if located.object["kind"] in _CLUSTER_SCOPED else metadata.get("namespace") or namespace
    return replace(located, object={**located.object, "metadata": {**metadata, "name": name, "namespace": where}})


def _misnamed(obj: Mapping[str, Any]) -> Iterable[Problem]:
    for field, pattern in ("name", _NAME), ("namespace", _LABEL):
        value = obj["metadata"].get(field)
        if value and not pattern.fullmatch(value):
            fix = "use lower case letters, digits and -" + (" and ." if pattern is _NAME else "")
            yield Problem(f".metadata.{field}", f"{value!r} is no name that Kubernetes takes", fix)


def _repeated(key: Key, located: LocatedObject, first: dict[Key, LocatedObject]) -> Iterable[Problem]:
    """Two objects of one name and different content: which of them counts would depend on their order."""
    earlier = first.setdefault(key, located)
    if earlier.object != located.object:
        message = f"{key[0]} {key[2]} is declared twice; first in {earlier.file}:{earlier.line()}"
        yield Problem(".metadata.name", message, "remove or rename one of them")
