"""The Pod Security Standard ``restricted`` (Kubernetes 1.37, Linux pods), read from its published table of controls."""

from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]

_VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip
_BASELINE_SYSCTLS = {
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
}  # fmt: skip
_SELINUX_TYPES = {None, "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
_LOCAL_HOSTS = {None, "", "127.0.0.1", "::1"}
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_PROBES = (("livenessProbe",), ("readinessProbe",), ("startupProbe",))
_HANDLERS = (*_PROBES, ("lifecycle", "postStart"), ("lifecycle", "preStop"))


def violations(pod: Object) -> list[str]:
    """Every control of ``restricted`` that the pod breaks; empty where it passes."""
    spec = pod["spec"]
    context = spec.get("securityContext") or {}
    found = [*_pod_violations(pod, spec, context)]
    for key in _CONTAINERS:
        for container in spec.get(key) or ():
            found += [f"{container['name']}: {fault}" for fault in _container_violations(container, context)]
    return found


def _pod_violations(pod: Object, spec: Object, context: Object) -> Iterator[str]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield field
    for volume in spec.get("volumes") or ():
        if not set(volume) - {"name"} <= _VOLUMES:
            yield f"volume {volume['name']}"
    for sysctl in context.get("sysctls") or ():
        if sysctl["name"] not in _BASELINE_SYSCTLS:
            yield f"sysctl {sysctl['name']}"
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    for name, value in annotations.items():
        if name.startswith("container.apparmor.security.beta.kubernetes.io/") and not (
            value == "runtime/default" or value.startswith("localhost/")
        ):
            yield f"annotation {name}"
    if context.get("runAsUser") == 0:
        yield "runAsUser 0"
    if context.get("runAsNonRoot") is False and not all(
        (container.get("securityContext") or {}).get("runAsNonRoot")
        for key in _CONTAINERS
        for container in spec.get(key) or ()
    ):
        yield "runAsNonRoot false"
    yield from _profiles(context)


def _container_violations(container: Object, pod_context: Object) -> Iterator[str]:
    context = container.get("securityContext") or {}
    if context.get("privileged"):
        yield "privileged"
    if context.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    capabilities = context.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or ()):
        yield "capabilities.drop"
    if not set(capabilities.get("add") or ()) <= {"NET_BIND_SERVICE"}:
        yield "capabilities.add"
    if not context.get("runAsNonRoot", pod_context.get("runAsNonRoot")):
        yield "runAsNonRoot"
    if context.get("runAsUser") == 0:
        yield "runAsUser 0"
    if context.get("procMount") not in (None, "Default"):
        yield "procMount"
    if not (context.get("seccompProfile") or pod_context.get("seccompProfile")):
        yield "seccompProfile"
    yield from _profiles(context)
    for port in container.get("ports") or ():
        if port.get("hostPort"):
            yield "hostPort"
    for path in _HANDLERS:
        handler: Object = container
        for key in path:
            handler = handler.get(key) or {}
        for action in ("httpGet", "tcpSocket"):
            if (handler.get(action) or {}).get("host") not in _LOCAL_HOSTS:
                yield f"{'.'.join(path)}.{action}.host"


def _profiles(context: Object) -> Iterator[str]:
    """Profiles of seccomp, AppArmor and SELinux, at the pod or at a container."""
    if (context.get("seccompProfile") or {}).get("type", "RuntimeDefault") not in ("RuntimeDefault", "Localhost"):
        yield "seccompProfile.type"
    if (context.get("appArmorProfile") or {}).get("type", "RuntimeDefault") not in ("RuntimeDefault", "Localhost"):
        yield "appArmorProfile.type"
    selinux = context.get("seLinuxOptions") or {}
    if selinux.get("type") not in _SELINUX_TYPES or selinux.get("user") or selinux.get("role"):
        yield "seLinuxOptions"
    if (context.get("windowsOptions") or {}).get("hostProcess"):
        yield "hostProcess"
