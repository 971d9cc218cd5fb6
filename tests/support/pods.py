"""Pods, settings and destinations that tests of injection share, and pods at random."""

import copy
from typing import Any

from hypothesis import strategies as st

from lawflow.inject import IdentityData, InjectionSettings, SidecarRelease
from lawflow.model.loopback import LoopbackDestination

Object = dict[str, Any]

RELEASE = SidecarRelease(
    "0.3.0", "registry.example/sidecar@sha256:" + "3" * 64, '{"node":{},"cost":"$(POD_NAME) $(HOME) $5"}'
)
PREVIOUS = (
    SidecarRelease("0.2.0", "registry.example/sidecar@sha256:" + "2" * 64, "{}"),
    SidecarRelease("0.1.0", "registry.example/sidecar@sha256:" + "1" * 64, "{}"),
)
FORGOTTEN = SidecarRelease("0.0.9", "registry.example/sidecar@sha256:" + "0" * 64, "{}")
SETTINGS = InjectionSettings(RELEASE, PREVIOUS)

BILLING = LoopbackDestination(
    "billing.finance.svc",
    ("billing.finance", "billing.finance.svc", "billing.finance.svc.cluster.local"),
    (8080,),
    "127.10.0.1",
)
PSP = LoopbackDestination("api.psp.example", ("api.psp.example",), (443,), "127.20.0.2")
DESTINATIONS = (PSP, BILLING)
IDENTITY_DATA = IdentityData(DESTINATIONS)

RESTRICTED_CONTEXT: Object = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def pod(**spec: Any) -> Object:
    """A small pod that passes Pod Security ``restricted``, with parts of its spec replaced."""
    app = {"name": "app", "image": "shop/orders:1", "securityContext": copy.deepcopy(RESTRICTED_CONTEXT)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "orders-0", "namespace": "shop"},
        "spec": {"serviceAccountName": "orders", "containers": [app], **spec},
    }


def container(name: str = "app", **fields: Any) -> Object:
    """A container that passes ``restricted``."""
    return {"name": name, "image": "shop/app:1", "securityContext": copy.deepcopy(RESTRICTED_CONTEXT), **fields}


def stored(written: Object) -> Object:
    """A pod as the API server stores it: defaults filled in, the service account's token mounted everywhere."""
    result = copy.deepcopy(written)
    spec = result["spec"]
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("enableServiceLinks", True)
    token = {"name": "kube-api-access-x7k2p", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
    spec.setdefault("volumes", []).append(token)
    for each in [*spec.get("initContainers", ()), *spec["containers"]]:
        each.setdefault("imagePullPolicy", "IfNotPresent")
        each.setdefault("terminationMessagePath", "/dev/termination-log")
        each.setdefault("terminationMessagePolicy", "File")
        each.setdefault("securityContext", {}).setdefault("procMount", "Default")
        each.setdefault("resources", {})
        mount = {"name": token["name"], "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": True}
        each.setdefault("volumeMounts", []).append(mount)
    return result


_names = st.from_regex(r"[a-z]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
_contexts = st.sampled_from(
    [
        RESTRICTED_CONTEXT,
        {**RESTRICTED_CONTEXT, "runAsUser": 1000},
        {**RESTRICTED_CONTEXT, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}},
        {"privileged": True},
        {},
    ]
)


@st.composite
def _containers(draw: st.DrawFn) -> Object:
    result: Object = {"name": draw(_names), "image": draw(_names)}
    if draw(st.booleans()):
        result["securityContext"] = draw(_contexts)
    if draw(st.booleans()):
        result["ports"] = [{"containerPort": draw(st.integers(1, 65535))}]
    if draw(st.booleans()):
        result["readinessProbe"] = {"tcpSocket": {"port": draw(st.integers(1, 65535))}}
    if draw(st.booleans()):
        result["args"] = draw(st.lists(st.text(max_size=8), max_size=3))
    return result


def _unique(field: str, elements: st.SearchStrategy[Object]) -> st.SearchStrategy[list[Object]]:
    return st.lists(elements, max_size=3, unique_by=lambda each: each[field])


@st.composite
def pods(draw: st.DrawFn) -> Object:
    """Pods with and without each optional part, some of which cannot be injected."""
    found = draw(st.lists(_containers(), min_size=1, max_size=3, unique_by=lambda each: each["name"]))
    spec: Object = {"containers": found}
    if draw(st.booleans()):
        spec["initContainers"] = draw(st.one_of(st.none(), _unique("name", _containers())))
    if draw(st.booleans()):
        spec["serviceAccountName"] = draw(_names)
    if draw(st.booleans()):
        volumes = st.builds(lambda name: {"name": name, "emptyDir": {}}, _names)
        spec["volumes"] = draw(st.one_of(st.none(), _unique("name", volumes)))
    if draw(st.booleans()):
        hosts = st.sampled_from(["db.local", "api.psp.example", "API.psp.example"])
        ips = st.sampled_from(["10.0.0.1", PSP.address])
        aliases = st.builds(lambda ip, host: {"ip": ip, "hostnames": [host]}, ips, hosts)
        spec["hostAliases"] = draw(st.lists(aliases, max_size=2))
    if draw(st.booleans()):
        sysctls = draw(st.sampled_from([[], [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "80"}]]))
        spec["securityContext"] = draw(
            st.sampled_from([None, {}, {"runAsNonRoot": True}, {"runAsUser": 1000, "sysctls": sysctls}])
        )
    metadata: Object = {"generateName": "app-"}
    if draw(st.booleans()):
        metadata["annotations"] = draw(
            st.sampled_from([None, {}, {"lawflow.dev/interception": "redirect"}, {"team": "shop/~1"}])
        )
    return {"metadata": metadata, "spec": spec}
