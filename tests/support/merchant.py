"""A small merchant as plain objects: a lawful flow to a payment provider, what it refers to, and workloads."""

import copy
from typing import Any

from lawflow.law.example import FLOW, OBJECTS
from lawflow.model.base import API_VERSION

Object = dict[str, Any]


def custom(kind: str, name: str, spec: Object, namespace: str = "") -> Object:
    """An object of the group lawflow.dev."""
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": copy.deepcopy(spec)}


def flow(namespace: str, name: str = "orders-to-psp", controller: str = "acme", **spec: Any) -> Object:
    """A flow that is lawful beside the objects of ``references``; ``spec`` replaces fields, ``None`` removes them."""
    changed = {**FLOW, "controllerRef": {"name": controller}, **spec}
    return custom("DataFlow", name, {key: part for key, part in changed.items() if part is not None}, namespace)


def references(namespace: str, controller: str = "acme") -> list[Object]:
    """What the flow refers to: the DataController and the Dataset."""
    return [data_controller(controller), dataset(namespace, controller)]


def data_controller(name: str = "acme") -> Object:
    """The DataController."""
    return custom("DataController", name, dict(OBJECTS["DataController"]))


def dataset(namespace: str, controller: str = "acme") -> Object:
    """The Dataset."""
    spec = dict(OBJECTS["Dataset"])
    if "controllerRef" in spec:
        spec["controllerRef"] = {"name": controller}
    return custom("Dataset", "orders-db", spec, namespace)


def deployment(namespace: str, name: str = "orders", service_account: str = "orders", replicas: int = 1) -> Object:
    """A Deployment that runs as a service account."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"serviceAccountName": service_account, "containers": [{"name": "app", "image": "app"}]},
            },
        },
    }


def service(namespace: str, name: str, port: int = 8080, **annotations: str) -> Object:
    """A Service in front of the Deployment of the same name."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": namespace, "name": name, "annotations": annotations},
        "spec": {"selector": {"app": name}, "ports": [{"port": port, "protocol": "TCP"}]},
    }


def to_service(namespace: str | None, name: str, port: int = 8080) -> Object:
    """The destination of a flow that leads to a Service run by the same controller."""
    where = {"namespace": namespace} if namespace else {}
    return {"service": {**where, "name": name, "port": port}, "role": "sameController"}
