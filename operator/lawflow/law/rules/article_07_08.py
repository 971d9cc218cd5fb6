"""Articles 7 and 8: what makes consent valid, and the consent of children."""

from lawflow.law.examples import CONSENT, changed
from lawflow.law.kinds import CONSENT as CONSENTS
from lawflow.law.kinds import PURPOSE
from lawflow.law.parts import ConsentFacts, PurposeFacts
from lawflow.law.rule import WARN, Outcome, fault, rule

_CHILDREN = changed(CONSENT, {"subjects.children": True, "subjects.minimumAge": 12})
_PARENTS = {"parentalConsent": "https://acme.example/parents"}


@rule(
    "GDPR-6-1-a-policy-missing",
    article="6(1)(a)",
    per=PURPOSE,
    when="A6-1-a",
    path=".lawfulBasis.consentPolicyRef",
    message="{purpose} rests on consent, but no ConsentPolicy is declared",
    fix="declare lawfulBasis.consentPolicyRef.name",
    passing=CONSENT,
    failing=changed(CONSENT, {"purposes[0].lawfulBasis.consentPolicyRef": None}),
)
def policy_missing(purpose: PurposeFacts) -> Outcome:
    """The controller can show how consent was given (7(1)); the ConsentPolicy says how."""
    return purpose.basis is None or purpose.basis.consent_policy_ref is None


@rule(
    "GDPR-6-1-a-purpose-not-covered",
    article="6(1)(a)",
    per=CONSENTS,
    when="A6-1-a",
    repairable=True,
    message="ConsentPolicy {policy} does not cover {purpose}",
    fix="add the purpose to the policy if the subjects consent to it, or choose another basis",
    passing=CONSENT,
    failing=changed(CONSENT, {"ConsentPolicy.purposes": ["dpv:AcademicResearch"]}),
)
def purpose_not_covered(consent: ConsentFacts) -> Outcome:
    """Consent is given for one or more specific purposes."""
    return consent.purpose is not None and not consent.purpose.within(consent.policy.purposes)


@rule(
    "GDPR-6-1-a-recipient-not-covered",
    article="7",
    per=CONSENTS,
    when="A6-1-a",
    repairable=True,
    message="ConsentPolicy {policy} does not name the recipient {recipient}",
    fix="add the recipient to spec.recipients of the policy if the subjects were told of it",
    passing=CONSENT,
    failing=changed(CONSENT, {"ConsentPolicy.recipients": []}),
)
def recipient_not_covered(consent: ConsentFacts) -> Outcome:
    """Consent is informed only if the subjects were told who receives the data (13(1)(e), EDPB 05/2020)."""
    if consent.situation.spec.destination.role == "sameController":
        return False
    told = {recipient.casefold() for recipient in consent.policy.recipients}
    return told.isdisjoint(recipient.casefold() for recipient in consent.situation.recipients)


@rule(
    "GDPR-7-1-notice-missing",
    article="7(2)",
    per=CONSENTS,
    repairable=True,
    message="ConsentPolicy {policy} does not declare what the subjects were told",
    fix="declare spec.notice with reference and version on the policy",
    passing=CONSENT,
    failing=changed(CONSENT, {"ConsentPolicy.notice": None}),
)
def consent_notice_missing(consent: ConsentFacts) -> Outcome:
    """Consent is informed; the version of the notice says of what."""
    return consent.policy.notice is None


@rule(
    "GDPR-7-2-bundled",
    article="7(2)",
    per=CONSENTS,
    repairable=True,
    message="ConsentPolicy {policy} does not let subjects consent to each purpose alone",
    fix="let subjects choose each purpose, then declare separable: true on the policy",
    passing=CONSENT,
    failing=changed(
        CONSENT,
        {"ConsentPolicy.separable": False, "ConsentPolicy.purposes": ["dpv:DirectMarketing", "dpv:AcademicResearch"]},
    ),
)
def bundled(consent: ConsentFacts) -> Outcome:
    """Consent to several purposes that cannot be given one by one is not free (Recital 43)."""
    return not consent.policy.separable and len(consent.policy.purposes) > 1


@rule(
    "GDPR-4-11-no-affirmative-act",
    article="4(11)",
    per=CONSENTS,
    repairable=True,
    message="ConsentPolicy {policy} takes {act} for consent",
    fix="ask for a clear affirmative act, then declare affirmativeAct: optIn on the policy",
    passing=CONSENT,
    failing=changed(CONSENT, {"ConsentPolicy.affirmativeAct": "preTicked"}),
)
def no_affirmative_act(consent: ConsentFacts) -> Outcome:
    """Silence and pre-ticked boxes are not consent (Recital 32, C-673/17)."""
    act = consent.policy.affirmative_act
    return fault(act="a pre-ticked box" if act == "preTicked" else "silence") if act != "optIn" else False


@rule(
    "GDPR-7-4-condition-of-service",
    article="7(4)",
    per=CONSENTS,
    repairable=True,
    message="ConsentPolicy {policy} makes consent a condition of a service that does not need it",
    fix="offer the service without this consent, then declare conditionOfService: false on the policy",
    passing=CONSENT,
    failing=changed(CONSENT, {"ConsentPolicy.conditionOfService": True}),
)
def condition_of_service(consent: ConsentFacts) -> Outcome:
    """Consent on which a service depends without need is not free."""
    return consent.policy.condition_of_service


