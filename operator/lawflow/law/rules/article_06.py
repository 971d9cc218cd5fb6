"""Article 6: a basis for each purpose, and the evidence that each basis needs."""

from lawflow.law.examples import LEGAL_OBLIGATION, LEGITIMATE_INTEREST, PUBLIC_TASK, VITAL_INTEREST, changed
from lawflow.law.kinds import FLOW, PURPOSE, TERM
from lawflow.law.parts import PurposeFacts, UnknownTerm
from lawflow.law.rule import WARN, Outcome, fault, rule
from lawflow.law.situation import Situation

_CONTRACT = "purposes[0].lawfulBasis.contract"
_INTEREST = "purposes[0].lawfulBasis.legitimateInterest"


@rule(
    "GDPR-6-1-purpose-missing",
    article="6(1)",
    per=FLOW,
    path=".purposes",
    message="no purpose is declared",
    fix="declare at least one purpose with its lawful basis under spec.purposes, or say under spec.outOfScope why the "
    "GDPR does not apply",
    failing={"purposes": []},
)
def purpose_missing(flow: Situation) -> Outcome:
    """Each basis of Article 6 is a basis for a purpose; without a purpose there is nothing that could be lawful."""
    return not flow.purposes


@rule(
    "GDPR-6-1-basis-missing",
    article="6(1)",
    per=PURPOSE,
    path=".lawfulBasis.article6",
    message="no lawful basis is declared for {purpose}",
    fix="declare one of A6-1-a to A6-1-f with its evidence under lawfulBasis",
    failing={"purposes[0].lawfulBasis": None},
)
def basis_missing(purpose: PurposeFacts) -> Outcome:
    """Processing is lawful only if at least one of the six bases applies to the purpose."""
    if purpose.basis is None:
        return fault(".lawfulBasis")
    return purpose.basis.article6 is None


@rule(
    "GDPR-6-1-basis-unknown",
    article="6(1)",
    per=TERM,
    when="basis",
    scope="any",
    message="{term} is not a basis of Article 6(1)",
    fix="{advice}",
    failing={"purposes[0].lawfulBasis.article6": "A6-1-g"},
)
def basis_unknown(term: UnknownTerm) -> Outcome:
    """The list of bases in Article 6(1) is closed."""
    return True


@rule(
    "GDPR-6-1-b-contract-missing",
    article="6(1)(b)",
    per=PURPOSE,
    when="A6-1-b",
    path=".lawfulBasis.contract",
    message="{purpose} rests on a contract, but no contract is declared",
    fix="declare lawfulBasis.contract with reference and necessity",
    failing={_CONTRACT: None},
)
def contract_missing(purpose: PurposeFacts) -> Outcome:
    """The basis is a contract with the data subject, or steps at the subject's request before entering into one."""
    return purpose.basis is None or purpose.basis.contract is None


@rule(
    "GDPR-6-1-b-subject-not-party",
    article="6(1)(b)",
    per=PURPOSE,
    when="A6-1-b",
    path=".lawfulBasis.contract.party",
    message="{purpose} rests on a contract to which the data subject is declared not to be a party",
    fix="choose another basis, or declare party dataSubject or preContractualRequest where that is so",
    failing={f"{_CONTRACT}.party": "other"},
)
def subject_not_party(purpose: PurposeFacts) -> Outcome:
    """A contract between others is no ground: the data subject is party to it, or asked for steps before one."""
    contract = purpose.basis.contract if purpose.basis else None
    return contract is not None and contract.party == "other"


@rule(
    "GDPR-6-1-b-necessity-missing",
    article="6(1)(b)",
    per=PURPOSE,
    when="A6-1-b",
    path=".lawfulBasis.contract.necessity",
    message="why {purpose} is necessary for the contract is not declared",
    fix="declare contract.necessity: why the contract cannot be performed without these data",
    failing={f"{_CONTRACT}.necessity": None},
)
def necessity_missing(purpose: PurposeFacts) -> Outcome:
    """Only processing that is objectively necessary for the contract rests on it (EDPB Guidelines 2/2019)."""
    contract = purpose.basis.contract if purpose.basis else None
    return contract is not None and contract.necessity is None


@rule(
    "GDPR-6-1-b-purpose-not-contractual",
    article="6(1)(b)",
    per=PURPOSE,
    when="A6-1-b",
    path=".lawfulBasis.article6",
    message="{purpose} is advertising or service improvement, which contradicts the basis A6-1-b",
    fix="use A6-1-a or A6-1-f with their evidence",
    failing={"purposes[0].purpose": "dpv:PersonalisedAdvertising", "Dataset.purposes": ["dpv:Marketing"]},
)
def not_contractual(purpose: PurposeFacts) -> Outcome:
    """Advertising, profiling for it and improving a service are not needed to perform it (EDPB 2/2019, C-252/21)."""
    return purpose.serves("advertising", "serviceImprovement")


