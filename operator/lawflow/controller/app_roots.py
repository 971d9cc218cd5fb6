"""The roots by which apps of a namespace believe that their sidecar is a host outside: a ConfigMap to mount."""

from lawflow.controller import protection
from lawflow.controller.network_policy import MANAGED_BY
from lawflow.controller.settings import Environment
from lawflow.identity.interception import app_root
from lawflow.model.kinds import CONFIG_MAP
from lawflow.model.trust_bundle import APP_ROOTS_NAME, BUNDLE_KEY
from lawflow.store.protocol import Object


async def write_app_roots(environment: Environment, namespace: str) -> None:
    """Publish the roots of the hosts that flows of a namespace call by ``tls: terminate``; none where there is none."""
    hosts = {
        external.host.lower().rstrip(".")
        for flow in environment.world.flows(namespace)
        if (external := flow.spec.destination.external) and external.tls == "terminate"
    }
    wanted = ""
    if hosts:
        secret = await protection.master(environment)
        wanted = "".join(app_root(secret, namespace, host) for host in sorted(hosts))
    if environment.app_roots.get(namespace) == wanted:
        return
    held = await environment.store.get(CONFIG_MAP, namespace, APP_ROOTS_NAME)
    if wanted:
        if held is None or held.get("data") != {BUNDLE_KEY: wanted}:
            await environment.store.apply(CONFIG_MAP, _config_map(namespace, wanted))
    elif held is not None and MANAGED_BY.items() <= (held["metadata"].get("labels") or {}).items():
        await environment.store.delete(CONFIG_MAP, namespace, APP_ROOTS_NAME)
    environment.app_roots[namespace] = wanted


def _config_map(namespace: str, roots: str) -> Object:
    metadata = {"namespace": namespace, "name": APP_ROOTS_NAME, "labels": dict(MANAGED_BY)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {BUNDLE_KEY: roots}}
