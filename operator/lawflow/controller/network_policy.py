"""NetworkPolicies that close the way around the sidecar of a receiving workload. Pure.

A NetworkPolicy selects pods by labels and knows no service accounts, so there is one for each Service that flows lead
to: it leaves every port open but those behind the Service's declared ports, which only peers with a certificate reach,
through the sidecar. What leaves a pod is not covered: app and sidecar share an address.
"""

from collections.abc import Iterable

from lawflow.model.sidecar import PEER_PORT
from lawflow.store.protocol import Object

MANAGED_BY = {"app.kubernetes.io/managed-by": "lawflow"}
_LAST_PORT = 65535


def network_policy(service: Object, ports: Iterable[int]) -> Object | None:
    """The policy for a Service whose declared ``ports`` flows lead to.

    ``None`` where the Service selects no pods, or names its target ports: the numbers are in the pods alone then.
    """
    spec = service.get("spec") or {}
    selector = spec.get("selector")
    wanted = set(ports)
    direct = {
        target
        for port in spec.get("ports") or ()
        if port["port"] in wanted and isinstance(target := port.get("targetPort", port["port"]), int)
    } - {PEER_PORT}
    if not selector or not direct:
        return None
    metadata = service["metadata"]
    open_ports = [
        *({"protocol": "TCP", "port": first, "endPort": last} for first, last in _between(sorted(direct))),
        *({"protocol": protocol, "port": 1, "endPort": _LAST_PORT} for protocol in ("UDP", "SCTP")),
    ]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "namespace": metadata["namespace"],
            "name": policy_name(metadata["name"]),
            "labels": dict(MANAGED_BY),
        },
        "spec": {"podSelector": {"matchLabels": dict(selector)}, "policyTypes": ["Ingress"],
                 "ingress": [{"ports": open_ports}]},
    }  # fmt: skip


def policy_name(service: str) -> str:
    """Name of the policy of a Service."""
    return f"lawflow-{service}"


def _between(closed: list[int]) -> Iterable[tuple[int, int]]:
    """The ranges of ports that leave out the closed ones."""
    first = 1
    for port in closed:
        if first < port:
            yield first, port - 1
        first = port + 1
    if first <= _LAST_PORT:
        yield first, _LAST_PORT