@rule(
    "GDPR-6-1-c-law-missing",
    article="6(1)(c)",
    per=PURPOSE,
    when="A6-1-c",
    path=".lawfulBasis.legalObligation",
    message="{purpose} rests on a legal obligation, but no law is declared",
    fix="declare lawfulBasis.legalObligation with citation and jurisdiction",
    passing=LEGAL_OBLIGATION,
    failing=changed(LEGAL_OBLIGATION, {"purposes[0].lawfulBasis.legalObligation": None}),
)
def obligation_missing(purpose: PurposeFacts) -> Outcome:
    """The obligation is laid down by Union or Member State law (6(3)), which the flow names."""
    return purpose.basis is None or purpose.basis.legal_obligation is None


@rule(
    "GDPR-6-1-c-law-foreign",
    article="6(3)",
    per=PURPOSE,
    when="A6-1-c",
    path=".lawfulBasis.legalObligation.jurisdiction",
    message="the law declared for {purpose} is that of {jurisdiction}, neither Union nor Member State law",
    fix="declare the Union or Member State law that orders the processing, or choose another basis",
    passing=LEGAL_OBLIGATION,
    failing=changed(LEGAL_OBLIGATION, {"purposes[0].lawfulBasis.legalObligation.jurisdiction": "US"}),
)
def obligation_foreign(purpose: PurposeFacts) -> Outcome:
    """Only Union law and the law of a Member State (or EEA state) can oblige under this basis."""
    law = purpose.basis.legal_obligation if purpose.basis else None
    if law is None or not purpose.situation.foreign(law):
        return False
    return fault(jurisdiction=law.jurisdiction)


@rule(
    "GDPR-6-1-d-interest-missing",
    article="6(1)(d)",
    per=PURPOSE,
    when="A6-1-d",
    path=".lawfulBasis.vitalInterest",
    message="{purpose} rests on a vital interest that is not declared",
    fix="declare lawfulBasis.vitalInterest.description: whose life or health, and what threatens it",
    passing=VITAL_INTEREST,
    failing=changed(VITAL_INTEREST, {"purposes[0].lawfulBasis.vitalInterest": None}),
)
def vital_interest_missing(purpose: PurposeFacts) -> Outcome:
    """The basis is the life or physical integrity of a person, which the flow puts into words."""
    return purpose.basis is None or purpose.basis.vital_interest is None


@rule(
    "GDPR-6-1-d-last-resort",
    article="6(1)(d)",
    severity=WARN,
    per=PURPOSE,
    when="A6-1-d",
    path=".lawfulBasis.article6",
    message="{purpose} rests on vital interests, which is a last resort",
    fix="check whether another basis applies (Recital 46)",
    failing=VITAL_INTEREST,
)
def last_resort(purpose: PurposeFacts) -> Outcome:
    """Vital interests are a basis only where no other is manifestly available (Recital 46)."""
    return True


@rule(
    "GDPR-6-1-d-purpose-not-vital",
    article="6(1)(d)",
    per=PURPOSE,
    when="A6-1-d",
    path=".lawfulBasis.article6",
    message="{purpose} is marketing or analytics, which contradicts the basis A6-1-d",
    fix="choose a basis that fits the purpose",
    passing=VITAL_INTEREST,
    failing=changed(VITAL_INTEREST, {"purposes[0].purpose": "dpv:Marketing"}),
)
def not_vital(purpose: PurposeFacts) -> Outcome:
    """Nobody's life depends on marketing or on analytics."""
    return purpose.serves("marketing", "analytics")


@rule(
    "GDPR-6-1-e-law-missing",
    article="6(1)(e)",
    per=PURPOSE,
    when="A6-1-e",
    path=".lawfulBasis.publicTask",
    message="{purpose} rests on a public task, but {missing} not declared",
    fix="declare lawfulBasis.publicTask with task and law; a private body may hold a public task too",
    passing=PUBLIC_TASK,
    failing=changed(PUBLIC_TASK, {"purposes[0].lawfulBasis.publicTask.law": None}),
)
def task_law_missing(purpose: PurposeFacts) -> Outcome:
    """The task is laid down by Union or Member State law (6(3)), which the flow names."""
    task = purpose.basis.public_task if purpose.basis else None
    if task is None:
        return fault(missing="the task is")
    return fault(".lawfulBasis.publicTask.law", missing="its law is") if task.law is None else False


@rule(
    "GDPR-6-1-e-law-foreign",
    article="6(3)",
    per=PURPOSE,
    when="A6-1-e",
    path=".lawfulBasis.publicTask.law.jurisdiction",
    message="the law declared for {purpose} is that of {jurisdiction}, neither Union nor Member State law",
    fix="declare the Union or Member State law that lays the task down, or choose another basis",
    passing=PUBLIC_TASK,
    failing=changed(PUBLIC_TASK, {"purposes[0].lawfulBasis.publicTask.law.jurisdiction": "US"}),
)
def task_law_foreign(purpose: PurposeFacts) -> Outcome:
    """Only Union law and the law of a Member State (or EEA state) can give a task under this basis."""
    task = purpose.basis.public_task if purpose.basis else None
    if task is None or task.law is None or not purpose.situation.foreign(task.law):
        return False
    return fault(jurisdiction=task.law.jurisdiction)


