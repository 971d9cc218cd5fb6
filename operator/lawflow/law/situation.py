"""One flow with everything that rules ask about it: what it refers to, what its terms mean, and which dates count."""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from lawflow.law.context import Context
from lawflow.law.overlap import names_subtree
from lawflow.law.parts import (
    ConditionFacts,
    ConsentFacts,
    DatasetFacts,
    FieldFacts,
    OperationFacts,
    PurposeFacts,
    SensitiveFieldFacts,
    TransferFacts,
    UnresolvedReference,
)
from lawflow.law.period import later
from lawflow.law.vocabulary import NOT_PERSONAL, Concept
from lawflow.model.base import Law
from lawflow.model.dataflow import DataFlowSpec
from lawflow.model.operation import FieldRule, Parameter
from lawflow.resolve import ResolvedFlow


class Situation:
    """A flow on a day. It is also the element that rules about the flow as a whole judge.

    Rules ask it about dates (``expired``, ``in_force``, ``older``); it remembers every date that is still to come, so
    that the day of the next review follows from what was asked and no rule can forget it.
    """

    path = ".spec"

    def __init__(self, resolved: ResolvedFlow, context: Context, today: dt.date) -> None:
        spec = resolved.flow.spec
        external = spec.destination.external
        self.resolved = resolved
        self.spec: DataFlowSpec = spec
        self.context = context
        self.legal = context.legal
        self.vocabulary = context.legal.vocabulary
        self.today = today
        self.next_review: dt.date | None = None
        self.controller = resolved.controller.spec if resolved.controller else None
        self.third_country = external is not None and (
            external.international_organisation is not None
            or (external.country is not None and self.legal.third_country(external.country))
        )
        """Whether the recipient is in a third country or an international organisation."""
        self.opaque = _opaque(spec)
        """Whether the data path cannot see fields, so that everything in the datasets may travel."""
        self.datasets = tuple(_datasets(self))
        self.datasets_missing = len(self.datasets) < len(spec.source.dataset_refs)
        """Whether a dataset is not at hand, so that what it may say must not be held against the flow."""
        self.operations = tuple(OperationFacts(self, index, model) for index, model in enumerate(spec.operations))
        self.subtrees: list[FieldFacts] = []
        """Fields whose pointer names a whole subtree, personal or not."""
        self.fields = tuple(_personal_fields(self))
        """Fields, headers and query parameters that are personal data."""
        self.categories = _categories(self)
        """Every category of personal data that travels, by term."""
        self.special = tuple(concept for concept in self.categories.values() if self.is_special(concept))
        self.criminal = tuple(concept for concept in self.categories.values() if concept.nature == "criminal")
        self.subjects = _subjects(self)
        """Every category of data subjects that is declared, with all broader ones."""
        self.purposes = tuple(PurposeFacts(self, index, model) for index, model in enumerate(spec.purposes))
        self.transfers = tuple(TransferFacts(self, index, model) for index, model in enumerate(spec.transfers))
        self.facets = tuple(_facets(self))

    @property
    def names(self) -> Mapping[str, Any]:
        """Names that messages may use."""
        reason = self.spec.out_of_scope.reason if self.spec.out_of_scope else ""
        return {"recipient": self.recipient, "reason": reason}

    @property
    def recipient(self) -> str:
        """The recipient in words: an organisation, or NAMESPACE/SERVICE."""
        return self.recipients[0]

    @property
    def recipients(self) -> tuple[str, ...]:
        """The names under which the recipient may be declared."""
        external, service = self.spec.destination.external, self.spec.destination.service
        if external is not None:
            return external.organisation, external.host
        name = service.name if service else ""
        return (f"{(service and service.namespace) or self.resolved.namespace}/{name}",)

    def is_special(self, concept: Concept) -> bool:
        """Whether a category is special under Article 9(1), given what the datasets say of unique identification."""
        if concept.nature == "special":
            return True
        if concept.nature not in ("biometric", "biometricIfDeclared") or self.datasets_missing:
            return False
        known = self.vocabulary.categories
        said = {
            field.unique_identification
            for facts in self.datasets
            for field in facts.spec.fields
            if known.get(field.category) is concept and field.unique_identification is not None
        }
        return True in said or (not said and concept.nature == "biometric")

    def concerns(self, subject: str) -> bool:
        """Whether a category of data subjects, or a narrower one, is declared."""
        return subject in self.subjects

    @property
    def children(self) -> bool:
        """Whether children are among the data subjects."""
        return self.spec.subjects.children or self.concerns("dpv:Child")

    def foreign(self, law: Law) -> bool:
        """Whether a law is neither Union law nor that of a Member State or EEA state (Article 6(3))."""
        return law.jurisdiction != "EU" and self.legal.third_country(law.jurisdiction)

    # Dates

    def expired(self, last_day: dt.date | None) -> bool:
        """Whether a last day of validity lies before today; one that is not declared never passes."""
        if last_day is None:
            return False
        if last_day < self.today:
            return True
        if last_day < dt.date.max:
            self._review(last_day + dt.timedelta(days=1))
        return False

    def in_force(self, first_day: dt.date, last_day: dt.date | None) -> bool:
        """Whether today lies between two days, both included."""
        if first_day > self.today:
            self._review(first_day)
            return False
        return not self.expired(last_day)

    def older(self, day: dt.date, duration: str) -> bool:
        """Whether more than a duration has passed since a day."""
        return self.expired(later(day, duration))

    def _review(self, day: dt.date) -> None:
        if self.next_review is None or day < self.next_review:
            self.next_review = day


