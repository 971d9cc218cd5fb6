"""Chapter V: transfers to third countries and international organisations (Articles 44 to 46), except adequacy."""

from lawflow.law.examples import CLAUSES, changed
from lawflow.law.kinds import FLOW, TERM, TRANSFER
from lawflow.law.parts import TransferFacts, UnknownTerm
from lawflow.law.rule import WARN, Outcome, fault, rule
from lawflow.law.situation import Situation

_TRANSFER = "transfers[0]"
_MODULES = {
    ("controller", "controller"): "controllerToController",
    ("controller", "processor"): "controllerToProcessor",
    ("processor", "processor"): "processorToProcessor",
    ("processor", "controller"): "processorToController",
}
_EXPORTER = {"controller": "controller", "jointController": "controller", "processor": "processor"}
_IMPORTER = {"controller": "controller", "jointController": "controller", "processor": "processor"}


@rule(
    "GDPR-44-recipient-country-missing",
    article="44",
    per=FLOW,
    path=".destination.external",
    message="the country of {recipient} is not declared",
    fix="declare destination.external.country (ISO 3166-1 alpha-2), or internationalOrganisation",
    failing={"destination.external.country": None},
)
def country_missing(flow: Situation) -> Outcome:
    """Whether the data leave the EEA can be said only if it is known where they go."""
    external = flow.spec.destination.external
    return external is not None and external.country is None and external.international_organisation is None


@rule(
    "GDPR-44-tool-missing",
    article="44",
    per=FLOW,
    when="third country",
    path=".transfers",
    message="{recipient} is in {place}, outside the EEA, but nothing that the transfer rests on is declared",
    fix="declare spec.transfers with a tool: A45-3 where an adequacy decision covers the recipient, else A46-… with an "
    "impact assessment, in exceptions A49-…",
    passing=CLAUSES,
    failing=changed(CLAUSES, {"transfers": []}),
)
def tool_missing(flow: Situation) -> Outcome:
    """Data leave the EEA only under adequacy, safeguards or a derogation; one's own branch abroad is disputed."""
    external = flow.spec.destination.external
    place = (external.international_organisation or external.country or "") if external else ""
    if any(transfer.place == place for transfer in flow.transfers):
        return False
    severity = WARN if flow.spec.destination.role == "sameController" else None
    return fault(severity=severity, place=place)


@rule(
    "GDPR-44-tool-unknown",
    article="44",
    per=TERM,
    when="tool",
    scope="any",
    message="{term} is no tool of Chapter V",
    fix="{advice}",
    passing=CLAUSES,
    failing=changed(CLAUSES, {f"{_TRANSFER}.tool": "A46-1"}),
)
def tool_unknown(term: UnknownTerm) -> Outcome:
    """The list of tools in Articles 45, 46 and 49 is closed."""
    return True


@rule(
    "GDPR-44-tool-expired",
    article="44",
    per=TRANSFER,
    path=".validUntil",
    message="the tool {tool} for {place} has expired",
    fix="renew it and declare validUntil anew, or declare another tool",
    passing=changed(CLAUSES, {f"{_TRANSFER}.validUntil": "2026-07-01"}),
    failing=changed(CLAUSES, {f"{_TRANSFER}.validUntil": "2026-06-30"}),
)
def tool_expired(transfer: TransferFacts) -> Outcome:
    """Clauses, rules, codes and certifications that have ended protect nobody."""
    return transfer.situation.expired(transfer.model.valid_until)


@rule(
    "GDPR-44-onward-tool-missing",
    article="44",
    per=TRANSFER,
    path=".onward",
    message="the onward transfer to {organisation} is declared without a tool",
    fix="declare transfers[].onward[].tool",
    passing=changed(CLAUSES, {f"{_TRANSFER}.onward": [{"organisation": "Sub Ltd", "country": "US", "tool": "A45-3"}]}),
    failing=changed(CLAUSES, {f"{_TRANSFER}.onward": [{"organisation": "Sub Ltd", "country": "US"}]}),
)
def onward_tool_missing(transfer: TransferFacts) -> Outcome:
    """Protection is not undermined by onward transfers; one back into the EEA needs no tool."""
    legal = transfer.situation.legal
    for index, onward in enumerate(transfer.model.onward):
        if onward.tool is None and (onward.country is None or legal.third_country(onward.country)):
            return fault(f".onward[{index}].tool", organisation=onward.organisation)
    return False


