"""Terms of the W3C Data Privacy Vocabulary and of the GDPR: what is known, what is narrower, what is special."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property, lru_cache
from typing import Literal

from pydantic import Field

from lawflow.model.base import Model

Nature = Literal["plain", "special", "biometric", "biometricIfDeclared", "criminal"]
"""What Articles 9 and 10 make of a category of data."""

NOT_PERSONAL = "none"
"""The category of a field that is no personal data."""

_WEIGHT: Mapping[Nature, int] = {"plain": 0, "biometricIfDeclared": 1, "criminal": 2, "biometric": 3, "special": 4}
_NAMESPACES = {
    "pd:": "https://w3id.org/dpv/pd#",
    "dpv:": "https://w3id.org/dpv#",
    "eu-gdpr:": "https://w3id.org/dpv/legal/eu/gdpr#",
}
_ARTICLE_6 = tuple(f"A6-1-{letter}" for letter in "abcdef")
_ARTICLE_6_NARROWER = {
    "A6-1-a-explicit-consent": "A6-1-a",
    "A6-1-a-non-explicit-consent": "A6-1-a",
    "A6-1-b-contract-performance": "A6-1-b",
    "A6-1-b-enter-into-contract": "A6-1-b",
    "A6-1-d-data-subject": "A6-1-d",
    "A6-1-d-natural-person": "A6-1-d",
    "A6-1-e-official-authority": "A6-1-e",
    "A6-1-e-public-interest": "A6-1-e",
    "A6-1-f-controller": "A6-1-f",
    "A6-1-f-third-party": "A6-1-f",
}
_ARTICLE_9 = tuple(f"A9-2-{letter}" for letter in "abcdefghij")
_ARTICLE_22 = ("A22-2-a", "A22-2-b", "A22-2-c")
_TRANSFER_TOOLS = (
    "A45-3",
    *(f"A46-2-{letter}" for letter in "abcdef"),
    "A46-3-a",
    "A46-3-b",
    *(f"A49-1-{letter}" for letter in "abcdefg"),
    "A49-2",
)


@dataclass(frozen=True, slots=True)
class Concept:
    """A term with itself and all broader terms, and the families that it belongs to."""

    term: str
    broader: frozenset[str]
    families: frozenset[str] = frozenset()
    nature: Nature = "plain"


class Terms(Model):
    """The vocabulary as it stands in a data file."""

    version: str
    typing: dict[str, Nature] = Field(description="What a category and all narrower ones are.")
    terms: dict[str, str] = Field({}, description="Single terms and the broader term of each.")
    families: dict[str, tuple[str, ...]] = Field(description="Families of purposes that rules recognise.")
    categories: dict[str, tuple[str, ...]] = Field(description="Narrower categories of data of each broader one.")
    purposes: dict[str, tuple[str, ...]] = Field(description="Narrower purposes of each broader one.")
    subjects: dict[str, tuple[str, ...]] = Field(description="Narrower categories of subjects of each broader one.")


class VocabularyError(ValueError):
    """An entry of the vocabulary that speaks of a term which is nowhere defined; ``path`` says where it stands."""

    def __init__(self, path: tuple[str, ...], term: str, advice: str) -> None:
        self.path = path
        super().__init__(f"{term} is not a known term; {advice}")


class Vocabulary:
    """Known terms, each under its short form and its full address. Raises VocabularyError."""

    def __init__(self, terms: Terms) -> None:
        self.version = terms.version
        self.categories = _concepts(terms, terms.categories, "pd:", {}, typed=True)
        self.purposes = _concepts(terms, terms.purposes, "dpv:", terms.families)
        self.subjects = _concepts(terms, terms.subjects, "dpv:", {})
        self.article6 = _codes({**{code: code for code in _ARTICLE_6}, **_ARTICLE_6_NARROWER})
        self.article9 = _codes({code: code for code in _ARTICLE_9})
        self.article22 = _codes({code: code for code in _ARTICLE_22})
        self.tools = _codes({code: code for code in _TRANSFER_TOOLS})
        self._check(terms)

    def _check(self, terms: Terms) -> None:
        known = {*self.categories, *self.purposes, *self.subjects}
        names = (*self.category_names, *self.purpose_names, *self.subject_names)
        spoken = [(("terms", term), broader) for term, broader in terms.terms.items() if term not in known]
        spoken += [(("typing", term), term) for term in terms.typing if term not in self.categories]
        for family, roots in terms.families.items():
            spoken += [(("families", family), root) for root in roots if root not in self.purposes]
        for path, term in spoken:
            raise VocabularyError(path, term, did_you_mean(term, names, "define it under vocabulary.terms"))

    @cached_property
    def category_names(self) -> tuple[str, ...]:
        """Short forms of all categories of data, and ``none``."""
        return (*_short_forms(self.categories), NOT_PERSONAL)

    @cached_property
    def purpose_names(self) -> tuple[str, ...]:
        """Short forms of all purposes."""
        return _short_forms(self.purposes)

    @cached_property
    def subject_names(self) -> tuple[str, ...]:
        """Short forms of all categories of data subjects."""
        return _short_forms(self.subjects)


@lru_cache(maxsize=4096)
def did_you_mean(term: str, known: tuple[str, ...], otherwise: str) -> str:
    """Advice on an unknown term: the closest known one, a known one without its prefix, or what else to do."""
    names = sorted(known)
    bare = {name.split(":", 1)[-1].casefold(): name for name in names}
    word = term.rsplit("#", 1)[-1].split(":", 1)[-1]
    word = word.casefold()
    near = get_close_matches(word, bare, n=3, cutoff=0.6)
    swapped = [name for name in near if sorted(name) == sorted(word)]
    begun = sorted((name for name in bare if len(word) > 2 and name.startswith(word)), key=len)
    for name in (*((word,) if word in bare else ()), *swapped, *begun, *near):
        return f"did you mean {bare[name]}?"
    return otherwise


def _short_forms(concepts: Mapping[str, Concept]) -> tuple[str, ...]:
    return tuple(sorted({concept.term for concept in concepts.values()}))


def _codes(codes: Mapping[str, str]) -> Mapping[str, str]:
    prefixes = ("", "eu-gdpr:", _NAMESPACES["eu-gdpr:"])
    return {prefix + code: short for code, short in codes.items() for prefix in prefixes}


def _concepts(
    terms: Terms,
    tree: Mapping[str, tuple[str, ...]],
    prefix: str,
    families: Mapping[str, tuple[str, ...]],
    typed: bool = False,
) -> Mapping[str, Concept]:
    parents: dict[str, list[str]] = {}
    for broad, narrower in tree.items():
        parents.setdefault(_named(broad, prefix), [])
        for narrow in narrower:
            parents.setdefault(_named(narrow, prefix), []).append(_named(broad, prefix))
    added = dict(terms.terms)
    while ready := [term for term, broad in added.items() if broad in parents]:
        for term in ready:
            parents.setdefault(term, []).append(added.pop(term))
    found: dict[str, Concept] = {}
    for term in parents:
        broader = _closure(term, parents)
        belongs = frozenset(name for name, roots in families.items() if broader.intersection(roots))
        nature = _nature(term, parents, terms.typing, frozenset()) if typed else "plain"
        concept = Concept(term, broader, belongs, nature)
        found[term] = concept
        for short, address in _NAMESPACES.items():
            if term.startswith(short):
                found[address + term.removeprefix(short)] = concept
    return found


def _named(word: str, prefix: str) -> str:
    if ":" in word:
        return word
    return ("dpv:" if word == "PersonalData" else prefix) + word


def _closure(term: str, parents: Mapping[str, list[str]]) -> frozenset[str]:
    seen: set[str] = set()
    waiting = [term]
    while waiting:
        current = waiting.pop()
        if current not in seen:
            seen.add(current)
            waiting.extend(parents.get(current, ()))
    return frozenset(seen)


def _nature(term: str, parents: Mapping[str, list[str]], typing: Mapping[str, Nature], above: frozenset[str]) -> Nature:
    if term in typing:
        return typing[term]
    below = above | {term}
    natures = [_nature(parent, parents, typing, below) for parent in parents.get(term, ()) if parent not in below]
    return max(natures, key=_WEIGHT.__getitem__, default="plain")
