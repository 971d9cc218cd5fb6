"""The NetworkPolicies of a namespace: one for each Service here that accepted flows lead to."""

from collections import defaultdict

from lawflow.controller.network_policy import MANAGED_BY, network_policy
from lawflow.controller.settings import Environment
from lawflow.model.kinds import NETWORK_POLICY, SERVICE
from lawflow.resolve import resolve_flow
from lawflow.store.protocol import Object


async def write_network_policies(environment: Environment, namespace: str) -> None:
    """One for each Service here that accepted flows lead to, where the receiving pods have sidecars."""
    wanted: dict[str, Object] = {}
    if environment.world.opted_in(namespace):
        for service, ports in _declared_ports(environment, namespace).items():
            found = environment.world.get(SERVICE, namespace, service)
            policy = network_policy(found, ports) if found else None
            if policy:
                wanted[policy["metadata"]["name"]] = policy
    known = environment.policies.get(namespace)
    if known is None:
        listed = await environment.store.list(NETWORK_POLICY, namespace)
        known = environment.policies[namespace] = {
            policy["metadata"]["name"]: policy for policy in listed if _ours(policy)
        }
    for name, policy in wanted.items():
        if known.get(name, {}).get("spec") != policy["spec"]:
            await environment.store.apply(NETWORK_POLICY, policy)
            known[name] = policy
    for name in known.keys() - wanted.keys():
        await environment.store.delete(NETWORK_POLICY, namespace, name)
        del known[name]


def _declared_ports(environment: Environment, namespace: str) -> dict[str, set[int]]:
    """Ports of this namespace's Services that accepted flows lead to."""
    references = environment.world.references
    found: dict[str, set[int]] = defaultdict(set)
    for flow in environment.flows_into(namespace):
        service = flow.spec.destination.service
        if service and flow.spec.security.mutual_tls and resolve_flow(flow, references).accepted:
            found[service.name].add(service.port)
    return found


def _ours(policy: Object) -> bool:
    found = policy["metadata"].get("labels") or {}
    return all(found.get(name) == value for name, value in MANAGED_BY.items())
