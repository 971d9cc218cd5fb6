"""Objects that break one constraint of the schema each; Python and the API server must refuse them alike."""

import copy
from typing import Any

Object = dict[str, Any]

FLOW: Object = {
    "apiVersion": "lawflow.dev/v1alpha1",
    "kind": "DataFlow",
    "metadata": {"name": "orders-to-psp", "namespace": "default"},
    "spec": {
        "source": {"serviceAccountName": "orders"},
        "destination": {"role": "sameController", "service": {"name": "billing", "port": 8080}},
        "operations": [
            {
                "name": "read",
                "path": "/v1/customers/{customerId}",
                "subject": {"in": "path", "name": "customerId"},
                "request": {"query": [{"name": "expand", "category": "none"}]},
            },
            {"name": "list", "path": "/v1/customers", "subject": {"in": "none"}},
        ],
    },
}
"""A flow that breaks none."""


def _with(path: tuple[str | int, ...], value: Any) -> Object:
    flow = copy.deepcopy(FLOW)
    node: Any = flow["spec"]
    for step in path[:-1]:
        node = node[step]
    if value is None:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return flow


VIOLATIONS: dict[str, tuple[Object, str, str]] = {
    "no peer": (
        _with(("destination", "service"), None),
        ".spec.destination",
        "exactly one of service and external must be set",
    ),
    "two peers": (
        _with(("destination", "external"), {"host": "api.psp.example", "organisation": "PSP B.V."}),
        ".spec.destination",
        "exactly one of service and external must be set",
    ),
    "a token in TLS of the app's own": (
        {
            **FLOW,
            "spec": {
                **FLOW["spec"],
                "destination": {
                    "role": "controller",
                    "external": {"host": "psp.example", "organisation": "PSP", "tls": "passthrough", "token": {}},
                },
            },
        },
        ".spec.destination.external.token",
        "no token can be added to TLS of the app's own",
    ),
    "no name of the subject": (
        _with(("operations", 0, "subject", "name"), None),
        ".spec.operations[0].subject",
        "no name says where the data subject is found",
    ),
    "subject not by pointer": (
        _with(("operations", 1, "subject"), {"in": "body", "name": "customer"}),
        ".spec.operations[1].subject.name",
        "the data subject in a body is named by a JSON Pointer",
    ),
    "subject not in the path": (
        _with(("operations", 0, "subject", "name"), "customer"),
        ".spec.operations[0].path",
        "the path has no parameter of the data subject's name",
    ),
    "query of a response": (
        _with(("operations", 0, "response"), {"query": [{"name": "page", "category": "none"}]}),
        ".spec.operations[0].response",
        "a response has no query parameters",
    ),
    "one name twice": (
        _with(("operations", 1, "name"), "read"),
        ".spec.operations",
        "two operations have the same name",
    ),
}
"""By what is wrong: the object, the path that a refusal names, and its message."""
