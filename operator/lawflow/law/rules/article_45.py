"""Article 45: adequacy decisions, by country or organisation, with what each of them covers."""

from lawflow.law.examples import ADEQUACY, changed
from lawflow.law.kinds import TRANSFER
from lawflow.law.legal import AdequacyDecision
from lawflow.law.parts import TransferFacts
from lawflow.law.rule import Outcome, fault, rule

_ADEQUACY = "transfers[0].adequacy"


def decision_for(transfer: TransferFacts) -> AdequacyDecision | None:
    """The adequacy decision that is in force today for the place of a transfer and for its exporter."""
    situation = transfer.situation
    exporter = situation.controller.establishment if situation.controller else None
    for decision in situation.legal.adequacy.get(transfer.place, ()):
        if exporter not in decision.not_yet_in and situation.in_force(decision.valid_from, decision.valid_until):
            return decision
    return None


@rule(
    "GDPR-45-decision-missing",
    article="45(3)",
    per=TRANSFER,
    when="A45-3",
    path=".tool",
    message="no adequacy decision is in force for {place}, and for exporters where this one is established",
    fix="declare a tool of Article 46 with an impact assessment; a newer decision can be added to the legal data",
    passing=ADEQUACY,
    failing=changed(ADEQUACY, {"destination.external.country": "IN"}),
)
def decision_missing(transfer: TransferFacts) -> Outcome:
    """Adequacy is found by decision of the Commission, for a time; in IS, LI and NO once it is incorporated."""
    return decision_for(transfer) is None


@rule(
    "GDPR-45-sector-not-covered",
    article="45(3)",
    per=TRANSFER,
    when="A45-3",
    path=".adequacy.sector",
    message="the decision for {place} covers commercial organisations, which contradicts the sector {sector}",
    fix="declare a tool of Article 46 with an impact assessment, or adequacy.sector: commercial where that is so",
    passing=ADEQUACY,
    failing=changed(ADEQUACY, {f"{_ADEQUACY}.sector": "public"}),
)
def sector_not_covered(transfer: TransferFacts) -> Outcome:
    """Some decisions cover commercial organisations only, e.g. those for Canada, Japan and the United States."""
    decision, claimed = decision_for(transfer), transfer.model.adequacy
    if decision is None or decision.covers == "all" or claimed is None or claimed.sector == "commercial":
        return False
    return fault(sector=claimed.sector)


@rule(
    "GDPR-45-certification-missing",
    article="45(3)",
    per=TRANSFER,
    when="A45-3",
    path=".adequacy.certification",
    message="the decision for {place} covers certified recipients, but no certification is declared",
    fix="look the recipient up in the list of the framework and declare adequacy.certification and "
    "certificationValidUntil, or declare a tool of Article 46",
    passing=ADEQUACY,
    failing=changed(ADEQUACY, {_ADEQUACY: None}),
)
def certification_missing(transfer: TransferFacts) -> Outcome:
    """The EU-US Data Privacy Framework covers recipients that are actively listed."""
    decision, claimed = decision_for(transfer), transfer.model.adequacy
    return decision is not None and decision.certification and (claimed is None or claimed.certification is None)


@rule(
    "GDPR-45-certification-expired",
    article="45(3)",
    per=TRANSFER,
    when="A45-3",
    path=".adequacy.certificationValidUntil",
    message="the certification of the recipient in {place} has expired",
    fix="look the recipient up again and declare the new certificationValidUntil, or declare a tool of Article 46",
    passing=ADEQUACY,
    failing=changed(ADEQUACY, {f"{_ADEQUACY}.certificationValidUntil": "2026-06-30"}),
)
def certification_expired(transfer: TransferFacts) -> Outcome:
    """Recipients certify anew each year."""
    claimed = transfer.model.adequacy
    return claimed is not None and transfer.situation.expired(claimed.certification_valid_until)


@rule(
    "GDPR-45-human-resources-not-covered",
    article="45(3)",
    per=TRANSFER,
    when="A45-3",
    path=".adequacy.coversHumanResourcesData",
    message="data of employees travel to {place}, but the certification is not declared to cover them",
    fix="declare adequacy.coversHumanResourcesData: true where the list says so, or declare a tool of Article 46",
    passing=changed(ADEQUACY, {"subjects.categories": ["dpv:Employee"], f"{_ADEQUACY}.coversHumanResourcesData": True}),
    failing=changed(ADEQUACY, {"subjects.categories": ["dpv:Employee"]}),
)
def human_resources_not_covered(transfer: TransferFacts) -> Outcome:
    """Human-resources data need a certification that names them."""
    decision, claimed = decision_for(transfer), transfer.model.adequacy
    if decision is None or not decision.certification or claimed is None or claimed.certification is None:
        return False
    return transfer.situation.concerns("dpv:Employee") and not claimed.covers_human_resources_data


RULES = (
    decision_missing, sector_not_covered, certification_missing, certification_expired, human_resources_not_covered,
)  # fmt: skip
