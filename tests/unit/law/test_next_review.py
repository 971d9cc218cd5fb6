"""The day of the next review follows from the dates that rules asked about."""

import datetime as dt

import pytest

from lawflow.law import Context, load_legal_data, next_review
from lawflow.law.example import EXAMPLE_DAY, situation_of
from lawflow.law.examples import ADEQUACY, LEGITIMATE_INTEREST, changed
from lawflow.law.rule import Patch

pytestmark = pytest.mark.unit

_UNDATED: Patch = {"destination.agreement.validUntil": None, "security.lastTested": None}


def _review(patch: Patch, today: dt.date = EXAMPLE_DAY) -> dt.date | None:
    flow, context = situation_of(patch)
    return next_review(flow, context, today)


def test_a_flow_without_dates_is_never_reviewed_by_date() -> None:
    assert _review(_UNDATED) is None


def test_the_review_is_the_day_after_the_last_day_of_the_agreement() -> None:
    assert _review({}) == dt.date(2027, 2, 1)


def test_a_document_is_in_force_on_its_last_day() -> None:
    assert _review({}, dt.date(2027, 1, 31)) == dt.date(2027, 2, 1)


def test_a_date_that_has_passed_is_not_waited_for() -> None:
    assert _review(changed(_UNDATED, {"destination.agreement.validUntil": "2026-06-30"})) is None


def test_the_earliest_of_several_dates_counts() -> None:
    assert _review(LEGITIMATE_INTEREST) == dt.date(2027, 1, 16)


def test_a_test_of_the_measures_is_reviewed_when_it_becomes_old() -> None:
    patch = {"destination.agreement.validUntil": None, "security.lastTested": "2026-03-01"}
    assert _review(patch) == dt.date(2027, 3, 2)


def test_a_certification_is_reviewed_when_it_ends() -> None:
    assert _review(ADEQUACY) == dt.date(2027, 1, 2)


def test_a_document_for_ever_is_never_reviewed() -> None:
    assert _review(changed(_UNDATED, {"destination.agreement.validUntil": "9999-12-31"})) is None


def test_an_adequacy_decision_to_come_is_reviewed_on_its_first_day(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "legal.yaml"
    file.write_text("adequacy: {IN: [{source: a decision to come, validFrom: 2026-09-01}]}")
    flow, context = situation_of(
        changed(_UNDATED, {"destination.external.country": "IN", "transfers": [{"tool": "A45-3"}]})
    )
    to_come = Context(context.objects, load_legal_data(file))
    assert next_review(flow, to_come, EXAMPLE_DAY) == dt.date(2026, 9, 1)
