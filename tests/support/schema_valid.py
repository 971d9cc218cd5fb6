"""Hypothesis strategies for whatever fits the schema of a kind, made from the models themselves.

Terms and names are drawn mostly from a few known ones, so that rules have something to agree and to disagree about.
"""

import datetime as dt
import types
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Le, MaxLen, MinLen
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from lawflow.law.legal import default_legal_data
from lawflow.model.consent_policy import ConsentPolicy
from lawflow.model.data_controller import DataController
from lawflow.model.dataflow import DataFlow
from lawflow.model.dataset import Dataset
from lawflow.model.peer import Destination

_VOCABULARY = default_legal_data().vocabulary
_NAMES = st.sampled_from(["one", "two", "three"])
_UNKNOWN = st.text(min_size=1, max_size=12)
_DATES = st.one_of(
    st.sampled_from([dt.date.min, dt.date.max]), st.dates(), st.dates(dt.date(2025, 1, 1), dt.date(2028, 1, 1))
)


def _mostly(known: Any) -> st.SearchStrategy[str]:
    choices = st.sampled_from(sorted(known))
    return st.integers(0, 15).flatmap(lambda dice: _UNKNOWN if dice == 15 else choices)


_PURPOSES = _mostly(["dpv:PaymentManagement", "dpv:Marketing", "dpv:DirectMarketing", "dpv:AcademicResearch"])
_TERMS = {
    "purpose": st.one_of(_PURPOSES, _mostly(_VOCABULARY.purposes)),
    "purposes": _PURPOSES,
    "category": st.one_of(_mostly(_VOCABULARY.categories), st.just("none")),
    "categories": st.one_of(_mostly(_VOCABULARY.subjects), _mostly(_VOCABULARY.categories)),
    "article6": _mostly(_VOCABULARY.article6),
    "condition": st.one_of(_mostly(_VOCABULARY.article9), _mostly(_VOCABULARY.article22)),
    "tool": _mostly(_VOCABULARY.tools),
}
_LIKELY = frozenset(
    (
        "purposes", "operations", "fields", "request", "dataset_refs", "lawful_basis", "controller_ref", "article6",
        "transfers", "derogation", "adequacy", "legal_obligation", "public_task", "legitimate_interest", "age",
    )
)  # fmt: skip
_UNLIKELY = frozenset(("out_of_scope", "namespace"))
_COUNTRIES = st.sampled_from(["DE", "FR", "RE", "NO", "US", "IN", "GB", "XX"])
_SEGMENTS = st.sampled_from(["a", "b", "{id}", "*", "**", "~2"])
_STRINGS = {
    "^[A-Z]{2}$": _COUNTRIES,
    "^P": st.from_regex(r"P[0-9]{1,4}Y([0-9]{1,12}M)?([0-9]{1,4}D)?(T[0-9]{0,3})?", fullmatch=True).filter(
        lambda text: len(text) <= 32 and not text[-1].isdigit()
    ),
    "^/": st.lists(_SEGMENTS, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts)),
    "^(/": st.lists(_SEGMENTS, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts)),
}
_PLAIN = st.sampled_from(["x", "api.example", "{unfilled}", "shop/one", "{", "a\nb"])


def flows() -> st.SearchStrategy[DataFlow]:
    """Any DataFlow that fits its schema."""
    return _model(DataFlow)


def resources() -> st.SearchStrategy[list[BaseModel]]:
    """Objects that flows may refer to."""
    kinds = (Dataset, ConsentPolicy, DataController)
    return st.lists(st.one_of([_model(kind) for kind in kinds]), max_size=5)


def _present(name: str) -> st.SearchStrategy[bool]:
    if name in _LIKELY or name in _UNLIKELY:
        return st.integers(0, 7).map(lambda dice: (dice == 7) != (name in _LIKELY))
    return st.booleans()


@cache
def _model(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Instances of a model."""
    return _instances(model).filter(lambda instance: instance is not None)


@st.composite
def _instances(draw: st.DrawFn, model: type[BaseModel]) -> Any:
    """An instance, or None where it violates a constraint between its fields."""
    skipped = {"status", "api_version"}
    if model is Destination:
        skipped |= {draw(st.sampled_from(["service", "external"]))}
    values: dict[str, Any] = {}
    if "metadata" in model.model_fields:
        skipped |= {"kind", "metadata"}
        namespace = "" if model is DataController else "shop"
        values = {"kind": model.__name__, "metadata": {"name": draw(_NAMES), "namespace": namespace}}
    for name, field in model.model_fields.items():
        wanted = field.is_required() or name in ("service", "external")
        if name not in skipped and (wanted or draw(_present(name))):
            values[name] = draw(_value(name, field))
    try:
        return model.model_validate(values, by_name=True)
    except ValidationError:
        return None


def _value(name: str, field: FieldInfo) -> st.SearchStrategy[Any]:
    return _annotated(name, field.annotation, list(field.metadata))


def _annotated(name: str, annotation: Any, metadata: list[Any]) -> st.SearchStrategy[Any]:
    if hasattr(annotation, "__metadata__"):
        inner = [part for item in annotation.__metadata__ for part in getattr(item, "metadata", [item])]
        return _annotated(name, annotation.__origin__, inner + metadata)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (Union, types.UnionType):
        parts = [part for part in arguments if part is not type(None)]
        return st.one_of([_annotated(name, part, metadata) for part in parts])
    if origin is tuple:
        least = 1 if name in _LIKELY else 0
        return st.lists(_annotated(name, arguments[0], []), min_size=least, max_size=2).map(tuple)
    if annotation is bool:
        return st.booleans()
    if annotation is int:
        low = next((item.ge for item in metadata if isinstance(item, Ge)), 0)
        high = next((item.le for item in metadata if isinstance(item, Le)), 100)
        return st.integers(low, high)  # type: ignore[arg-type]
    if annotation is dt.date:
        return _DATES
    if annotation is str:
        return _string(name, metadata)
    return st.deferred(lambda: _model(annotation))


def _string(name: str, metadata: list[Any]) -> st.SearchStrategy[str]:
    if name in _TERMS:
        return _TERMS[name]
    pattern = next((item.pattern for item in metadata if getattr(item, "pattern", None)), None)
    if pattern is not None:
        known = next((strategy for start, strategy in _STRINGS.items() if pattern.startswith(start)), None)
        return _NAMES if known is None else known
    if name == "international_organisation":
        return st.sampled_from(["EPO", "UN"])
    if name == "jurisdiction":
        return st.sampled_from(["EU", "DE", "US", ""])
    low = next((item.min_length for item in metadata if isinstance(item, MinLen)), 0)
    high = next((item.max_length for item in metadata if isinstance(item, MaxLen)), 1024)
    return _PLAIN.filter(lambda text: low <= len(text) <= high)
