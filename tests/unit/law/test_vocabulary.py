"""Terms of DPV: what is known, narrower, special, and how an organisation adds its own."""

from pathlib import Path

import pytest

from lawflow.law import default_legal_data, load_legal_data
from lawflow.law.vocabulary import did_you_mean

pytestmark = pytest.mark.unit

_VOCABULARY = default_legal_data().vocabulary


def test_every_term_of_the_release_is_known() -> None:
    personal = {concept.term for concept in _VOCABULARY.categories.values() if concept.term.startswith("pd:")}
    purposes = {concept.term for concept in _VOCABULARY.purposes.values()} - {"dpv:Purpose"}
    assert (_VOCABULARY.version, len(personal), len(purposes)) == ("2.3", 231, 121)


def test_a_term_is_known_under_its_short_form_and_its_address() -> None:
    assert _VOCABULARY.categories["https://w3id.org/dpv/pd#EmailAddress"] is _VOCABULARY.categories["pd:EmailAddress"]


def test_a_narrower_term_knows_all_broader_ones() -> None:
    assert {"dpv:Advertising", "dpv:Marketing", "dpv:Personalisation"} <= _VOCABULARY.purposes[
        "dpv:TargetedAdvertising"
    ].broader


@pytest.mark.parametrize(
    ("term", "nature"),
    [
        ("pd:EmailAddress", "plain"),
        ("pd:BloodType", "special"),
        ("pd:Ethnicity", "special"),
        ("pd:Race", "special"),
        ("pd:TradeUnionMembership", "special"),
        ("pd:Retina", "biometric"),
        ("pd:FacialExpression", "biometricIfDeclared"),
        ("pd:CriminalCharge", "criminal"),
    ],
)
def test_articles_9_and_10_sort_categories(term: str, nature: str) -> None:
    assert _VOCABULARY.categories[term].nature == nature


@pytest.mark.parametrize(
    ("term", "answer"),
    [
        ("pd:EmailAdress", "did you mean pd:EmailAddress?"),
        ("Email", "did you mean pd:EmailAddress?"),
        ("pd:emailaddress", "did you mean pd:EmailAddress?"),
        ("pd:Nmae", "did you mean pd:Name?"),
        ("anonymous", "look it up"),
    ],
)
def test_advice_names_the_closest_term_or_what_else_to_do(term: str, answer: str) -> None:
    assert did_you_mean(term, _VOCABULARY.category_names, "look it up") == answer


def test_an_organisation_adds_terms_of_its_own_and_overrides_the_typing(tmp_path: Path) -> None:
    file = tmp_path / "terms.yaml"
    file.write_text(
        """
        vocabulary:
          terms: {"acme:Allergy": "acme:Diet", "acme:Diet": "pd:Health", "acme:Loyalty": "dpv:Marketing"}
          typing: {"pd:Ethnicity": plain}
        """
    )
    vocabulary = load_legal_data(file).vocabulary
    assert vocabulary.categories["acme:Allergy"].nature == "special"
    assert "pd:MedicalHealth" in vocabulary.categories["acme:Allergy"].broader
    assert vocabulary.purposes["acme:Loyalty"].families == {"marketing", "advertising"}
    assert vocabulary.categories["pd:Ethnicity"].nature == "plain"
