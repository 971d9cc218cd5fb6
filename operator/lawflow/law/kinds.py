"""The kinds of parts that a rule can be about."""

from lawflow.law.parts import (
    ConditionFacts,
    ConsentFacts,
    DatasetFacts,
    FieldFacts,
    OperationFacts,
    PurposeFacts,
    TransferFacts,
    UnknownTerm,
    UnresolvedReference,
)
from lawflow.law.rule import Part
from lawflow.law.situation import Situation, conditions, consents, unresolved_references
from lawflow.law.unknown_terms import unknown_terms

REFERENCE: Part[UnresolvedReference] = Part("reference", unresolved_references)
TERM: Part[UnknownTerm] = Part("term", unknown_terms)
FLOW: Part[Situation] = Part("flow", lambda situation: (situation,))
PURPOSE: Part[PurposeFacts] = Part("purpose", lambda situation: situation.purposes)
CONSENT: Part[ConsentFacts] = Part("consent", consents)
CONDITION: Part[ConditionFacts] = Part("condition", conditions)
OPERATION: Part[OperationFacts] = Part("operation", lambda situation: situation.operations)
FIELD: Part[FieldFacts] = Part("field", lambda situation: situation.fields)
TRANSFER: Part[TransferFacts] = Part("transfer", lambda situation: situation.transfers)
SUBTREE: Part[FieldFacts] = Part("subtree", lambda situation: situation.subtrees)
DATASET: Part[DatasetFacts] = Part("dataset", lambda situation: situation.datasets)

PARTS: tuple[Part, ...] = (  # type: ignore[type-arg]
    REFERENCE, TERM, FLOW, PURPOSE, CONSENT, CONDITION, OPERATION, FIELD, SUBTREE, TRANSFER, DATASET,
)  # fmt: skip
