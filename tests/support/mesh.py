"""Golden files of the mesh: manifests in, Envoy resources of every sidecar out."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lawflow.mesh.keys import KeyRing
from lawflow.mesh.passage import passage
from lawflow.mesh.policy import Terms
from lawflow.mesh.resources import Resources, behind, resources
from lawflow.mesh.sidecar import (
    PLAIN_NETWORK,
    Identity,
    MeshSettings,
    Placement,
    PodNetwork,
    Whereabouts,
    destination_of,
    sidecar,
    source_of,
)
from lawflow.model.base import CustomResource
from lawflow.model.parse import is_custom, parse
from lawflow.resolve import Objects, resolve

TESTDATA = Path(__file__).resolve().parent.parent / "unit" / "mesh" / "testdata"
BUNDLE = "-----BEGIN CERTIFICATE-----\nthe roots\n-----END CERTIFICATE-----\n"
ADDRESSES = ("10.0.0.1", "10.0.0.2")
SETTINGS = MeshSettings(
    "example.org",
    egress=Identity("lawflow-system", "lawflow-egress"),
    system_destinations=(("default", "kubernetes", 443),),
)
TERMS = Terms(1_800_000_000, KeyRing(b"m" * 32, 7))


def golden_inputs() -> list[Path]:
    return sorted((TESTDATA / "in").glob("*.yaml"))


def golden_output(path: Path) -> Path:
    return TESTDATA / "out" / path.name


def network_of(path: Path) -> PodNetwork:
    """That of the pods in a golden file, by its name."""
    return PodNetwork((4, 6), redirected=True) if path.stem.startswith("redirect") else PLAIN_NETWORK


def lawful(obj: dict[str, Any]) -> dict[str, Any]:
    """The flow as the controller leaves it; a verdict in the file stands."""
    condition = {"type": "Lawful", "status": "True", "reason": "Lawful", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    return {**obj, "status": obj.get("status") or {"conditions": [condition]}}


def typed(objects: Iterable[dict[str, Any]]) -> Objects:
    plain = list(objects)
    custom: list[CustomResource] = [
        parse(lawful(obj) if obj["kind"] == "DataFlow" else obj) for obj in plain if is_custom(obj)
    ]
    return Objects(custom, [obj for obj in plain if obj["kind"] == "Service"])


def resources_of(objects: Iterable[dict[str, Any]], network: PodNetwork = PLAIN_NETWORK) -> dict[str, Resources]:
    """The resources of every sidecar that the flows make necessary, by identity.

    Each is in a pod with such a network. Each Service has an address of its own; all have the same pods.
    """
    found = [passage(flow) for flow in resolve(typed(objects))]
    ends = [source_of(each.flow) for each in found]
    ends += [end for each in found if (end := destination_of(each.flow, SETTINGS.egress))]
    rendered = {}
    for identity in sorted(set(ends)):
        placement = Placement(network=network)
        wanted = sidecar(identity, found, SETTINGS, {("shop", "billing", 8080): 3000}, placement)
        services = [each.port.service for each in wanted.outbound] + [*SETTINGS.system_destinations]
        whereabouts = {
            service: Whereabouts(((f"10.96.0.{number}", service[2]),), tuple((each, 3000) for each in ADDRESSES))
            for number, service in enumerate(sorted(services), start=1)
        }
        endpoints = {behind(outbound.port, SETTINGS): ADDRESSES for outbound in wanted.outbound}
        rendered[f"{identity.namespace}/{identity.service_account}"] = resources(
            wanted, SETTINGS, BUNDLE, endpoints, TERMS, whereabouts=whereabouts
        )
    return rendered
