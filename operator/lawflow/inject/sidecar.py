"""The sidecar container."""

from typing import Any

from lawflow.inject.settings import InjectionSettings, SidecarRelease
from lawflow.model import sidecar as contract

COMMAND = ("envoy",)


def sidecar_container(settings: InjectionSettings, release: SidecarRelease) -> dict[str, Any]:
    """The native sidecar of a release.

    Every field that the API server would default is written out, so that a stored sidecar equals a new one.
    """
    return {
        "name": contract.CONTAINER,
        "image": release.image,
        "imagePullPolicy": settings.image_pull_policy,
        "restartPolicy": "Always",
        "command": list(COMMAND),
        "args": arguments(release),
        "env": [
            {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}
            for name, path in contract.ENVIRONMENT.items()
        ],
        "ports": [
            {"name": "lawflow-mtls", "containerPort": contract.PEER_PORT, "protocol": "TCP"},
            {"name": "lawflow-health", "containerPort": contract.HEALTH_PORT, "protocol": "TCP"},
        ],
        "startupProbe": _probe(period=1, failures=settings.startup_seconds),
        "readinessProbe": _probe(period=5, failures=3),
        "resources": {"requests": dict(settings.requests), "limits": dict(settings.limits)},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "privileged": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": settings.user_id,
            "runAsGroup": settings.user_id,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "volumeMounts": [
            {"name": contract.CERTIFICATE_VOLUME, "mountPath": contract.CERTIFICATE_DIRECTORY, "readOnly": True},
            {"name": contract.ADMIN_VOLUME, "mountPath": contract.ADMIN_DIRECTORY},
        ],
    }


def arguments(release: SidecarRelease) -> list[str]:
    """Envoy's command line: the whole bootstrap, and who this pod is."""
    # The kubelet expands $(NAME) and reads $$ as a dollar sign.
    bootstrap = release.bootstrap.replace("$", "$$")
    for name in contract.ENVIRONMENT:
        bootstrap = bootstrap.replace(f"$$({name})", f"$({name})")
    return [
        "--config-yaml",
        bootstrap,
        "--service-node",
        "$(POD_NAMESPACE)/$(POD_NAME)",
        "--service-cluster",
        "$(POD_NAMESPACE)/$(SERVICE_ACCOUNT)",
        "--concurrency",
        str(release.concurrency),
        # Hot restart wants shared memory and a second Envoy; a container has neither.
        "--disable-hot-restart",
    ]


def _probe(period: int, failures: int) -> dict[str, Any]:
    # Over HTTP on the health listener: the admin interface is a unix socket, and plain Envoy images hold no client
    # that an exec probe could run.
    return {
        "httpGet": {"path": contract.HEALTH_PATH, "port": contract.HEALTH_PORT, "scheme": "HTTP"},
        "periodSeconds": period,
        "timeoutSeconds": 1,
        "successThreshold": 1,
        "failureThreshold": failures,
    }
