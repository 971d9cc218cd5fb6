"""Article 9: special categories travel only under a condition of paragraph 2, with its evidence."""

from collections.abc import Mapping
from typing import Any

from lawflow.law.examples import CONSENT, HEALTH, changed
from lawflow.law.kinds import CONDITION, PURPOSE, TERM
from lawflow.law.parts import ConditionFacts, PurposeFacts, UnknownTerm
from lawflow.law.rule import WARN, Outcome, Patch, fault, rule

_PATH = "purposes[0].lawfulBasis.article9"
_NATIONAL = frozenset(("pd:Genetic", "pd:DNACode", "pd:Biometric", "pd:MedicalHealth"))
_LAW = {"citation": "§ 22 BDSG", "jurisdiction": "DE"}


def _under(letter: str, **evidence: Any) -> Patch:
    condition: Mapping[str, Any] = {
        "condition": f"A9-2-{letter}",
        "nationalConditions": "§ 22 BDSG checked",
        **evidence,
    }
    return changed(HEALTH, {_PATH: [condition]})


@rule(
    "GDPR-9-condition-missing",
    article="9(1)",
    per=PURPOSE,
    when="special",
    path=".lawfulBasis.article9",
    message="special categories ({categories}) travel for {purpose} without a condition of Article 9(2)",
    fix="declare lawfulBasis.article9 with one of A9-2-a to A9-2-j and its evidence, or drop the fields; for biometric "
    "data that identify nobody, declare uniqueIdentification: false on the dataset's field",
    passing=HEALTH,
    failing=changed(HEALTH, {_PATH: []}),
)
def condition_missing(purpose: PurposeFacts) -> Outcome:
    """Special categories need a condition of Article 9(2) beside the basis of Article 6."""
    declared = purpose.basis.article9 if purpose.basis else ()
    facts = [ConditionFacts(purpose, index, model) for index, model in enumerate(declared)]
    bare = [concept.term for concept in purpose.special if not any(fact.covers(concept) for fact in facts)]
    return fault(categories=", ".join(sorted(bare))) if bare else False


@rule(
    "GDPR-9-2-condition-unknown",
    article="9(2)",
    per=TERM,
    when="condition",
    scope="any",
    message="{term} is not a condition of Article 9(2)",
    fix="{advice}",
    passing=HEALTH,
    failing=changed(HEALTH, {f"{_PATH}[0].condition": "A9-2-k"}),
)
def condition_unknown(term: UnknownTerm) -> Outcome:
    """The list of conditions in Article 9(2) is closed."""
    return True


@rule(
    "GDPR-9-2-a-consent-not-explicit",
    article="9(2)(a)",
    per=CONDITION,
    when="A9-2-a",
    path=".condition",
    repairable=True,
    message="{purpose} claims explicit consent, but {problem}",
    fix="declare lawfulBasis.consentPolicyRef with a policy that asks for explicit consent (explicit: true)",
    passing=changed(HEALTH, CONSENT, {f"{_PATH}": [{"condition": "A9-2-a", "nationalConditions": "none apply"}]}),
    failing=changed(
        HEALTH,
        CONSENT,
        {f"{_PATH}": [{"condition": "A9-2-a", "nationalConditions": "none apply"}], "ConsentPolicy.explicit": False},
    ),
)
def consent_not_explicit(condition: ConditionFacts) -> Outcome:
    """Under (a) consent is explicit: a statement, not merely an act."""
    basis = condition.purpose.basis
    if basis is None or basis.consent_policy_ref is None:
        return fault(problem="no ConsentPolicy is declared")
    policy = condition.purpose.policy
    return fault(problem="the ConsentPolicy is not explicit") if policy and not policy.spec.explicit else False


@rule(
    "GDPR-9-2-b-law-missing",
    article="9(2)(b)",
    per=CONDITION,
    when="A9-2-b",
    path=".law",
    message="{purpose} claims employment or social law, but neither a law nor a collective agreement is declared",
    fix="declare law or collectiveAgreement",
    passing=_under("b", collectiveAgreement="CA-2024, section 9"),
    failing=_under("b"),
)
def employment_law_missing(condition: ConditionFacts) -> Outcome:
    """Under (b) Union or Member State law or a collective agreement authorises the processing."""
    return condition.model.law is None and condition.model.collective_agreement is None