@rule(
    "GDPR-6-1-f-interest-missing",
    article="6(1)(f)",
    per=PURPOSE,
    when="A6-1-f",
    path=".lawfulBasis.legitimateInterest",
    message="{purpose} rests on legitimate interests, but {missing} not declared",
    fix="declare lawfulBasis.legitimateInterest with interest, necessity, balancingTest and objectionRoute",
    passing=LEGITIMATE_INTEREST,
    failing=changed(LEGITIMATE_INTEREST, {f"{_INTEREST}.necessity": None}),
)
def interest_missing(purpose: PurposeFacts) -> Outcome:
    """The controller names the interest and why the processing is necessary for it (C-708/18)."""
    interest = purpose.basis.legitimate_interest if purpose.basis else None
    if interest is None:
        return fault(missing="the interest is")
    if interest.necessity is None:
        return fault(".lawfulBasis.legitimateInterest.necessity", missing="its necessity is")
    return False


@rule(
    "GDPR-6-1-f-balancing-missing",
    article="6(1)(f)",
    per=PURPOSE,
    when="A6-1-f",
    path=".lawfulBasis.legitimateInterest.balancingTest",
    message="no balancing test is declared for {purpose}",
    fix="weigh the interests and declare balancingTest with reference, date and validUntil",
    passing=LEGITIMATE_INTEREST,
    failing=changed(LEGITIMATE_INTEREST, {f"{_INTEREST}.balancingTest": None}),
)
def balancing_missing(purpose: PurposeFacts) -> Outcome:
    """The interest counts only where the interests and rights of the data subject do not override it."""
    interest = purpose.basis.legitimate_interest if purpose.basis else None
    return interest is not None and interest.balancing_test is None


@rule(
    "GDPR-6-1-f-balancing-expired",
    article="6(1)(f)",
    per=PURPOSE,
    when="A6-1-f",
    path=".lawfulBasis.legitimateInterest.balancingTest.validUntil",
    message="the balancing test for {purpose} has expired",
    fix="make the test anew and declare its reference, date and validUntil",
    passing=LEGITIMATE_INTEREST,
    failing=changed(LEGITIMATE_INTEREST, {f"{_INTEREST}.balancingTest.validUntil": "2026-06-30"}),
)
def balancing_expired(purpose: PurposeFacts) -> Outcome:
    """The controller said until when the weighing of interests holds; afterwards nobody has weighed them."""
    interest = purpose.basis.legitimate_interest if purpose.basis else None
    test = interest.balancing_test if interest else None
    return test is not None and purpose.situation.expired(test.valid_until)


@rule(
    "GDPR-6-1-f-objection-route-missing",
    article="21(1)",
    per=PURPOSE,
    when="A6-1-f",
    path=".lawfulBasis.legitimateInterest.objectionRoute",
    message="no route for objections is declared for {purpose}",
    fix="declare legitimateInterest.objectionRoute: where a data subject objects",
    passing=LEGITIMATE_INTEREST,
    failing=changed(LEGITIMATE_INTEREST, {f"{_INTEREST}.objectionRoute": None}),
)
def objection_route_missing(purpose: PurposeFacts) -> Outcome:
    """Whoever relies on legitimate interests answers objections, and says where they go."""
    interest = purpose.basis.legitimate_interest if purpose.basis else None
    return interest is not None and interest.objection_route is None


@rule(
    "GDPR-6-1-f-public-task",
    article="6(1)",
    per=PURPOSE,
    when="A6-1-f",
    path=".lawfulBasis.legitimateInterest.inPerformanceOfPublicTask",
    message="{purpose} is declared as the task of a public authority, which contradicts the basis A6-1-f",
    fix="use A6-1-e with the law that lays the task down",
    passing=LEGITIMATE_INTEREST,
    failing=changed(LEGITIMATE_INTEREST, {f"{_INTEREST}.inPerformanceOfPublicTask": True}),
)
def public_authority(purpose: PurposeFacts) -> Outcome:
    """Legitimate interests are not open to public authorities in the performance of their tasks (6(1), last part)."""
    interest = purpose.basis.legitimate_interest if purpose.basis else None
    return interest is not None and interest.in_performance_of_public_task


RULES = (
    purpose_missing, basis_missing, basis_unknown,
    contract_missing, subject_not_party, necessity_missing, not_contractual,
    obligation_missing, obligation_foreign,
    not_vital, vital_interest_missing, last_resort,
    task_law_missing, task_law_foreign,
    public_authority, interest_missing, balancing_missing, balancing_expired, objection_route_missing,
)  # fmt: skip
