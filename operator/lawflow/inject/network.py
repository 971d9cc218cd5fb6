"""Mode redirect: the pod's first container, which sees that its network has the rules, or puts them there.

Before the sidecar and the app, so that nothing of the pod runs where connections are not captured.
"""

from collections.abc import Iterator
from typing import Any

from lawflow.inject.containers import app_containers
from lawflow.inject.settings import InjectionSettings, SidecarRelease
from lawflow.model import sidecar as contract
from lawflow.model.sidecar import RedirectBy
from lawflow.model.workload import Object

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HOOKS = ("postStart", "preStop")


def network_container(
    settings: InjectionSettings, release: SidecarRelease, redirect_by: RedirectBy | None = None
) -> dict[str, Any]:
    """The container of a release; every field that the API server would default is written out."""
    form = redirect_by or settings.redirect_by
    applies = form == "initContainer"
    context = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"], **({"add": ["NET_ADMIN"]} if applies else {})},
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": not applies,
        "runAsUser": 0 if applies else contract.NETWORK_USER_ID,
        "runAsGroup": 0 if applies else contract.NETWORK_USER_ID,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    found: dict[str, Any] = {
        "name": contract.NETWORK_CONTAINER,
        "image": release.image,
        "imagePullPolicy": settings.image_pull_policy,
        "command": list(contract.NETWORK_COMMAND),
        "args": arguments(settings.user_id, form),
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "500m", "memory": "64Mi"}},
        "securityContext": context,
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }
    if applies:
        found["env"] = [
            {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}
            for name, path in contract.NETWORK_ENVIRONMENT.items()
        ]
    return found


def arguments(user_id: int, redirect_by: RedirectBy) -> list[str]:
    """The command line for a sidecar that runs as ``user_id``."""
    user = f"--sidecar-user={user_id}"
    if redirect_by == "cni":
        return ["check", user]
    variables = ("--node-address=$(NODE_ADDRESSES)", "--probe-ports=$(PROBE_PORTS)", "--udp-ports=$(UDP_PORTS)")
    return ["apply", user, *variables]


def probe_ports(spec: Object) -> str:
    """The ports that the kubelet calls for probes and hooks, in order, comma-separated; the rules let the node in."""
    found = {port for _, container in app_containers(spec) for port in _probed(container)}
    return ",".join(str(port) for port in sorted(found))


def _probed(container: Object) -> Iterator[int]:
    named = {port.get("name"): port.get("containerPort") for port in container.get("ports") or ()}
    lifecycle = container.get("lifecycle") or {}
    handlers = [container.get(probe) or {} for probe in _PROBES] + [lifecycle.get(hook) or {} for hook in _HOOKS]
    for handler in handlers:
        for kind in ("httpGet", "tcpSocket", "grpc"):
            action = handler.get(kind) or {}
            # What names a host is called there, not in the pod.
            port = None if action.get("host") else action.get("port")
            port = named.get(port, port)
            if isinstance(port, str) and port.isdigit():
                port = int(port)
            if isinstance(port, int):
                yield port