@rule(
    "GDPR-9-2-c-incapacity-missing",
    article="9(2)(c)",
    per=CONDITION,
    when="A9-2-c",
    path=".incapacity",
    message="{purpose} claims vital interests, but why the subject cannot consent is not declared",
    fix="declare incapacity: why the subject is physically or legally incapable of consenting",
    passing=_under("c", incapacity="unconscious in the emergency room"),
    failing=_under("c"),
)
def incapacity_missing(condition: ConditionFacts) -> Outcome:
    """Under (c) the data subject is physically or legally incapable of giving consent."""
    return condition.model.incapacity is None


@rule(
    "GDPR-9-2-d-body-missing",
    article="9(2)(d)",
    per=CONDITION,
    when="A9-2-d",
    path=".nonProfitBody",
    message="{purpose} claims a non-profit body that is not declared",
    fix="declare nonProfitBody with aim and persons",
    passing=_under("d", nonProfitBody={"aim": "tradeUnion", "persons": "members"}),
    failing=_under("d"),
)
def body_missing(condition: ConditionFacts) -> Outcome:
    """Under (d) a non-profit body with a political, philosophical, religious or trade-union aim processes the data."""
    return condition.model.non_profit_body is None


@rule(
    "GDPR-9-2-d-persons-outside",
    article="9(2)(d)",
    per=CONDITION,
    when="A9-2-d",
    path=".nonProfitBody.persons",
    message="{purpose} concerns others than members, former members and regular contacts of the body",
    fix="restrict the flow to these persons, or choose another condition",
    passing=_under("d", nonProfitBody={"aim": "tradeUnion", "persons": "formerMembers"}),
    failing=_under("d", nonProfitBody={"aim": "tradeUnion", "persons": "others"}),
)
def persons_outside(condition: ConditionFacts) -> Outcome:
    """Under (d) only members, former members and persons in regular contact are concerned."""
    body = condition.model.non_profit_body
    return body is not None and body.persons == "others"


@rule(
    "GDPR-9-2-d-disclosure-without-consent",
    article="9(2)(d)",
    per=CONDITION,
    when="A9-2-d",
    path=".nonProfitBody.consentToDisclosure",
    message="data leave the non-profit body for {purpose} without declared consent to that",
    fix="ask the subjects and declare consentToDisclosure: true, or keep the data inside",
    passing=_under("d", nonProfitBody={"aim": "religious", "persons": "members"}),
    failing=_under("d", nonProfitBody={"aim": "religious", "persons": "members", "disclosedOutside": True}),
)
def disclosed_outside(condition: ConditionFacts) -> Outcome:
    """Under (d) data are not disclosed outside the body without the subjects' consent."""
    body = condition.model.non_profit_body
    return body is not None and body.disclosed_outside and not body.consent_to_disclosure


@rule(
    "GDPR-9-2-e-evidence-missing",
    article="9(2)(e)",
    per=CONDITION,
    when="A9-2-e",
    path=".madePublic",
    message="{purpose} claims data made public by the subject without declared evidence",
    fix="declare madePublic: where and how the subject made the data public",
    passing=_under("e", madePublic="candidate's own published statement"),
    failing=_under("e"),
)
def publication_missing(condition: ConditionFacts) -> Outcome:
    """Under (e) the subject manifestly made the data public, which somebody must be able to show."""
    return condition.model.made_public is None


@rule(
    "GDPR-9-2-f-claim-missing",
    article="9(2)(f)",
    per=CONDITION,
    when="A9-2-f",
    path=".legalClaim",
    message="{purpose} claims legal claims without a declared claim or court",
    fix="declare legalClaim: the claim, or the court",
    passing=_under("f", legalClaim="claim 12 O 34/26, Landgericht Berlin"),
    failing=_under("f"),
)
def claim_missing(condition: ConditionFacts) -> Outcome:
    """Under (f) a legal claim is established, exercised or defended, or a court acts."""
    return condition.model.legal_claim is None


@rule(
    "GDPR-9-2-g-law-missing",
    article="9(2)(g)",
    per=CONDITION,
    when="A9-2-g",
    path=".law",
    message="{purpose} claims substantial public interest, but no law is declared",
    fix="declare law with citation and jurisdiction",
    passing=_under("g", law=_LAW),
    failing=_under("g"),
)
def public_interest_law_missing(condition: ConditionFacts) -> Outcome:
    """Under (g) the substantial public interest rests on Union or Member State law."""
    return condition.model.law is None


@rule(
    "GDPR-9-2-h-law-missing",
    article="9(2)(h)",
    per=CONDITION,
    when="A9-2-h",
    path=".law",
    message="{purpose} claims health care, but neither a law nor a contract with a health professional is declared",
    fix="declare law or healthProfessionalContract",
    passing=HEALTH,
    failing=_under("h", professionalSecrecy={"profession": "physicians"}),
)
def health_law_missing(condition: ConditionFacts) -> Outcome:
    """Under (h) care rests on Union or Member State law or a contract with a health professional."""
    return condition.model.law is None and condition.model.health_professional_contract is None


