"""Situations that a data protection officer would ask about, beyond the examples of single rules."""

import datetime as dt

import pytest

from lawflow.law import Context, assess, beyond_repair, evaluate, lawful
from lawflow.law.example import EXAMPLE_DAY, situation_of
from lawflow.law.examples import ADEQUACY, CLAUSES, CONSENT, DEROGATION, HEALTH, LEGITIMATE_INTEREST, changed
from lawflow.law.rule import Patch
from lawflow.model.status import Severity

pytestmark = pytest.mark.unit


def _rules(patch: Patch, today: dt.date = EXAMPLE_DAY) -> set[str]:
    flow, context = situation_of(patch)
    return {found.rule for found in evaluate(flow, context, today)}


def _fix(patch: Patch, rule: str) -> str:
    flow, context = situation_of(patch)
    return next(found.fix for found in evaluate(flow, context, EXAMPLE_DAY) if found.rule == rule)


# Purposes


def test_a_narrower_purpose_lies_inside_that_of_the_dataset() -> None:
    assert _rules(changed(CONSENT, {"Dataset.purposes": ["dpv:Marketing"]})) == set()


def test_a_broader_purpose_lies_outside_that_of_the_dataset() -> None:
    patch = changed(
        LEGITIMATE_INTEREST, {"purposes[0].purpose": "dpv:Marketing", "Dataset.purposes": ["dpv:DirectMarketing"]}
    )
    assert "GDPR-5-1-b-purpose-incompatible" in _rules(patch)


def test_safeguards_for_research_carry_research_and_nothing_else() -> None:
    research = {"purposes[0].furtherProcessing": {"research": {"description": "pseudonymised"}}}
    collected = {"Dataset.purposes": ["dpv:CustomerManagement"]}
    scientific = {"purposes[0].purpose": "dpv:ScientificResearch"}
    assert "GDPR-5-1-b-purpose-incompatible" in _rules(changed(collected, research))
    assert "GDPR-5-1-b-purpose-incompatible" not in _rules(changed(collected, scientific, research))


def test_each_purpose_is_judged_by_a_basis_of_its_own() -> None:
    flow, context = situation_of({"purposes[1]": {"purpose": "dpv:Marketing"}})
    (found,) = [found for found in evaluate(flow, context, EXAMPLE_DAY) if found.severity is Severity.DENY]
    assert (found.rule, found.path) == ("GDPR-6-1-basis-missing", ".spec.purposes[1].lawfulBasis")


@pytest.mark.parametrize("basis", ["A6-1-b", "eu-gdpr:A6-1-b", "https://w3id.org/dpv/legal/eu/gdpr#A6-1-b"])
def test_a_basis_may_be_written_short_prefixed_or_in_full(basis: str) -> None:
    assert _rules({"purposes[0].lawfulBasis.article6": basis}) == set()


@pytest.mark.parametrize(
    ("patch", "rule", "fix"),
    [
        (
            {"purposes[0].purpose": "dpv:PaymentManagment"},
            "HOUSE-purpose-unknown",
            "did you mean dpv:PaymentManagement?",
        ),
        ({"purposes[0].purpose": "PaymentManagement"}, "HOUSE-purpose-unknown", "did you mean dpv:PaymentManagement?"),
        (
            {"operations[0].request.fields[0].category": "pd:EmailAdress"},
            "HOUSE-category-unknown",
            "did you mean pd:EmailAddress?",
        ),
        ({"subjects.categories": ["dpv:Costumer"]}, "HOUSE-subject-category-unknown", "did you mean dpv:Customer?"),
        ({"purposes[0].lawfulBasis.article6": "a6-1-b"}, "GDPR-6-1-basis-unknown", "did you mean A6-1-b?"),
        (changed(CLAUSES, {"transfers[0].tool": "a46-2-C"}), "GDPR-44-tool-unknown", "did you mean A46-2-c?"),
    ],
)
def test_an_unknown_term_is_answered_with_the_closest_known_one(patch: Patch, rule: str, fix: str) -> None:
    assert _fix(patch, rule) == fix


def test_of_very_many_unknown_terms_the_first_are_told_and_the_flow_is_denied() -> None:
    fields = [{"pointer": f"/{index}", "category": f"pd:Unheard{index}"} for index in range(200)]
    flow, context = situation_of({"operations[0].request.fields": fields, "subjects.categories": ["dpv:Nobody"]})
    found = [each for each in evaluate(flow, context, EXAMPLE_DAY) if each.rule == "HOUSE-category-unknown"]
    assert len(found) == 16


# Special categories


def test_ethnicity_is_special_though_the_vocabulary_leaves_it_untyped() -> None:
    assert "GDPR-9-condition-missing" in _rules({"operations[0].request.fields[0].category": "pd:Ethnicity"})


