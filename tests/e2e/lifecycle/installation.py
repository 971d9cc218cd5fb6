"""What an installation puts into a cluster, and what of it is still there."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from tests.support import chart
from tests.support.cluster import Cluster

Object = dict[str, Any]
Name = tuple[str, str, str]
"""Kind, namespace and name."""

EPHEMERAL = frozenset(
    {
        "Event", "Pod", "ReplicaSet", "ControllerRevision", "Endpoints", "EndpointSlice", "PodMetrics", "NodeMetrics",
        "IPAddress", "PodCertificateRequest", "APIService",
    }
)  # fmt: skip
"""Kinds whose objects are made and removed by Kubernetes itself, for others that are compared."""
OURS = "lawflow.dev/"
WRITTEN_BY_USERS = {"lawflow.dev/inject", "lawflow.dev/enforce", "lawflow.dev/accept-flows-from", "lawflow.dev/flows"}


def objects(cluster: Cluster) -> dict[Name, Object]:
    """Every object of the cluster that somebody keeps."""
    listable = cluster.kubectl("api-resources", "--verbs=list", "--output=name").stdout.split()
    listed = cluster.get(",".join(listable), "--all-namespaces", "--show-managed-fields=false")["items"]
    return {name_of(each): each for each in listed if each["kind"] not in EPHEMERAL}


def labelled(cluster: Cluster) -> set[Name]:
    """Objects that were installed, as their label says."""
    selector = "app.kubernetes.io/part-of=lawflow"
    kinds = sorted({each["kind"] for each in chart.objects(chart.rendered())})
    found = cluster.get(",".join(kinds), "--all-namespaces", f"--selector={selector}")["items"]
    return {name_of(each) for each in found if each["kind"] != "Namespace"}


def marks(found: Iterable[Object]) -> Iterator[str]:
    """Labels, annotations and finalizers of Lawflow's that no user wrote, and containers, each with where it is."""
    for each in found:
        metadata = each["metadata"]
        named = [*metadata.get("labels", {}), *metadata.get("annotations", {}), *metadata.get("finalizers", [])]
        template = each.get("spec", {}).get("template", {}).get("metadata", {}) if "spec" in each else {}
        named += [*template.get("labels", {}), *template.get("annotations", {})]
        for name in named:
            if OURS in name and name not in WRITTEN_BY_USERS:
                yield f"{name} on {name_of(each)}"
        if "lawflow-sidecar" in json.dumps(each.get("spec", {})):
            yield f"a sidecar in {name_of(each)}"


def name_of(obj: Object) -> Name:
    """What an object goes by."""
    metadata = obj["metadata"]
    return obj["kind"], metadata.get("namespace", ""), metadata["name"]
