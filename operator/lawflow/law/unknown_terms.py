"""Terms in a flow and its objects that the vocabulary does not know."""

from collections.abc import Iterable, Iterator

from lawflow.law.parts import UnknownTerm
from lawflow.law.situation import Situation
from lawflow.law.vocabulary import NOT_PERSONAL, did_you_mean

_PLACE = "use a term of https://w3id.org/dpv or add it to your legal data under vocabulary.terms"


def unknown_terms(situation: Situation) -> Iterator[UnknownTerm]:
    """Unknown purposes, categories of data and subjects, legal bases and transfer tools, with the closest known one."""
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
                yield _code(f"{path}.condition", condition.condition, "condition of Article 9(2)", known.article9)
            for position, term in enumerate(condition.categories):
                if term not in known.categories:
                    yield _category(situation, f"{path}.categories[{position}]", term)
    for field in situation.fields:
        if field.concept is None:
            yield _category(situation, f"{field.path}.category", field.model.category)
    for index, term in enumerate(spec.subjects.categories):
        if term not in known.subjects:
            advice = did_you_mean(term, known.subject_names, _PLACE)
            yield UnknownTerm(f".spec.subjects.categories[{index}]", term, "category of data subjects", advice)
    for transfer in situation.transfers:
        if transfer.tool is None:
            yield _code(f"{transfer.path}.tool", transfer.model.tool, "transfer tool", known.tools)
        for index, onward in enumerate(transfer.model.onward):
            if onward.tool is not None and onward.tool not in known.tools:
                yield _code(f"{transfer.path}.onward[{index}].tool", onward.tool, "transfer tool", known.tools)
    decision = spec.automated_decision
    if decision is not None and decision.condition is not None and decision.condition not in known.article22:
        path = ".spec.automatedDecision.condition"
        yield _code(path, decision.condition, "condition of Article 22(2)", known.article22)
    own = spec.destination.own_basis
    if own is not None and own.article6 is not None and own.article6 not in known.article6:
        yield _code(".spec.destination.ownBasis.article6", own.article6, "basis", known.article6)
    yield from _elsewhere(situation)


def _elsewhere(situation: Situation) -> Iterator[UnknownTerm]:
    known = situation.vocabulary
    for dataset in situation.datasets:
        for term in dataset.spec.purposes:
            if term not in known.purposes:
                yield _purpose(situation, dataset.path, term)
        for field in dataset.spec.fields:
            if field.category not in known.categories and field.category != NOT_PERSONAL:
                yield _category(situation, dataset.path, field.category)
    for purpose in situation.purposes:
        for term in purpose.policy.spec.purposes if purpose.policy else ():
            if term not in known.purposes:
                yield _purpose(situation, f"{purpose.path}.lawfulBasis.consentPolicyRef", term)


def _purpose(situation: Situation, path: str, term: str) -> UnknownTerm:
    return UnknownTerm(path, term, "purpose", did_you_mean(term, situation.vocabulary.purpose_names, _PLACE))


def _category(situation: Situation, path: str, term: str) -> UnknownTerm:
    advice = did_you_mean(
        term, situation.vocabulary.category_names, f"{_PLACE}; 'none' is for data that are not personal"
    )
    return UnknownTerm(path, term, "category of data", advice)


def _code(path: str, term: str, kind: str, known: Iterable[str]) -> UnknownTerm:
    short = sorted({code for code in known if ":" not in code})
    closed = term.removeprefix("eu-gdpr:").upper()
    near = [code for code in short if code.upper() == closed]
    advice = (
        f"did you mean {near[0]}?"
        if near
        else f"use one of {', '.join(code for code in short if code[-2] == '-' or code == 'A49-2')}"
    )
    return UnknownTerm(path, term, kind, advice)
