"""Dated legal data: adequacy decisions, territories, ages of consent, vocabulary. Files that a user can override.

Reading files is the only input and output of the package and happens here, at start-up.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError

from lawflow.law.vocabulary import Terms, Vocabulary, VocabularyError
from lawflow.model.base import CountryCode, Duration, Model
from lawflow.model.parse import path_of


class LegalDataError(ValueError):
    """A file of legal data that cannot be used; the message names file, path and fix."""


class AdequacyDecision(Model):
    """One adequacy decision under Article 45, with the days between which it is in force and what it covers."""

    source: str
    valid_from: dt.date
    valid_until: dt.date | None = None
    covers: Literal["all", "commercial"] = "all"
    certification: bool = False
    not_yet_in: tuple[CountryCode, ...] = ()


class Territories(Model):
    """Where the GDPR applies as law of a Member State or of an EEA state."""

    member_states: frozenset[CountryCode]
    eea_states: frozenset[CountryCode]
    inside: dict[CountryCode, CountryCode] = Field(description="Parts with codes of their own, and their states.")


class ConsentAge(Model):
    """The age of digital consent by country, and where it is unknown (Article 8(1))."""

    unknown: int = Field(ge=13, le=16)
    countries: dict[CountryCode, int]


class Settings(Model):
    """Numbers that the law gives or that pending reforms may change."""

    breach_notification_hours: int
    breach_notification_only_if_high_risk: bool
    record_exemption_employees: int
    rights_response: Duration
    rights_extension: Duration
    security_test_interval: Duration


class LegalDocument(Model):
    """All legal data as they stand in the files."""

    adequacy: dict[str, tuple[AdequacyDecision, ...]]
    territories: Territories
    consent_age: ConsentAge
    settings: Settings
    vocabulary: Terms


@dataclass(frozen=True)
class LegalData:
    """Legal data in the form that rules ask."""

    adequacy: Mapping[str, tuple[AdequacyDecision, ...]]
    inside: frozenset[str]
    """Country codes where the GDPR applies, parts with codes of their own among them."""
    consent_age: ConsentAge
    settings: Settings
    vocabulary: Vocabulary

    def third_country(self, country: str) -> bool:
        """Whether a country lies outside the EEA."""
        return country not in self.inside

    def age_of_consent(self, countries: tuple[str, ...]) -> int:
        """The strictest age of digital consent among countries; the age for unknown ones where none is given."""
        known = self.consent_age
        return max((known.countries.get(country, known.unknown) for country in countries), default=known.unknown)


@cache
def default_legal_data() -> LegalData:
    """The legal data that ship with Lawflow."""
    return load_legal_data()


def load_legal_data(*overrides: Path) -> LegalData:
    """Legal data with the changes that the files ask for, applied in order as merge patches (RFC 7396).

    A file holds any of the top-level keys of the shipped ones; ``null`` removes an entry. Raises LegalDataError.
    """
    document = shipped()
    for path in overrides:
        try:
            patch = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise LegalDataError(f"{path}: cannot be read as YAML: {error}; correct the file") from None
        if not isinstance(patch, dict):
            raise LegalDataError(f"{path}: .: not a mapping; use the top-level keys {', '.join(sorted(document))}")
        document = merge(document, patch)
        _compile(document, str(path))
    return _compile(document, "lawflow/law/data")


def shipped() -> dict[str, Any]:
    """The shipped data files, merged into one document."""
    document: dict[str, Any] = {}
    for file in sorted(resources.files("lawflow.law").joinpath("data").iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".yaml"):
            document |= yaml.safe_load(file.read_text(encoding="utf-8"))
    return document


def merge(document: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7396) to plain data; neither argument is changed."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(document) if isinstance(document, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def _compile(document: Mapping[str, Any], file: str) -> LegalData:
    try:
        legal = LegalDocument.model_validate(document)
    except ValidationError as error:
        details = error.errors(include_url=False)[0]
        hint = "remove it" if details["type"] == "extra_forbidden" else "correct it as the shipped files show"
        message = details["msg"][:1].lower() + details["msg"][1:]
        raise LegalDataError(f"{file}: {path_of(details['loc'])}: {message}; {hint}") from None
    places = legal.territories
    inside = places.member_states | places.eea_states | places.inside.keys()
    try:
        vocabulary = Vocabulary(legal.vocabulary)
    except VocabularyError as error:
        raise LegalDataError(f"{file}: {path_of(('vocabulary', *error.path))}: {error}") from None
    return LegalData(legal.adequacy, inside, legal.consent_age, legal.settings, vocabulary)
