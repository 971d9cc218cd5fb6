"""The sidecars of both ends of one flow as static configurations of Envoy: exactly what the mesh writes for them.

What comes by RDS, EDS, ECDS and SDS in a cluster stands in place here; nothing else is changed.
"""

import copy
import datetime as dt
import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import merchant
from tests.support.mesh import typed as typed_objects

from lawflow.identity.authority import create_intermediate, create_root
from lawflow.identity.bundle import TrustBundle
from lawflow.identity.credential import issue_credential
from lawflow.identity.pem import new_private_key
from lawflow.identity.spiffe import SpiffeId
from lawflow.mesh import tls
from lawflow.mesh.envoy import ADS, Resource, socket_address
from lawflow.mesh.keys import KeyRing
from lawflow.mesh.passage import passage
from lawflow.mesh.policy import Terms
from lawflow.mesh.resources import CLUSTER, ENDPOINT, EXTENSION, LISTENER, ROUTE, SECRET, resources
from lawflow.mesh.sidecar import Identity, MeshSettings, Outbound, Placement, sidecar
from lawflow.model import sidecar as contract
from lawflow.resolve import resolve
from lawflow.standalone.delivery import deliver

NAMESPACE = "bench"
SOURCE, DESTINATION = Identity(NAMESPACE, "orders"), Identity(NAMESPACE, "records")
SETTINGS = MeshSettings()
PORT = 8080
HELD, STREAMED = "/records", "/streamed"
"""Where bodies are held until they have ended, and where they are filtered as they come."""
_POLICIES_END = dt.timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """Both ends of a flow."""

    source: Resource
    destination: Resource
    address: str
    """Where the source's workload calls."""


def pair(directory: Path, name: str, number: int, server_port: int, pointers: Sequence[str]) -> Pair:
    """The sidecars of a flow to a server at ``server_port``, whose bodies may carry ``pointers`` both ways.

    ``name`` and ``number`` keep its addresses apart from those of other pairs on this host.
    """
    payload = {"fields": [{"pointer": pointer, "category": "none"} for pointer in pointers]}
    operations = [
        _operation("records", HELD, request=payload, response=payload),
        _operation("streamed", STREAMED, request=payload, response=payload, stream=True),
    ]
    root = create_root(SETTINGS.trust_domain, key=new_private_key(), now=_now(), random=secrets.token_bytes)
    issuer = create_intermediate(root, key=new_private_key(), now=_now(), random=secrets.token_bytes)
    bundle = TrustBundle(SETTINGS.trust_domain, (root.certificate,))
    peer_address = f"127.0.77.{number}"
    found = []
    for identity in (SOURCE, DESTINATION):
        certificates = directory / identity.service_account / "certificate"
        spiffe_id = SpiffeId(SETTINGS.trust_domain, identity.namespace, identity.service_account)
        credential = issue_credential(
            issuer, spiffe_id, key=new_private_key(), now=_now(), random=secrets.token_bytes
        )  # fmt: skip
        files = {
            **credential.to_files(bundle),
            contract.CERTIFICATE_SECRET_FILE: json.dumps(tls.certificate_secret_file(str(certificates))),
            contract.TRUST_SECRET_FILE: json.dumps(tls.trust_secret_file(str(certificates))),
        }
        deliver(certificates, files)
        placement = Placement(peer_address, name, str(certificates))
        found.append(_configuration(identity, placement, operations, server_port, bundle.to_pem(), peer_address))
    return Pair(found[0][0], found[1][0], _called(found[0][1]))