def test_a_fingerprint_is_special_unless_the_dataset_says_that_it_identifies_nobody() -> None:
    field = {"operations[0].request.fields[0].category": "pd:Fingerprint"}
    said = {"Dataset.fields": [{"name": "print", "category": "pd:Fingerprint", "uniqueIdentification": False}]}
    assert "GDPR-9-condition-missing" in _rules(field)
    assert _rules(changed(field, said)) == set()


def test_a_facial_expression_is_special_only_if_the_dataset_says_that_it_identifies() -> None:
    field = {"operations[0].request.fields[0].category": "pd:FacialExpression"}
    said = {"Dataset.fields": [{"name": "face", "category": "pd:FacialExpression", "uniqueIdentification": True}]}
    assert _rules(field) == set()
    assert "GDPR-9-condition-missing" in _rules(changed(field, said))


def test_a_condition_that_lists_other_categories_does_not_cover_health() -> None:
    patch = changed(HEALTH, {"purposes[0].lawfulBasis.article9[0].categories": ["pd:PoliticalOpinion"]})
    assert "GDPR-9-condition-missing" in _rules(patch)


def test_a_purpose_that_no_operation_with_special_data_serves_needs_no_condition() -> None:
    second = {"purpose": "dpv:Marketing", "lawfulBasis": dict(LEGITIMATE_INTEREST)["purposes[0].lawfulBasis"]}
    patch = changed(HEALTH, {"purposes[1]": second, "operations[0].purposes": ["dpv:PaymentManagement"]})
    assert "GDPR-9-condition-missing" not in _rules(patch)
    assert "GDPR-9-condition-missing" in _rules(changed(patch, {"operations[0].purposes": []}))


def test_where_fields_cannot_be_seen_everything_in_the_dataset_counts() -> None:
    opaque = {
        "destination.external.tls": "passthrough",
        "Dataset.fields": [{"name": "d", "category": "pd:HealthRecord"}],
    }
    assert "GDPR-9-condition-missing" in _rules(opaque)


# Consent and children


@pytest.mark.parametrize(
    ("countries", "age", "needs_parents"),
    [(["BE"], 13, False), (["BE", "DE"], 13, True), (["DE"], 16, False), ([], 15, True), (["BR"], 15, True)],
)
def test_the_strictest_age_of_the_countries_counts(countries: list[str], age: int, needs_parents: bool) -> None:
    patch = changed(
        CONSENT,
        {"subjects.children": True, "ConsentPolicy.age": {"minimumAge": age}, "subjects.countries": countries},
    )
    assert ("GDPR-8-parental-consent-missing" in _rules(patch)) == needs_parents


def test_counselling_services_need_no_parents() -> None:
    patch = changed(CONSENT, {"subjects.children": True, "ConsentPolicy.age": {"counsellingService": True}})
    assert "GDPR-8-parental-consent-missing" not in _rules(patch)


def test_the_policy_behind_a_transfer_is_judged_like_any_other() -> None:
    derogation = {"evidence": "screen 4", "risksExplained": True, "consentPolicyRef": {"name": "newsletter"}}
    patch = changed(DEROGATION, {"transfers[0].tool": "A49-1-a", "transfers[0].derogation": derogation})
    assert "GDPR-4-11-no-affirmative-act" not in _rules(patch)
    assert "GDPR-4-11-no-affirmative-act" in _rules(changed(patch, {"ConsentPolicy.affirmativeAct": "silence"}))


# Recipients and transfers


@pytest.mark.parametrize("country", ["NO", "IS", "LI", "RE", "GP", "MQ", "GF", "YT", "MF", "AX"])
def test_the_eea_and_the_parts_of_member_states_are_inside(country: str) -> None:
    assert _rules({"destination.external.country": country}) == set()


@pytest.mark.parametrize("country", ["GL", "NC", "US", "GB", "IN"])
def test_every_other_country_needs_a_tool(country: str) -> None:
    assert _rules({"destination.external.country": country}) == {"GDPR-44-tool-missing"}


def test_an_international_organisation_needs_a_tool_too_and_may_have_adequacy() -> None:
    organisation = {"destination.external.country": None, "destination.external.internationalOrganisation": "EPO"}
    assert _rules(organisation) == {"GDPR-44-tool-missing"}
    assert _rules(changed(organisation, {"transfers": [{"tool": "A45-3"}]})) == set()


def test_adequacy_for_the_united_kingdom_ends_with_its_last_day() -> None:
    flow, context = situation_of(
        {
            "destination.external.country": "GB",
            "transfers": [{"tool": "A45-3"}],
            "destination.agreement.validUntil": None,
        }
    )
    last = dt.date(2031, 12, 27)
    assert lawful(evaluate(flow, context, last))
    assert not lawful(evaluate(flow, context, last + dt.timedelta(days=1)))
    assert assess(flow, context, last).next_review == last + dt.timedelta(days=1)


