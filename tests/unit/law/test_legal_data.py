"""Legal data: dated, sourced, and open to a user's own files."""

import datetime as dt
from pathlib import Path

import pytest

from lawflow.law import LegalDataError, default_legal_data, load_legal_data

pytestmark = pytest.mark.unit


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "legal.yaml"


def test_every_adequacy_decision_has_a_source_and_a_first_day() -> None:
    decisions = [decision for each in default_legal_data().adequacy.values() for decision in each]
    assert len(decisions) == 17
    assert all(decision.source and decision.valid_from > dt.date(1999, 1, 1) for decision in decisions)


def test_every_state_of_the_eea_has_an_age_of_consent() -> None:
    legal = default_legal_data()
    assert len(legal.consent_age.countries) == 30
    assert {legal.age_of_consent((country,)) for country in legal.consent_age.countries} == {13, 14, 15, 16}


def test_without_a_country_the_age_is_that_of_unknown_ones() -> None:
    assert default_legal_data().age_of_consent(()) == 16


def test_a_file_changes_only_what_it_names(file: Path) -> None:
    file.write_text("settings: {breachNotificationHours: 96}\nconsentAge: {countries: {ES: 16}}")
    legal, shipped = load_legal_data(file), default_legal_data()
    assert legal.settings.breach_notification_hours == 96
    assert legal.settings.security_test_interval == shipped.settings.security_test_interval
    assert legal.age_of_consent(("ES",)) == 16
    assert legal.age_of_consent(("IT",)) == 14
    assert legal.adequacy == shipped.adequacy


def test_null_removes_an_entry(file: Path) -> None:
    file.write_text("adequacy: {US: null}")
    assert "US" not in load_legal_data(file).adequacy


def test_a_later_file_wins(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    file.write_text("settings: {breachNotificationHours: 96}")
    other.write_text("settings: {breachNotificationHours: 48}")
    assert load_legal_data(file, other).settings.breach_notification_hours == 48


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("adequacy: {US: [{source: x, validFrom: soon}]}", ".adequacy.US[0].validFrom"),
        ("consentAge: {unknown: 12}", ".consentAge.unknown"),
        ("setings: {}", ".setings"),
        ("vocabulary: {typing: {'pd:Name': secret}}", ".vocabulary.typing.pd:Name"),
        ("vocabulary: {typing: {'pd:Nmae': special}}", "did you mean pd:Name?"),
        ("vocabulary: {terms: {'acme:A': 'pd:Emial'}}", ".vocabulary.terms.acme:A"),
        ("vocabulary: {terms: {'acme:A': 'acme:B', 'acme:B': 'acme:A'}}", "define it"),
        ("- a list", "not a mapping"),
        ("a: [", "cannot be read as YAML"),
    ],
)
def test_a_malformed_file_is_refused_with_its_name_the_path_and_a_fix(file: Path, text: str, told: str) -> None:
    file.write_text(text)
    with pytest.raises(LegalDataError) as raised:
        load_legal_data(file)
    assert str(file) in str(raised.value)
    assert told in str(raised.value)
    assert any(word in str(raised.value) for word in ("correct", "remove", "use", "did you mean", "define"))


def test_a_file_that_is_not_there_is_refused_with_its_name(file: Path) -> None:
    with pytest.raises(LegalDataError, match=r"legal\.yaml"):
        load_legal_data(file)
