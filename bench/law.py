"""How many flows the law judges in a second on one core, for flows like a large example; prints one JSON line.

A flow here has 3 operations with 20 fields, 2 purposes, a transfer and 2 datasets. Every flow is an object of its own,
and each is judged once a round, so that nothing can be remembered from one evaluation for the next.
"""

import copy
import datetime as dt
import gc
import json
import time
from typing import Any

from lawflow.law import Context, evaluate
from lawflow.law.example import EXAMPLE_DAY, FLOW, OBJECTS
from lawflow.model.dataflow import DataFlow
from lawflow.model.parse import parse
from lawflow.resolve import Objects

FLOWS = 1_000
ROUNDS = 5


def main() -> None:
    """Measure and print."""
    flows = [_flow(number) for number in range(FLOWS)]
    context = Context(Objects([*_objects(), *flows]))
    found = {finding.rule for flow in flows[:10] for finding in evaluate(flow, context, EXAMPLE_DAY)}
    gc.collect()
    gc.freeze()
    rates = [_rate(flows, context, EXAMPLE_DAY) for _ in range(ROUNDS)]
    rates.sort()
    print(
        json.dumps(
            {
                "benchmark": "law",
                "evaluations_per_second": round(rates[len(rates) // 2]),
                "best": round(rates[-1]),
                "flows": FLOWS,
                "findings": sorted(found),
            }
        )
    )


def _rate(flows: list[DataFlow], context: Context, today: dt.date) -> float:
    started = time.process_time()
    for flow in flows:
        evaluate(flow, context, today)
    return len(flows) / (time.process_time() - started)


def _flow(number: int) -> DataFlow:
    spec: dict[str, Any] = copy.deepcopy(dict(FLOW))
    spec["source"]["datasetRefs"] = [{"name": "orders-db"}, {"name": "customers-db"}]
    spec["destination"]["external"] |= {"host": f"api{number}.psp.example", "country": "US"}
    spec["transfers"] = [{"tool": "A45-3", "adequacy": {"certification": f"DPF-{number}"}}]
    spec["purposes"].append(
        {
            "purpose": "dpv:FraudPreventionAndDetection",
            "lawfulBasis": {
                "article6": "A6-1-f",
                "legitimateInterest": {
                    "interest": "preventing payment fraud",
                    "necessity": "no check works without the identifier",
                    "balancingTest": {"reference": f"LIA-{number}", "date": "2026-01-15", "validUntil": "2027-01-15"},
                    "objectionRoute": "https://acme.example/object",
                },
            },
        }
    )
    categories = ("pd:Identifying", "pd:EmailAddress", "none", "pd:Purchase", "pd:PhysicalAddress", "none", "pd:Name")
    spec["operations"] = [
        {
            "name": f"operation-{position}",
            "methods": ["POST"],
            "path": f"/v{position}/charges/{{customerId}}",
            "subject": {"in": "path", "name": "customerId"},
            "request": {
                "fields": [
                    {"pointer": f"/field{index}", "category": categories[index], "necessity": "to charge the customer"}
                    for index in range(6 if position else 7)
                ]
            },
            "response": {"fields": [{"pointer": "/id", "category": "none"}] if position != 2 else []},
        }
        for position in range(3)
    ]
    flow = _parsed("DataFlow", f"flow-{number}", spec)
    assert isinstance(flow, DataFlow)
    return flow


def _objects() -> list[Any]:
    dataset = {
        **OBJECTS["Dataset"],
        "purposes": ["dpv:PaymentManagement", "dpv:EnforceSecurity"],
        "fields": [{"name": f"field{index}", "category": "pd:Identifying"} for index in range(10)],
    }
    return [
        _parsed("Dataset", "orders-db", dataset),
        _parsed("Dataset", "customers-db", dataset),
        _parsed("DataController", "acme", OBJECTS["DataController"]),
    ]


def _parsed(kind: str, name: str, spec: Any) -> Any:
    metadata = {"name": name} if kind == "DataController" else {"name": name, "namespace": "shop"}
    return parse({"apiVersion": "lawflow.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})


if __name__ == "__main__":
    main()
