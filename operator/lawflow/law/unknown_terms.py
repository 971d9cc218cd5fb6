"""Terms in a flow and its objects that the vocabulary does not know."""

from collections.abc import Iterator, Mapping
from itertools import islice

from lawflow.law.parts import UnknownTerm
from lawflow.law.situation import Situation, consents
from lawflow.law.vocabulary import NOT_PERSONAL, did_you_mean

_PLACE = "use a term of https://w3id.org/dpv or add it to your legal data under vocabulary.terms"


MOST = 16
"""How many unknown terms are told of at a time: looking for the closest known one takes about a millisecond each."""


def unknown_terms(situation: Situation) -> Iterator[UnknownTerm]:
    """Unknown purposes, categories of data and subjects, legal bases and transfer tools, with the closest known one.

    The ones that deny come first; at most ``MOST`` are told, the rest once these are corrected.
    """
    return islice(_unknown_terms(situation), MOST)


def _unknown_terms(situation: Situation) -> Iterator[UnknownTerm]:
    spec, known = situation.spec, situation.vocabulary
    for purpose in situation.purposes:
        if purpose.concept is None:
            yield _purpose(situation, f"{purpose.path}.purpose", purpose.model.purpose)
        basis = purpose.basis
        if basis is not None and basis.article6 is not None and purpose.code is None:
            yield _code(f"{purpose.path}.lawfulBasis.article6", basis.article6, "basis", known.article6)
        for index, condition in enumerate(basis.article9 if basis else ()):
            path = f"{purpose.path}.lawfulBasis.article9[{index}]"
            if condition.condition not in known.article9:
                yield _code(f"{path}.condition", condition.condition, "condition", known.article9)
            for position, term in enumerate(condition.categories):
                if term not in known.categories:
                    yield _category(situation, f"{path}.categories[{position}]", term)
    for field in situation.fields:
        if field.concept is None:
            yield _category(situation, f"{field.path}.category", field.model.category)
    for transfer in situation.transfers:
        if transfer.tool is None:
            yield _code(f"{transfer.path}.tool", transfer.model.tool, "tool", known.tools)
        for index, onward in enumerate(transfer.model.onward):
            if onward.tool is not None and onward.tool not in known.tools:
                yield _code(f"{transfer.path}.onward[{index}].tool", onward.tool, "tool", known.tools)
    decision = spec.automated_decision
    if decision is not None and decision.condition is not None and decision.condition not in known.article22:
        path = ".spec.automatedDecision.condition"
        yield _code(path, decision.condition, "decision", known.article22)
    own = spec.destination.own_basis
    if own is not None and own.article6 is not None and own.article6 not in known.article6:
        yield _code(".spec.destination.ownBasis.article6", own.article6, "basis", known.article6)
    for index, term in enumerate(spec.subjects.categories):
        if term not in known.subjects:
            advice = did_you_mean(term, known.subject_names, _PLACE)
            yield UnknownTerm(f".spec.subjects.categories[{index}]", term, "subjects", advice)
    yield from _elsewhere(situation)


def _elsewhere(situation: Situation) -> Iterator[UnknownTerm]:
    known = situation.vocabulary
    for dataset in situation.datasets:
        for term in dataset.spec.purposes:
            if term not in known.purposes:
                yield UnknownTerm(dataset.path, term, "elsewhere", did_you_mean(term, known.purpose_names, _PLACE))
        for field in dataset.spec.fields:
            term = field.category
            if term not in known.categories and term != NOT_PERSONAL:
                yield UnknownTerm(dataset.path, term, "elsewhere", did_you_mean(term, known.category_names, _PLACE))
    for consent in consents(situation):
        for term in consent.policy.purposes:
            if term not in known.purposes:
                yield UnknownTerm(consent.path, term, "elsewhere", did_you_mean(term, known.purpose_names, _PLACE))


def _purpose(situation: Situation, path: str, term: str) -> UnknownTerm:
    return UnknownTerm(path, term, "purpose", did_you_mean(term, situation.vocabulary.purpose_names, _PLACE))


def _category(situation: Situation, path: str, term: str) -> UnknownTerm:
    otherwise = f"{_PLACE}; 'none' is for data that are not personal"
    return UnknownTerm(path, term, "category", did_you_mean(term, situation.vocabulary.category_names, otherwise))


def _code(path: str, term: str, kind: str, known: Mapping[str, str]) -> UnknownTerm:
    codes = sorted(set(known.values()))
    word = term.rsplit("#", 1)[-1].removeprefix("eu-gdpr:").upper()
    near = [code for code in codes if code.upper() == word]
    return UnknownTerm(path, term, kind, f"did you mean {near[0]}?" if near else f"use one of {', '.join(codes)}")