def test_adequacy_does_not_count_for_an_exporter_where_it_is_not_incorporated_yet() -> None:
    brazil = {"destination.external.country": "BR", "transfers": [{"tool": "A45-3"}]}
    assert _rules(brazil) == set()
    assert "GDPR-45-decision-missing" in _rules(changed(brazil, {"DataController.establishment": "NO"}))


def test_a_transfer_declared_for_another_country_is_none_for_this_one() -> None:
    assert "GDPR-44-tool-missing" in _rules(changed(CLAUSES, {"transfers[0].country": "US"}))


def test_ones_own_branch_abroad_only_warns() -> None:
    flow, context = situation_of(
        {"destination.external.country": "US", "destination.role": "sameController", "destination.agreement": None}
    )
    (found,) = evaluate(flow, context, EXAMPLE_DAY)
    assert (found.rule, found.severity) == ("GDPR-44-tool-missing", Severity.WARN)


@pytest.mark.parametrize(
    ("source", "destination", "module"),
    [
        ("controller", "controller", "controllerToController"),
        ("controller", "processor", "controllerToProcessor"),
        ("processor", "processor", "processorToProcessor"),
        ("processor", "controller", "processorToController"),
        ("jointController", "jointController", "controllerToController"),
    ],
)
def test_the_module_of_the_clauses_follows_the_roles(source: str, destination: str, module: str) -> None:
    patch = {"source.role": source, "destination.role": destination, "transfers[0].sccModule": module}
    assert "GDPR-46-2-c-module-disagrees" not in _rules(changed(CLAUSES, patch))


def test_binding_corporate_rules_need_an_assessment_too() -> None:
    patch = changed(CLAUSES, {"transfers": [{"tool": "A46-2-b", "reference": "BCR-1"}]})
    assert _rules(patch) == {"GDPR-46-assessment-missing"}


def test_the_privacy_framework_still_needs_the_agreement_with_a_processor() -> None:
    assert _rules(changed(ADEQUACY, {"destination.agreement": None})) == {"GDPR-28-3-agreement-missing"}


def test_public_interest_may_carry_transfers_that_recur() -> None:
    patch = {
        "transfers[0].tool": "A49-1-d",
        "transfers[0].derogation": {
            "evidence": "tax treaty",
            "repetitive": True,
            "law": {"citation": "§ 117 AO", "jurisdiction": "DE"},
        },
    }
    assert _rules(changed(DEROGATION, patch)) == {"GDPR-49-derogation-used"}


# Missing objects


def test_a_reference_that_is_not_found_is_told_once_and_nothing_is_piled_on_top() -> None:
    assert _rules(changed(CONSENT, {"ConsentPolicy": None})) == {"HOUSE-reference-unresolved"}
    assert _rules({"Dataset": None}) == {"HOUSE-reference-unresolved"}
    assert _rules({"DataController": None}) == {"HOUSE-reference-unresolved"}


def test_a_missing_object_denies_in_a_cluster_and_informs_among_files() -> None:
    flow, context = situation_of({"Dataset": None})
    assert not lawful(evaluate(flow, context, EXAMPLE_DAY))
    among_files = Context(context.objects, context.legal, unresolved="info")
    assert [found.severity for found in evaluate(flow, among_files, EXAMPLE_DAY)] == [Severity.INFO]


def test_only_what_no_other_object_can_repair_is_beyond_repair() -> None:
    flow, context = situation_of({"Dataset": None, "retention": None})
    findings = evaluate(flow, context, EXAMPLE_DAY)
    assert [found.rule for found in beyond_repair(findings)] == ["GDPR-5-1-e-retention-missing"]


def test_what_a_missing_dataset_may_say_is_not_held_against_the_flow() -> None:
    fingerprint = {"operations[0].request.fields[0].category": "pd:Fingerprint", "Dataset": None}
    assert _rules(fingerprint) == {"HOUSE-reference-unresolved"}
    opaque: Patch = {"destination.external.tls": "passthrough", "operations": [], "Dataset": None}
    assert _rules(opaque) == {"HOUSE-reference-unresolved", "HOUSE-fields-not-filtered"}


# Scope


def test_a_flow_out_of_scope_needs_neither_purpose_nor_basis() -> None:
    patch = {
        "outOfScope": {"reason": "anonymous", "explanation": "daily totals"},
        "purposes": [],
        "subjects": None,
        "retention": None,
        "controllerRef": None,
        "source.datasetRefs": [],
        "operations[0].request.fields": [{"pointer": "/total", "category": "none"}],
    }
    assert _rules(patch) == set()
