"""A shop on paper: a namespace that opted in, a lawful flow and an unlawful one, and what they refer to."""

from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]

LAWFUL_FLOW, UNLAWFUL_FLOW = "orders-to-billing", "marketing-to-billing"
"""Its flows."""
_MANIFESTS = Path(__file__).with_name("declared_shop.yaml")


def declared(namespace: str) -> list[Object]:
    """Everything, in that namespace."""
    found: list[Object] = list(yaml.safe_load_all(_MANIFESTS.read_text(encoding="utf-8")))
    for each in found:
        if each["kind"] == "Namespace":
            each["metadata"]["name"] = namespace
        elif "namespace" in each["metadata"]:
            each["metadata"]["namespace"] = namespace
    return found


def lawful_flow(namespace: str) -> Object:
    """The lawful flow alone."""
    (found,) = (each for each in declared(namespace) if each["metadata"]["name"] == LAWFUL_FLOW)
    return found