@rule(
    "GDPR-7-3-withdrawal-missing",
    article="7(3)",
    per=CONSENTS,
    repairable=True,
    message="ConsentPolicy {policy} does not declare how consent is withdrawn",
    fix="declare spec.withdrawal.route on the policy",
    passing=CONSENT,
    failing=changed(CONSENT, {"ConsentPolicy.withdrawal": None}),
)
def withdrawal_missing(consent: ConsentFacts) -> Outcome:
    """Subjects withdraw consent at any time, and are told so before giving it."""
    return consent.policy.withdrawal is None


@rule(
    "GDPR-7-3-withdrawal-harder",
    article="7(3)",
    per=CONSENTS,
    repairable=True,
    message="ConsentPolicy {policy} declares that withdrawing is harder than giving",
    fix="make withdrawing as easy as giving, then declare withdrawal.asEasyAsGiving: true on the policy",
    passing=CONSENT,
    failing=changed(CONSENT, {"ConsentPolicy.withdrawal.asEasyAsGiving": False}),
)
def withdrawal_harder(consent: ConsentFacts) -> Outcome:
    """It is as easy to withdraw as to give consent."""
    withdrawal = consent.policy.withdrawal
    return withdrawal is not None and not withdrawal.as_easy_as_giving


@rule(
    "GDPR-7-4-employee-monitoring",
    article="7(4)",
    per=PURPOSE,
    when="A6-1-a",
    path=".lawfulBasis.article6",
    message="{purpose} monitors staff on the basis of consent, which contradicts that consent is free",
    fix="use a basis that does not depend on the employee's choice, e.g. A6-1-f or A6-1-c with their evidence",
    passing=CONSENT,
    failing=changed(CONSENT, {"risk.employmentMonitoring": True}),
)
def employee_monitoring(purpose: PurposeFacts) -> Outcome:
    """Employees can hardly refuse to be monitored by their employer (EDPB 05/2020)."""
    return purpose.situation.spec.risk.employment_monitoring or purpose.serves("employeeMonitoring")


@rule(
    "GDPR-7-4-imbalance",
    article="7(4)",
    severity=WARN,
    per=CONSENTS,
    when="A6-1-a",
    repairable=True,
    message="{purpose} rests on consent between unequal sides: {side}",
    fix="check that subjects can refuse without disadvantage, or choose another basis (Recital 43)",
    passing=CONSENT,
    failing=changed(CONSENT, {"ConsentPolicy.imbalance": "employer"}),
)
def imbalance(consent: ConsentFacts) -> Outcome:
    """Where the controller is a public authority or an employer, consent is seldom free."""
    situation = consent.situation
    declared = consent.policy.imbalance
    if declared == "publicAuthority" or (situation.controller is not None and situation.controller.public_authority):
        return fault(side="the controller is a public authority")
    if declared == "employer" or situation.concerns("dpv:Employee"):
        return fault(side="the controller is the employer")
    return False


@rule(
    "GDPR-8-age-rules-missing",
    article="8(1)",
    per=CONSENTS,
    when="A6-1-a",
    repairable=True,
    message="children are among the subjects, but ConsentPolicy {policy} declares no rules for them",
    fix="declare spec.age on the policy: minimumAge, parentalConsent, countries",
    passing=changed(_CHILDREN, {"ConsentPolicy.age": _PARENTS}),
    failing=_CHILDREN,
)
def age_rules_missing(consent: ConsentFacts) -> Outcome:
    """A child's consent needs rules: from which age, and who consents below it."""
    return consent.situation.children and consent.policy.age is None


@rule(
    "GDPR-8-parental-consent-missing",
    article="8(1)",
    per=CONSENTS,
    when="A6-1-a",
    repairable=True,
    message="ConsentPolicy {policy} takes the consent of children below {age} without that of a parent",
    fix="declare age.parentalConsent on the policy, or age.minimumAge: {age}",
    passing=changed(_CHILDREN, {"ConsentPolicy.age": _PARENTS}),
    failing=changed(_CHILDREN, {"ConsentPolicy.age": {"minimumAge": 13}}),
)
def parental_consent_missing(consent: ConsentFacts) -> Outcome:
    """Below the age of the strictest law that applies, a holder of parental responsibility consents (8(1), 8(2))."""
    situation, age = consent.situation, consent.policy.age
    if not situation.children or age is None or not age.information_society_service:
        return False
    if age.counselling_service or age.parental_consent is not None:
        return False
    countries = age.countries or situation.spec.subjects.countries
    needed = situation.legal.age_of_consent(countries)
    youngest = max(age.minimum_age or 0, situation.spec.subjects.minimum_age or 0)
    return fault(age=needed) if youngest < needed else False


RULES = (
    policy_missing, purpose_not_covered, recipient_not_covered, consent_notice_missing, bundled, no_affirmative_act,
    condition_of_service, withdrawal_missing, withdrawal_harder, employee_monitoring, imbalance,
    age_rules_missing, parental_consent_missing,
)  # fmt: skip
