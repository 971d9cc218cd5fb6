"""Article 49: derogations for specific situations, and what shows that they apply."""

from lawflow.law.examples import CONSENT, DEROGATION, changed
from lawflow.law.kinds import TRANSFER
from lawflow.law.parts import TransferFacts
from lawflow.law.rule import WARN, Outcome, fault, rule

_TRANSFER = "transfers[0]"
_ON_CONSENT = changed(
    CONSENT,
    DEROGATION,
    {
        f"{_TRANSFER}.tool": "A49-1-a",
        f"{_TRANSFER}.derogation": {
            "evidence": "consent screen 4",
            "risksExplained": True,
            "consentPolicyRef": {"name": "newsletter"},
        },
    },
)
_BY_LAW = changed(
    DEROGATION,
    {
        f"{_TRANSFER}.tool": "A49-1-d",
        f"{_TRANSFER}.derogation.law": {"citation": "Regulation (EU) 2023/1113", "jurisdiction": "EU"},
    },
)
_COMPELLING = changed(DEROGATION, {f"{_TRANSFER}.tool": "A49-2", f"{_TRANSFER}.derogation.authorityInformed": True})
_OCCASIONAL = ("A49-1-b", "A49-1-c", "A49-1-e", "A49-2")
_NOT_FOR_PUBLIC_POWERS = ("A49-1-a", "A49-1-b", "A49-1-c", "A49-2")


@rule(
    "GDPR-49-evidence-missing",
    article="49(1)",
    per=TRANSFER,
    when="A49",
    path=".derogation.evidence",
    message="what shows that the derogation {tool} applies is not declared",
    fix="declare transfers[].derogation.evidence",
    passing=DEROGATION,
    failing=changed(DEROGATION, {f"{_TRANSFER}.derogation": {}}),
)
def evidence_missing(transfer: TransferFacts) -> Outcome:
    """Derogations are exceptions, and whoever relies on one shows that it applies (also 49(6))."""
    return transfer.model.derogation is None or transfer.model.derogation.evidence is None


@rule(
    "GDPR-49-1-a-risks-not-explained",
    article="49(1)(a)",
    per=TRANSFER,
    when="A49-1-a",
    path=".derogation.risksExplained",
    message="that the subjects were told of the risks of the transfer is not declared",
    fix="tell them before they consent, then declare derogation.risksExplained: true",
    passing=_ON_CONSENT,
    failing=changed(_ON_CONSENT, {f"{_TRANSFER}.derogation.risksExplained": False}),
)
def risks_not_explained(transfer: TransferFacts) -> Outcome:
    """Consent to a transfer is given after the subject was told of its risks."""
    derogation = transfer.model.derogation
    return derogation is not None and not derogation.risks_explained


@rule(
    "GDPR-49-1-a-consent-not-explicit",
    article="49(1)(a)",
    per=TRANSFER,
    when="A49-1-a",
    path=".derogation.consentPolicyRef",
    repairable=True,
    message="the transfer claims explicit consent, but {problem}",
    fix="declare derogation.consentPolicyRef with a policy that asks for explicit consent (explicit: true)",
    passing=_ON_CONSENT,
    failing=changed(_ON_CONSENT, {"ConsentPolicy.explicit": False}),
)
def consent_not_explicit(transfer: TransferFacts) -> Outcome:
    """Consent to a transfer is explicit."""
    derogation = transfer.model.derogation
    if derogation is None:
        return False
    if derogation.consent_policy_ref is None:
        return fault(problem="no ConsentPolicy is declared")
    policy = transfer.situation.resolved.consent_policy(derogation.consent_policy_ref)
    return fault(problem="the ConsentPolicy is not explicit") if policy and not policy.spec.explicit else False


@rule(
    "GDPR-49-1-law-missing",
    article="49(4)",
    per=TRANSFER,
    when="A49",
    path=".derogation.law",
    message="the derogation {tool} rests on a law, but no Union or Member State law is declared",
    fix="declare derogation.law with citation and jurisdiction",
    passing=_BY_LAW,
    failing=changed(_BY_LAW, {f"{_TRANSFER}.derogation.law": None}),
)
def law_missing(transfer: TransferFacts) -> Outcome:
    """Public interest (d) and public registers (g) are those of Union or Member State law."""
    derogation = transfer.model.derogation
    if derogation is None or transfer.tool not in ("A49-1-d", "A49-1-g"):
        return False
    return derogation.law is None or transfer.situation.foreign(derogation.law)


@rule(
    "GDPR-49-repetitive",
    article="49(1)",
    per=TRANSFER,
    when="A49",
    path=".derogation.repetitive",
    message="the derogation {tool} is declared for transfers that recur",
    fix="declare a tool of Article 46 with an impact assessment",
    passing=DEROGATION,
    failing=changed(DEROGATION, {f"{_TRANSFER}.derogation.repetitive": True}),
)
def repetitive(transfer: TransferFacts) -> Outcome:
    """Contract (b), (c), legal claims (e) and compelling interests carry occasional transfers only (Recital 111)."""
    derogation = transfer.model.derogation
    return transfer.tool in _OCCASIONAL and derogation is not None and derogation.repetitive


@rule(
    "GDPR-49-3-public-powers",
    article="49(3)",
    per=TRANSFER,
    when="A49",
    path=".derogation.publicPowers",
    message="the derogation {tool} is declared for the exercise of public powers",
    fix="declare another tool, e.g. A46-2-a or A49-1-d",
    passing=DEROGATION,
    failing=changed(DEROGATION, {f"{_TRANSFER}.derogation.publicPowers": True}),
)
def public_powers(transfer: TransferFacts) -> Outcome:
    """Consent, contract and compelling interests are not open to authorities that exercise public powers."""
    derogation = transfer.model.derogation
    return transfer.tool in _NOT_FOR_PUBLIC_POWERS and derogation is not None and derogation.public_powers


@rule(
    "GDPR-49-1-authority-not-informed",
    article="49(1)",
    per=TRANSFER,
    when="A49-2",
    path=".derogation.authorityInformed",
    message="that the supervisory authority was told of the transfer is not declared",
    fix="inform the authority and the subjects, then declare derogation.authorityInformed: true",
    passing=_COMPELLING,
    failing=changed(_COMPELLING, {f"{_TRANSFER}.derogation.authorityInformed": False}),
)
def authority_not_informed(transfer: TransferFacts) -> Outcome:
    """Whoever transfers for compelling interests informs the authority (second subparagraph)."""
    derogation = transfer.model.derogation
    return derogation is not None and not derogation.authority_informed


@rule(
    "GDPR-49-derogation-used",
    article="49(1)",
    severity=WARN,
    per=TRANSFER,
    when="A49",
    path=".tool",
    message="the transfer to {place} rests on a derogation, which is interpreted narrowly",
    fix="check whether adequacy (A45-3) or safeguards (A46-…) are possible (EDPB Guidelines 2/2018)",
    failing=DEROGATION,
)
def derogation_used(transfer: TransferFacts) -> Outcome:
    """Derogations are for specific situations, where neither adequacy nor safeguards are there."""
    return True


RULES = (
    evidence_missing, risks_not_explained, consent_not_explicit, law_missing, repetitive, public_powers,
    authority_not_informed, derogation_used,
)  # fmt: skip
