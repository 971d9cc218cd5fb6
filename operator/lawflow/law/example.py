"""The example that all rules share: a small lawful flow with its objects, and how a rule's example changes it.

A rule's example is a mapping from field paths to values. ``purposes[0].lawfulBasis.contract`` is a field of the flow's
spec, ``Dataset.retention`` one of the dataset's, ``Deployment.spec.replicas`` one of the whole workload; ``None`` takes
the field away, and ``{"Dataset": None}`` the object.
"""

import copy
import datetime as dt
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from lawflow.law.context import Context
from lawflow.law.legal import LegalData
from lawflow.law.rule import Patch
from lawflow.model.dataflow import DataFlow
from lawflow.model.labels import FLOWS
from lawflow.model.parse import parse
from lawflow.model.workload import Object
from lawflow.resolve import Objects

EXAMPLE_DAY = dt.date(2026, 7, 1)
"""The day on which the examples are judged."""

FLOW: Mapping[str, Any] = {
    "description": "Charge the customer for an order",
    "owner": "team-orders",
    "controllerRef": {"name": "acme"},
    "source": {"serviceAccountName": "orders", "datasetRefs": [{"name": "orders-db"}]},
    "destination": {
        "external": {"host": "api.psp.example", "organisation": "PSP B.V.", "country": "NL"},
        "role": "processor",
        "agreement": {"reference": "https://acme.example/dpa-17", "validUntil": "2027-01-31"},
        "notificationRoute": "https://api.psp.example/v1/corrections",
    },
    "subjects": {"categories": ["dpv:Customer"], "countries": ["DE"]},
    "purposes": [
        {
            "purpose": "dpv:PaymentManagement",
            "lawfulBasis": {
                "article6": "A6-1-b",
                "contract": {"reference": "https://acme.example/terms", "necessity": "charging what was ordered"},
            },
        }
    ],
    "operations": [
        {
            "name": "create-charge",
            "methods": ["POST"],
            "path": "/v1/charges",
            "request": {
                "fields": [
                    {"pointer": "/customer/id", "category": "pd:Identifying", "necessity": "address the charge"},
                    {"pointer": "/amount", "category": "none"},
                ]
            },
        }
    ],
    "retention": {"period": "P1Y"},
    "security": {"encryptionAtRest": True, "lastTested": "2026-03-01"},
    "notice": {"reference": "https://acme.example/privacy", "version": "7"},
}

OBJECTS: Mapping[str, Mapping[str, Any]] = {
    "Dataset": {
        "purposes": ["dpv:PaymentManagement", "dpv:Marketing"],
        "fields": [{"name": "customer_id", "category": "pd:Identifying"}],
        "retention": {"period": "P10Y"},
        "encryptionAtRest": True,
        "sourceOfTruth": "self",
        "rectificationHandler": "https://acme.example/correct",
        "rightsHandler": {"automated": True},
    },
    "ConsentPolicy": {
        "purposes": ["dpv:DirectMarketing"],
        "recipients": ["PSP B.V."],
        "explicit": True,
        "notice": {"reference": "https://acme.example/newsletter", "version": "3"},
        "withdrawal": {"route": "https://acme.example/unsubscribe"},
    },
    "DataController": {
        "name": "Acme GmbH",
        "contact": {"name": "Acme GmbH", "address": "Musterstrasse 1, Berlin", "email": "privacy@acme.example"},
        "establishment": "DE",
        "dataProtectionOfficer": {"name": "Data protection officer", "email": "dpo@acme.example"},
        "breachContact": {
            "contact": {"name": "Security desk", "email": "security@acme.example"},
            "supervisoryAuthority": "Berlin commissioner for data protection",
        },
        "securityMeasures": "https://acme.example/measures",
    },
}

WORKLOADS: Mapping[str, Mapping[str, Any]] = {
    "Deployment": {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "orders", "namespace": "shop"},
        "spec": {
            "template": {
                "metadata": {"annotations": {FLOWS: "orders-to-psp"}},
                "spec": {"serviceAccountName": "orders", "containers": [{"name": "app", "image": "orders:1"}]},
            }
        },
    },
    "Job": {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "export", "namespace": "shop"},
        "spec": {
            "template": {
                "spec": {"serviceAccountName": "export", "containers": [{"name": "app", "image": "export:1"}]},
            }
        },
    },
}

_NAMES = {"Dataset": "orders-db", "ConsentPolicy": "newsletter", "DataController": "acme"}
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def situation_of(patch: Patch, legal: LegalData | None = None) -> tuple[DataFlow, Context]:
    """The example flow and its context after a rule's changes."""
    document = _changed(patch)
    flow = parse(_object("DataFlow", "orders-to-psp", document["DataFlow"]))
    assert isinstance(flow, DataFlow)
    objects = Objects([parse(_object(kind, _NAMES[kind], document[kind])) for kind in _NAMES if kind in document])
    return flow, Context(objects) if legal is None else Context(objects, legal)


def workloads_of(patch: Patch) -> tuple[Object, list[Object]]:
    """The example workload after a rule's changes, and all workloads of the example."""
    document = _changed(patch)
    return document["Deployment"], [document["Deployment"], document["Job"]]


def _changed(patch: Patch) -> dict[str, Any]:
    document = copy.deepcopy({"DataFlow": FLOW, **OBJECTS, **WORKLOADS})
    for path, value in patch.items():
        _set(document, path if path[0].isupper() else f"DataFlow.{path}", value)
    return document


def _object(kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {"name": name} if kind == "DataController" else {"name": name, "namespace": "shop"}
    return {"apiVersion": "lawflow.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


def _set(document: Any, path: str, value: Any) -> None:
    steps: list[Any] = [int(index) if index else word for word, index in _STEP.findall(path)]
    for step, following in pairwise(steps):
        if isinstance(step, int):
            document = document[step]
        else:
            document = document.setdefault(step, [] if isinstance(following, int) else {})
    last = steps[-1]
    if value is None:
        if isinstance(last, int):
            del document[last]
        else:
            document.pop(last, None)
    elif isinstance(last, int) and last == len(document):
        document.append(copy.deepcopy(value))
    else:
        document[last] = copy.deepcopy(value)