@rule(
    "GDPR-9-2-i-law-missing",
    article="9(2)(i)",
    per=CONDITION,
    when="A9-2-i",
    path=".law",
    message="{purpose} claims public health, but no law is declared",
    fix="declare law with citation and jurisdiction",
    passing=_under("i", law=_LAW, professionalSecrecy={"profession": "health officers"}),
    failing=_under("i", professionalSecrecy={"profession": "health officers"}),
)
def public_health_law_missing(condition: ConditionFacts) -> Outcome:
    """Under (i) public health rests on Union or Member State law with safeguards."""
    return condition.model.law is None


def _no_secrecy(condition: ConditionFacts) -> Outcome:
    """Health care and public health need somebody who is bound by professional secrecy (9(2)(i), 9(3))."""
    return condition.model.professional_secrecy is None


health_secrecy_missing = rule(
    "GDPR-9-3-h-secrecy-missing",
    article="9(3)",
    per=CONDITION,
    when="A9-2-h",
    path=".professionalSecrecy",
    message="who is bound by professional secrecy for {purpose} is not declared",
    fix="declare professionalSecrecy.profession",
    passing=HEALTH,
    failing=_under("h", law=_LAW),
)(_no_secrecy)

public_health_secrecy_missing = rule(
    "GDPR-9-2-i-secrecy-missing",
    article="9(2)(i)",
    per=CONDITION,
    when="A9-2-i",
    path=".professionalSecrecy",
    message="who is bound by professional secrecy for {purpose} is not declared",
    fix="declare professionalSecrecy.profession",
    passing=_under("i", law=_LAW, professionalSecrecy={"profession": "health officers"}),
    failing=_under("i", law=_LAW),
)(_no_secrecy)


@rule(
    "GDPR-9-2-j-safeguards-missing",
    article="9(2)(j)",
    per=CONDITION,
    when="A9-2-j",
    path=".safeguards",
    message="{purpose} claims archiving, research or statistics, but {missing} not declared",
    fix="declare law, and safeguards under Article 89(1), e.g. pseudonymisation",
    passing=_under("j", law=_LAW, safeguards={"description": "pseudonymised before export"}),
    failing=_under("j", law=_LAW),
)
def research_safeguards_missing(condition: ConditionFacts) -> Outcome:
    """Under (j) research rests on Union or Member State law, with safeguards under Article 89(1)."""
    if condition.model.safeguards is None:
        return fault(missing="safeguards are")
    return fault(".law", missing="the law is") if condition.model.law is None else False


@rule(
    "GDPR-9-2-law-foreign",
    article="9(2)",
    per=CONDITION,
    path=".law.jurisdiction",
    message="the law declared for {condition} is that of {jurisdiction}, neither Union nor Member State law",
    fix="declare the Union or Member State law that authorises the processing, or choose another condition",
    passing=HEALTH,
    failing=changed(HEALTH, {f"{_PATH}[0].law.jurisdiction": "US"}),
)
def law_foreign(condition: ConditionFacts) -> Outcome:
    """Conditions that rest on a law rest on Union or Member State law."""
    law = condition.model.law
    return fault(jurisdiction=law.jurisdiction) if law and condition.situation.foreign(law) else False


@rule(
    "GDPR-9-4-national-conditions-unchecked",
    article="9(4)",
    severity=WARN,
    per=CONDITION,
    path=".nationalConditions",
    message="whether national law sets further conditions for the genetic, biometric or health data of {purpose} is "
    "not declared",
    fix="check the law of the Member State and declare nationalConditions",
    passing=HEALTH,
    failing=changed(HEALTH, {f"{_PATH}[0].nationalConditions": None}),
)
def national_conditions(condition: ConditionFacts) -> Outcome:
    """Member States may maintain further conditions for genetic, biometric and health data."""
    if condition.model.national_conditions is not None:
        return False
    return any(not _NATIONAL.isdisjoint(c.broader) and condition.covers(c) for c in condition.purpose.special)


RULES = (
    condition_missing, condition_unknown, consent_not_explicit, employment_law_missing, incapacity_missing,
    body_missing, persons_outside, disclosed_outside, publication_missing, claim_missing,
    public_interest_law_missing, health_law_missing, health_secrecy_missing,
    public_health_law_missing, public_health_secrecy_missing, research_safeguards_missing,
    law_foreign, national_conditions,
)  # fmt: skip