@rule(
    "GDPR-46-reference-missing",
    article="46(1)",
    per=TRANSFER,
    when="A46",
    path=".reference",
    message="the document behind {tool} for {place} is not declared",
    fix="declare transfers[].reference: the clauses, binding rules, code, certification or arrangement",
    passing=CLAUSES,
    failing=changed(CLAUSES, {f"{_TRANSFER}.reference": None}),
)
def reference_missing(transfer: TransferFacts) -> Outcome:
    """Safeguards are provided by a document: clauses, binding rules, a code, a certification, an arrangement."""
    return transfer.model.reference is None


@rule(
    "GDPR-46-assessment-missing",
    article="46(1)",
    per=TRANSFER,
    when="A46",
    path=".impactAssessment",
    message="no transfer impact assessment is declared for {place} under {tool}",
    fix="assess the law and practice of the country and declare transfers[].impactAssessment",
    passing=CLAUSES,
    failing=changed(CLAUSES, {f"{_TRANSFER}.impactAssessment": None}),
)
def assessment_missing(transfer: TransferFacts) -> Outcome:
    """Every safeguard needs an assessment of the third country's law, binding corporate rules too (C-311/18)."""
    return transfer.model.impact_assessment is None


@rule(
    "GDPR-46-assessment-expired",
    article="46(1)",
    per=TRANSFER,
    when="A46",
    path=".impactAssessment.validUntil",
    message="the transfer impact assessment for {place} has expired",
    fix="assess anew and declare its reference, date and validUntil",
    passing=CLAUSES,
    failing=changed(CLAUSES, {f"{_TRANSFER}.impactAssessment.validUntil": "2026-06-30"}),
)
def assessment_expired(transfer: TransferFacts) -> Outcome:
    """Law and practice abroad change; the assessment says until when it counts."""
    assessment = transfer.model.impact_assessment
    return assessment is not None and transfer.situation.expired(assessment.valid_until)


@rule(
    "GDPR-46-assessment-negative",
    article="46(1)",
    per=TRANSFER,
    when="A46",
    path=".impactAssessment.outcome",
    message="the transfer impact assessment for {place} has the outcome notAdequate",
    fix="add supplementary measures and assess anew, or end the transfer",
    passing=changed(CLAUSES, {f"{_TRANSFER}.impactAssessment.outcome": "adequateWithMeasures"}),
    failing=changed(CLAUSES, {f"{_TRANSFER}.impactAssessment.outcome": "notAdequate"}),
)
def assessment_negative(transfer: TransferFacts) -> Outcome:
    """A transfer whose assessment finds no equivalent protection is suspended or ended (C-311/18)."""
    assessment = transfer.model.impact_assessment
    return assessment is not None and assessment.outcome == "notAdequate"


@rule(
    "GDPR-46-2-c-module-missing",
    article="46(2)(c)",
    per=TRANSFER,
    when="A46-2-c",
    path=".sccModule",
    message="the module of the standard contractual clauses for {place} is not declared",
    fix="declare transfers[].sccModule as the roles of source and destination ask",
    passing=CLAUSES,
    failing=changed(CLAUSES, {f"{_TRANSFER}.sccModule": None}),
)
def module_missing(transfer: TransferFacts) -> Outcome:
    """The clauses of Decision (EU) 2021/914 come in four modules, one a pair of roles."""
    return transfer.model.scc_module is None


@rule(
    "GDPR-46-2-c-module-disagrees",
    article="46(2)(c)",
    per=TRANSFER,
    when="A46-2-c",
    path=".sccModule",
    message="the module {module} contradicts the roles {source} and {destination}",
    fix="{advice}",
    passing=CLAUSES,
    failing=changed(CLAUSES, {f"{_TRANSFER}.sccModule": "processorToProcessor"}),
)
def module_disagrees(transfer: TransferFacts) -> Outcome:
    """A module binds only parties in the roles that it is written for."""
    module, spec = transfer.model.scc_module, transfer.situation.spec
    source, destination = spec.source.role, spec.destination.role
    needed = _MODULES.get((_EXPORTER[source], _IMPORTER.get(destination, "")))
    if module is None or module == needed:
        return False
    advice = f"declare sccModule: {needed}" if needed else "nobody concludes clauses with oneself: declare another tool"
    return fault(module=module, source=source, destination=destination, advice=advice)


RULES = (
    country_missing, tool_missing, tool_unknown, tool_expired, onward_tool_missing,
    reference_missing, assessment_missing, assessment_expired, assessment_negative, module_missing, module_disagrees,
)  # fmt: skip
