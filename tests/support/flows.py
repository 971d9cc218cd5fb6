"""Flows and the objects that they refer to, as tests of the gate apply them: lawful until a test breaks them."""

import copy
from typing import Any

from lawflow.law.example import FLOW, OBJECTS
from lawflow.model.base import API_VERSION

Object = dict[str, Any]


def flow(name: str, namespace: str, service_account: str = "orders", **spec: Any) -> Object:
    """A lawful DataFlow whose references :func:`references` makes; ``spec`` replaces parts of it."""
    merged: Object = {**copy.deepcopy(dict(FLOW)), **spec}
    merged["destination"] = lasting(merged["destination"])
    merged["source"] = {**merged["source"], "serviceAccountName": service_account}
    return _object("DataFlow", {"name": name, "namespace": namespace}, merged)


def lasting(destination: Object) -> Object:
    """The same without an end of the agreement that the test's own day could be after."""
    if "agreement" not in destination:
        return destination
    return {**destination, "agreement": {**destination["agreement"], "validUntil": "2099-12-31"}}


def unlawful_flow(name: str, namespace: str, service_account: str = "orders") -> Object:
    """A DataFlow to a processor without an agreement, which no other object could repair."""
    destination = {key: value for key, value in FLOW["destination"].items() if key != "agreement"}
    return flow(name, namespace, service_account, destination=copy.deepcopy(destination))


def references(namespace: str) -> list[Object]:
    """The Dataset and the DataController that the flows refer to."""
    return [
        _object("Dataset", {"name": "orders-db", "namespace": namespace}, copy.deepcopy(dict(OBJECTS["Dataset"]))),
        _object("DataController", {"name": "acme"}, copy.deepcopy(dict(OBJECTS["DataController"]))),
    ]


def index(namespace: str, **spec: Any) -> Object:
    """A FlowIndex."""
    return _object("FlowIndex", {"name": "lawflow", "namespace": namespace}, spec)


def _object(kind: str, metadata: Object, spec: Object) -> Object:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}