# Parts that rules judge one by one, in the order of the object.


def consents(situation: Situation) -> Iterator[ConsentFacts]:
    """ConsentPolicies at hand that purposes or transfers rest on."""
    for purpose in situation.purposes:
        if purpose.policy is not None:
            path = f"{purpose.path}.lawfulBasis.consentPolicyRef"
            yield ConsentFacts(situation, purpose.policy, path, purpose)
    for transfer in situation.transfers:
        if transfer.tool == "A49-1-a" and (derogation := transfer.model.derogation):
            policy = situation.resolved.consent_policy(derogation.consent_policy_ref)
            if policy is not None:
                yield ConsentFacts(situation, policy, f"{transfer.path}.derogation.consentPolicyRef")


def conditions(situation: Situation) -> Iterator[ConditionFacts]:
    """Conditions of Article 9(2)."""
    for purpose in situation.purposes:
        if purpose.basis is not None:
            for index, model in enumerate(purpose.basis.article9):
                yield ConditionFacts(purpose, index, model)


def unresolved_references(situation: Situation) -> Iterator[UnresolvedReference]:
    """References to objects that are not at hand."""
    for found in situation.resolved.unresolved:
        yield UnresolvedReference(situation, found.path, found.kind, found.namespace, found.name)
    joint = situation.controller.joint_controllers if situation.controller else ()
    for reference in joint:
        if situation.context.objects.controller(reference.name) is None:
            yield UnresolvedReference(situation, ".spec.controllerRef", "DataController", "", reference.name)
    if situation.spec.source.processor:
        for index, reference in enumerate(situation.spec.source.processor.controllers):
            if situation.context.objects.controller(reference.name) is None:
                path = f".spec.source.processor.controllers[{index}]"
                yield UnresolvedReference(situation, path, "DataController", "", reference.name)


def _datasets(situation: Situation) -> Iterator[DatasetFacts]:
    namespace = situation.resolved.namespace
    at_hand = {(found.metadata.namespace, found.metadata.name): found for found in situation.resolved.datasets}
    for index, reference in enumerate(situation.spec.source.dataset_refs):
        dataset = at_hand.get((reference.namespace or namespace, reference.name))
        if dataset is not None:
            yield DatasetFacts(situation, dataset, f".spec.source.datasetRefs[{index}]")


def _personal_fields(situation: Situation) -> Iterator[FieldFacts]:
    known = situation.vocabulary.categories
    for operation in situation.operations:
        for direction, payload in (("request", operation.model.request), ("response", operation.model.response)):
            if payload is None:
                continue
            for index, rule in enumerate(payload.fields):
                category = rule.category
                if category != NOT_PERSONAL:
                    yield _field(operation, direction, "fields", index, rule, known.get(category))
                if names_subtree(rule.pointer):
                    situation.subtrees.append(FieldFacts(operation, direction, "fields", index, rule, None))
            for kind, parameters in (("headers", payload.headers), ("query", payload.query)):
                for index, parameter in enumerate(parameters):
                    if parameter.category != NOT_PERSONAL:
                        concept = known.get(parameter.category)
                        yield _field(operation, direction, kind, index, parameter, concept)


def _field(
    operation: OperationFacts,
    direction: str,
    kind: str,
    index: int,
    model: FieldRule | Parameter,
    concept: Concept | None,
) -> FieldFacts:
    plain = concept is None or concept.nature == "plain"
    return (FieldFacts if plain else SensitiveFieldFacts)(operation, direction, kind, index, model, concept)


def _subjects(situation: Situation) -> frozenset[str]:
    known = situation.vocabulary.subjects
    return frozenset().union(*(known[term].broader for term in situation.spec.subjects.categories if term in known))


def _categories(situation: Situation) -> dict[str, Concept]:
    found = {field.concept.term: field.concept for field in situation.fields if field.concept}
    if situation.opaque:
        known = situation.vocabulary.categories
        for facts in situation.datasets:
            for field in facts.spec.fields:
                if concept := known.get(field.category):
                    found[concept.term] = concept
    return found


def _opaque(spec: DataFlowSpec) -> bool:
    external, service = spec.destination.external, spec.destination.service
    return (external is not None and external.tls == "passthrough") or (
        service is not None and service.protocol == "tcp"
    )


def _facets(situation: Situation) -> Iterator[str]:
    spec = situation.spec
    yield ""
    yield f"to {spec.destination.role}"
    yield f"from {spec.source.role}"
    if situation.third_country:
        yield "third country"
    if situation.special:
        yield "special"
    if situation.criminal:
        yield "criminal"
    if situation.opaque:
        yield "opaque"
    if spec.automated_decision is not None:
        yield "automated decision"