def one_hop(name: str, server_port: int, pointers: Sequence[str]) -> Pair:
    """A sidecar at the source alone, without TLS, that filters responses: the flow says ``verify: full``.

    Both ends of the pair are the same.
    """
    payload = {"fields": [{"pointer": pointer, "category": "none"} for pointer in pointers]}
    operations = [_operation("records", HELD, response=payload, verify="full")]
    configuration, outbound = _configuration(SOURCE, Placement(workload=name), operations, server_port, "none", "")
    cluster = configuration["static_resources"]["clusters"][0]
    del cluster["transport_socket"]
    configuration["static_resources"]["secrets"] = []
    cluster["load_assignment"]["endpoints"] = [
        {"lb_endpoints": [{"endpoint": {"address": socket_address("127.0.0.1", server_port)}}]}
    ]
    return Pair(configuration, configuration, _called(outbound))


def with_filters(configuration: Resource, *filters: Resource, clusters: Sequence[Resource] = ()) -> Resource:
    """The same Envoy with other HTTP filters in the place of all of Lawflow's, down to its routes and headers."""
    changed: Resource = copy.deepcopy(configuration)
    changed["static_resources"]["clusters"] += clusters
    for manager in _http_managers(changed):
        manager["http_filters"] = [*filters, manager["http_filters"][-1]]
        routes = manager["route_config"]
        routes.pop("request_headers_to_remove")
        for host in routes["virtual_hosts"]:
            host.pop("typed_per_filter_config")
    return changed


def _operation(name: str, path: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "path": f"{path}/{{bytes}}/{{fields}}", **more}


def _configuration(
    identity: Identity,
    placement: Placement,
    operations: list[dict[str, Any]],
    server_port: int,
    bundle: str,
    peer_address: str,
) -> tuple[Resource, tuple[Outbound, ...]]:
    flow = merchant.flow(
        NAMESPACE,
        "orders-to-records",
        source={"serviceAccountName": SOURCE.service_account, "datasetRefs": [{"name": "orders-db"}]},
        destination=merchant.to_service(None, DESTINATION.service_account, PORT),
        operations=operations,
    )
    passages = [passage(each) for each in resolve(typed_objects([flow]))]
    service = (NAMESPACE, DESTINATION.service_account, PORT)
    wanted = sidecar(identity, passages, SETTINGS, {service: server_port}, placement)
    terms = Terms(int(time.time() + _POLICIES_END.total_seconds()), KeyRing(b"", 0))
    found = resources(wanted, SETTINGS, bundle, {service[:2]: (peer_address,)}, terms)
    return _static(found), wanted.outbound


def _static(found: dict[str, dict[str, Resource]]) -> Resource:
    """The resources that a control plane would send, in one file."""
    found = copy.deepcopy(found)
    for name, cluster in found[CLUSTER].items():
        if cluster.pop("eds_cluster_config", None):
            cluster["type"] = "STATIC"
            cluster["load_assignment"] = found[ENDPOINT][name]
    parts: Resource = {
        "clusters": list(found[CLUSTER].values()),
        "listeners": list(found[LISTENER].values()),
        "secrets": list(found[SECRET].values()),
    }
    configuration: Resource = {"node": {"id": "bench", "cluster": "bench"}, "static_resources": parts}
    for manager in _http_managers(configuration):
        manager["route_config"] = found[ROUTE][manager.pop("rds")["route_config_name"]]
        manager["http_filters"] = [found[EXTENSION].get(each["name"], each) for each in manager["http_filters"]]
    _forget_ads(parts)
    return configuration


def _http_managers(configuration: Resource) -> list[Resource]:
    return [
        each["typed_config"]
        for listener in configuration["static_resources"]["listeners"]
        for chain in listener["filter_chains"]
        for each in chain["filters"]
        if "http_filters" in each["typed_config"]
    ]


def _forget_ads(value: Any) -> None:
    """A secret without a source is looked up among the static ones."""
    if isinstance(value, dict):
        if value.get("sds_config") == ADS:
            del value["sds_config"]
        for part in value.values():
            _forget_ads(part)
    elif isinstance(value, list):
        for part in value:
            _forget_ads(part)


def _called(outbound: tuple[Outbound, ...]) -> str:
    return f"{outbound[0].address}:{PORT}"


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
