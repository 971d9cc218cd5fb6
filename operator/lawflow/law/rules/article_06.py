"""Article 6: a basis for each purpose, and the evidence that each basis needs."""

from lawflow.law.examples import LEGITIMATE_INTEREST, changed
from lawflow.law.kinds import FLOW, PURPOSE
from lawflow.law.parts import PurposeFacts
from lawflow.law.rule import Outcome, fault, rule
from lawflow.law.situation import Situation
from lawflow.model.base import Law


def foreign(situation: Situation, law: Law) -> bool:
    """Whether a law is neither Union law nor that of a Member State or EEA state (Article 6(3))."""
    return law.jurisdiction != "EU" and situation.legal.third_country(law.jurisdiction)


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
    "GDPR-6-1-b-contract-missing",
    article="6(1)(b)",
    per=PURPOSE,
    when="A6-1-b",
    path=".lawfulBasis.contract",
    message="{purpose} rests on a contract, but no contract is declared",
    fix="declare lawfulBasis.contract with reference and necessity",
    failing={"purposes[0].lawfulBasis.contract": None},
)
def contract_missing(purpose: PurposeFacts) -> Outcome:
    """The basis is the performance of a contract with the data subject, or steps at the subject's request before it."""
    return purpose.basis is None or purpose.basis.contract is None


@rule(
    "GDPR-6-1-f-balancing-expired",
    article="6(1)(f)",
    per=PURPOSE,
    when="A6-1-f",
    path=".lawfulBasis.legitimateInterest.balancingTest.validUntil",
    message="the balancing test for {purpose} has expired",
    fix="make the test anew and declare its reference, date and validUntil",
    passing=LEGITIMATE_INTEREST,
    failing=changed(
        LEGITIMATE_INTEREST,
        {"purposes[0].lawfulBasis.legitimateInterest.balancingTest.validUntil": "2026-06-30"},
    ),
)
def balancing_expired(purpose: PurposeFacts) -> Outcome:
    """The controller said until when the weighing of interests holds; afterwards nobody has weighed them."""
    interest = purpose.basis.legitimate_interest if purpose.basis else None
    test = interest.balancing_test if interest else None
    return test is not None and purpose.situation.expired(test.valid_until)


RULES = (purpose_missing, basis_missing, contract_missing, balancing_expired)
