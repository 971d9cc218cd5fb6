"""The parts of a flow that rules judge one by one, each with the facts that rules ask about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lawflow.law.vocabulary import Concept
from lawflow.model.consent_policy import ConsentPolicy
from lawflow.model.dataflow import Purpose
from lawflow.model.dataset import Dataset
from lawflow.model.lawful_basis import Article9, LawfulBasis
from lawflow.model.operation import FieldRule, Operation, Parameter
from lawflow.model.peer import Transfer

if TYPE_CHECKING:
    from lawflow.law.situation import Situation

_NO_FACETS = ("",)


class PurposeFacts:
    """One purpose with its basis."""

    __slots__ = ("basis", "code", "concept", "criminal", "facets", "index", "model", "policy", "situation", "special")

    def __init__(self, situation: "Situation", index: int, model: Purpose) -> None:
        basis = model.lawful_basis
        self.situation = situation
        self.index = index
        self.model = model
        self.concept: Concept | None = situation.vocabulary.purposes.get(model.purpose)
        self.basis: LawfulBasis | None = basis
        self.code: str | None = situation.vocabulary.article6.get(basis.article6 or "") if basis else None
        """``A6-1-a`` to ``A6-1-f``, or None where it is absent or unknown."""
        self.policy: ConsentPolicy | None = None
        if basis and basis.consent_policy_ref:
            self.policy = situation.resolved.consent_policy(basis.consent_policy_ref)
        self.special = self._travelling(situation.special)
        """Special categories (Article 9) that travel for this purpose."""
        self.criminal = self._travelling(situation.criminal)
        """Categories of criminal data (Article 10) that travel for this purpose."""
        facets = ("", self.code) if self.code else _NO_FACETS
        if self.special:
            facets = (*facets, "special")
        if self.criminal:
            facets = (*facets, "criminal")
        self.facets = facets

    @property
    def path(self) -> str:
        """Path of the purpose."""
        return f".spec.purposes[{self.index}]"

    @property
    def names(self) -> Mapping[str, Any]:
        """Names that messages may use."""
        return {"purpose": self.model.purpose}

    @property
    def broader(self) -> frozenset[str]:
        """The purpose itself and all broader ones."""
        return self.concept.broader if self.concept else frozenset((self.model.purpose,))

    def serves(self, *families: str) -> bool:
        """Whether the purpose belongs to one of the families."""
        return self.concept is not None and not self.concept.families.isdisjoint(families)

    def within(self, purposes: tuple[str, ...]) -> bool:
        """Whether the purpose is one of these or narrower than one of them."""
        known = self.situation.vocabulary.purposes
        broader = self.broader
        return any((known[term].term if term in known else term) in broader for term in purposes)

    def _travelling(self, concepts: tuple[Concept, ...]) -> tuple[Concept, ...]:
        if not concepts or self.situation.opaque:
            return concepts
        terms = {
            field.concept.term
            for field in self.situation.fields
            if field.concept and field.operation.serves(self.model)
        }
        return tuple(concept for concept in concepts if concept.term in terms)


class ConsentFacts:
    """A ConsentPolicy that a purpose, or a transfer (Article 49(1)(a)), rests on."""

    __slots__ = ("facets", "name", "path", "policy", "purpose", "situation")

    def __init__(
        self, situation: "Situation", policy: ConsentPolicy, path: str, purpose: PurposeFacts | None = None
    ) -> None:
        self.situation = situation
        self.policy = policy.spec
        self.name = policy.metadata.name
        self.path = path
        self.purpose = purpose
        self.facets = purpose.facets if purpose else _NO_FACETS

    @property
    def names(self) -> Mapping[str, Any]:
        """Names that messages may use."""
        purpose = self.purpose.model.purpose if self.purpose else "the transfer"
        return {"purpose": purpose, "policy": self.name, "recipient": self.situation.recipient}


class ConditionFacts:
    """One condition of Article 9(2) that a purpose claims."""

    __slots__ = ("code", "facets", "index", "model", "purpose", "situation")

    def __init__(self, purpose: PurposeFacts, index: int, model: Article9) -> None:
        self.situation = purpose.situation
        self.purpose = purpose
        self.index = index
        self.model = model
        self.code: str | None = self.situation.vocabulary.article9.get(model.condition)
        self.facets = ("", self.code) if self.code else _NO_FACETS

    @property
    def path(self) -> str:
        """Path of the condition."""
        return f"{self.purpose.path}.lawfulBasis.article9[{self.index}]"

    @property
    def names(self) -> Mapping[str, Any]:
        """Names that messages may use."""
        return {"purpose": self.purpose.model.purpose, "condition": self.model.condition}

    def covers(self, concept: Concept) -> bool:
        """Whether the condition is declared for a category: all categories unless it lists some."""
        known = self.situation.vocabulary.categories
        listed = self.model.categories
        return not listed or any((known[term].term if term in known else term) in concept.broader for term in listed)


class OperationFacts:
    """One operation of the flow."""

    __slots__ = ("index", "model", "situation")
    facets = _NO_FACETS

    def __init__(self, situation: "Situation", index: int, model: Operation) -> None:
        self.situation = situation
        self.index = index
        self.model = model

    @property
    def path(self) -> str:
        """Path of the operation."""
        return f".spec.operations[{self.index}]"

    @property
    def names(self) -> Mapping[str, Any]:
        """Names that messages may use."""
        return {"operation": self.model.name}

    def serves(self, purpose: Purpose) -> bool:
        """Whether the operation serves a purpose of the flow: all of them unless it lists some."""
        return not self.model.purposes or purpose.purpose in self.model.purposes


class FieldFacts:
    """One declared field, header or query parameter that is personal data, or of an unknown category."""

    __slots__ = ("concept", "direction", "index", "kind", "model", "operation")
    facets: tuple[str, ...] = _NO_FACETS

    def __init__(
        self,
        operation: OperationFacts,
        direction: str,
        kind: str,
        index: int,
        model: FieldRule | Parameter,
        concept: Concept | None,
    ) -> None:
        self.operation = operation
        self.direction = direction
        self.kind = kind
        self.index = index
        self.model = model
        self.concept = concept

    @property
    def situation(self) -> "Situation":
        """The flow on a day that the field belongs to."""
        return self.operation.situation

    @property
    def path(self) -> str:
        """Path of the field."""
        return f"{self.operation.path}.{self.direction}.{self.kind}[{self.index}]"

    @property
    def label(self) -> str:
        """Pointer of the field, or name of the parameter."""
        return self.model.pointer if isinstance(self.model, FieldRule) else self.model.name

    @property
    def names(self) -> Mapping[str, Any]:
        """Names that messages may use."""
        return {"operation": self.operation.model.name, "field": self.label, "category": self.model.category}


class SensitiveFieldFacts(FieldFacts):
    """A field of a category that Article 9 or 10 may speak of."""

    __slots__ = ()
    facets = ("", "sensitive")


class TransferFacts:
    """One transfer to a third country or an international organisation."""

    __slots__ = ("country", "facets", "index", "model", "organisation", "situation", "tool")

    def __init__(self, situation: "Situation", index: int, model: Transfer) -> None:
        external = situation.spec.destination.external
        self.situation = situation
        self.index = index
        self.model = model
        self.tool: str | None = situation.vocabulary.tools.get(model.tool)
        self.organisation = external.international_organisation if external and model.country is None else None
        """Short name of the international organisation that receives the data, where one does."""
        self.country = model.country or (external.country if external else None)
        if self.organisation is None and self.country and not situation.legal.third_country(self.country):
            self.facets: tuple[str, ...] = ()  # Nothing leaves the EEA, so nothing is asked of the tool.
        else:
            self.facets = ("", self.tool.split("-", 1)[0], self.tool) if self.tool else _NO_FACETS

    @property
    def path(self) -> str:
        """Path of the transfer."""
        return f".spec.transfers[{self.index}]"

    @property
    def place(self) -> str:
        """The country or organisation that receives the data."""
        return self.organisation or self.country or "the recipient"

    @property
    def names(self) -> Mapping[str, Any]:
        """Names that messages may use."""
        return {"place": self.place, "tool": self.tool or self.model.tool}


class DatasetFacts:
    """One dataset that the flow draws from."""

    __slots__ = ("dataset", "path", "situation", "spec")
    facets = _NO_FACETS

    def __init__(self, situation: "Situation", dataset: Dataset, path: str) -> None:
        self.situation = situation
        self.dataset = dataset
        self.spec = dataset.spec
        self.path = path

    @property
    def names(self) -> Mapping[str, Any]:
        """Names that messages may use."""
        return {"dataset": self.dataset.metadata.name}


@dataclass(frozen=True, slots=True)
class UnknownTerm:
    """A term that neither DPV nor the user's own vocabulary knows."""

    path: str
    term: str
    kind: str
    advice: str

    @property
    def facets(self) -> tuple[str, ...]:
        """The kind of term."""
        return (self.kind,)

    @property
    def names(self) -> Mapping[str, Any]:
        """Names that messages may use."""
        return {"term": self.term, "advice": self.advice}


@dataclass(frozen=True, slots=True)
class UnresolvedReference:
    """A reference to an object that is not at hand."""

    situation: "Situation"
    path: str
    kind: str
    namespace: str
    name: str
    facets: tuple[str, ...] = _NO_FACETS

    @property
    def names(self) -> Mapping[str, Any]:
        """Names that messages may use."""
        where = f" in namespace {self.namespace}" if self.namespace else ""
        return {"kind": self.kind, "name": self.name, "where": where}
