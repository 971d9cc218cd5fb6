"""Whether a pod that no API server has seen yet has the shape that injection reads."""

from collections.abc import Iterator, Mapping
from typing import Any

from lawflow.model.parse import Problem

# A mapping stands for a map with these fields of interest, a list for a list of its one member, a type for itself.
_SECRET = {"secretName": str, "name": str}
_PROBE: Mapping[str, Any] = {handler: {} for handler in ("httpGet", "tcpSocket", "grpc")}
_CONTAINER: Mapping[str, Any] = {
    "name": str,
    "ports": [{"containerPort": int}],
    "env": [{"valueFrom": {"secretKeyRef": _SECRET}}],
    "envFrom": [{"secretRef": _SECRET}],
    "volumeMounts": [{"name": str}],
    "securityContext": {},
    **dict.fromkeys(("livenessProbe", "readinessProbe", "startupProbe"), _PROBE),
}
_SPEC: Mapping[str, Any] = {
    "initContainers": [_CONTAINER],
    "containers": [_CONTAINER],
    "ephemeralContainers": [_CONTAINER],
    "volumes": [
        {"name": str, "secret": _SECRET, "projected": {"sources": [{"secret": _SECRET, "podCertificate": {}}]}},
    ],
    "hostAliases": [{"ip": str, "hostnames": [str]}],
    "securityContext": {"sysctls": [{"name": str}]},
    "nodeSelector": {},
    "os": {},
}


def shape_problems(spec: Any, path: str) -> Iterator[Problem]:
    """Fields of a pod's spec, which stands at ``path``, that are no list, map, string or number and must be one."""
    yield from _problems(spec, _SPEC, path)


def _problems(value: Any, expected: Any, path: str) -> Iterator[Problem]:
    if value is None:
        # The API server takes null for absent, except as a member of a list.
        if path.endswith("]"):
            yield Problem(path, "a list may not hold null", "remove it")
    elif isinstance(expected, Mapping):
        if not isinstance(value, Mapping):
            yield Problem(path, "is not a map", "write field: value pairs")
            return
        for key, inner in expected.items():
            yield from _problems(value.get(key), inner, f"{path}.{key}")
    elif isinstance(expected, list):
        if not isinstance(value, list):
            yield Problem(path, "is not a list", "begin each member with a dash")
            return
        for position, member in enumerate(value):
            yield from _problems(member, expected[0], f"{path}[{position}]")
    elif not isinstance(value, expected):
        yield Problem(path, *(("is not a string", "quote it") if expected is str else ("is not a number", "give one")))
