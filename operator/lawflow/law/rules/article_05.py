"""Article 5: the principles, as far as a declaration can show them."""

from lawflow.law.examples import CONSENT, changed
from lawflow.law.kinds import DATASET, FLOW, PURPOSE
from lawflow.law.parts import DatasetFacts, PurposeFacts
from lawflow.law.period import days
from lawflow.law.rule import WARN, Outcome, fault, rule
from lawflow.law.situation import Situation

_UNSPECIFIC = frozenset(("dpv:Purpose", "dpv:CommercialPurpose", "dpv:NonCommercialPurpose"))
_FURTHER = {"Dataset.purposes": ["dpv:CustomerManagement"]}
_TESTED = {
    **_FURTHER,
    "purposes[0].furtherProcessing": {"compatibilityTest": {"outcome": "compatible", "reference": "CT-3"}},
}


@rule(
    "GDPR-5-1-a-notice-missing",
    article="13",
    severity=WARN,
    per=FLOW,
    path=".notice",
    message="no notice to the data subjects is declared",
    fix="declare spec.notice with the reference and version of the information under Articles 13 and 14",
    failing={"notice": None},
)
def notice_missing(flow: Situation) -> Outcome:
    """Processing is transparent only if the subjects were told of it (Articles 13 and 14)."""
    return flow.spec.notice is None


@rule(
    "GDPR-5-1-b-purpose-incompatible",
    article="5(1)(b)",
    per=PURPOSE,
    path=".purpose",
    repairable=True,
    message="{purpose} is outside the purposes that dataset {dataset} was collected for",
    fix="add the purpose to the dataset if it was collected for it; else declare furtherProcessing: a compatibility "
    "test with the outcome compatible, new consent, a law under 6(4), or research with safeguards under Article 89",
    passing=_TESTED,
    failing=_FURTHER,
)
def incompatible(purpose: PurposeFacts) -> Outcome:
    """Data collected for one purpose serve another only if it is compatible, or consent or a law allows it (6(4))."""
    for facts in purpose.situation.datasets:
        declared = facts.spec.purposes
        if declared and not purpose.within(declared) and not _allowed(purpose) and not _refused(purpose):
            return fault(dataset=facts.dataset.metadata.name)
    return False


def _allowed(purpose: PurposeFacts) -> bool:
    further = purpose.model.further_processing
    if further is None:
        return False
    test = further.compatibility_test
    if test is not None and test.outcome == "compatible" and (not test.purpose or purpose.within((test.purpose,))):
        return True
    if further.new_consent and purpose.code == "A6-1-a":
        return True
    if further.research is not None and purpose.serves("research"):
        return True
    return further.law is not None and not purpose.situation.foreign(further.law)


@rule(
    "GDPR-5-1-b-purpose-unspecific",
    article="5(1)(b)",
    severity=WARN,
    per=PURPOSE,
    path=".purpose",
    message="{purpose} is no specified purpose",
    fix="declare a narrower purpose of DPV that says what the data are for",
    failing={"purposes[0].purpose": "dpv:CommercialPurpose", "Dataset.purposes": ["dpv:CommercialPurpose"]},
)
def unspecific(purpose: PurposeFacts) -> Outcome:
    """Data are collected for specified and explicit purposes; the broadest terms specify nothing."""
    return purpose.concept is not None and purpose.concept.term in _UNSPECIFIC


@rule(
    "GDPR-5-1-b-test-negative",
    article="6(4)",
    per=PURPOSE,
    path=".furtherProcessing.compatibilityTest.outcome",
    message="the compatibility test for {purpose} has the outcome incompatible",
    fix="ask for new consent, name a law under 6(4), or remove the purpose",
    passing=_TESTED,
    failing={**_TESTED, "purposes[0].furtherProcessing.compatibilityTest.outcome": "incompatible"},
)
def test_negative(purpose: PurposeFacts) -> Outcome:
    """A test that finds the purpose incompatible contradicts the purpose, unless consent or a law carries it."""
    return _refused(purpose) and not _allowed(purpose)


def _refused(purpose: PurposeFacts) -> bool:
    further = purpose.model.further_processing
    test = further.compatibility_test if further else None
    return test is not None and test.outcome == "incompatible"


@rule(
    "GDPR-5-1-b-consent-not-new",
    article="6(4)",
    per=PURPOSE,
    path=".furtherProcessing.newConsent",
    message="{purpose} claims new consent, but its basis is not A6-1-a",
    fix="declare A6-1-a with a consentPolicyRef as the basis, or declare another ground under furtherProcessing",
    passing=changed(CONSENT, {"purposes[0].furtherProcessing": {"newConsent": True}}),
    failing={"purposes[0].furtherProcessing": {"newConsent": True}},
)
def consent_not_new(purpose: PurposeFacts) -> Outcome:
    """New consent carries a further purpose only if that purpose rests on it."""
    further = purpose.model.further_processing
    return further is not None and further.new_consent and purpose.code not in ("A6-1-a", None)


@rule(
    "GDPR-5-1-b-collection-purposes-missing",
    article="5(1)(b)",
    severity=WARN,
    per=DATASET,
    repairable=True,
    message="dataset {dataset} does not declare the purposes that its data were collected for",
    fix="declare spec.purposes on the dataset",
    failing={"Dataset.purposes": []},
)
def collection_purposes_missing(dataset: DatasetFacts) -> Outcome:
    """Whether a purpose is the one of collection can be checked only against a declared one."""
    return not dataset.spec.purposes


@rule(
    "GDPR-5-1-d-source-of-truth-missing",
    article="5(1)(d)",
    severity=WARN,
    per=DATASET,
    repairable=True,
    message="dataset {dataset} does not declare where the accurate value lives",
    fix="declare spec.sourceOfTruth on the dataset: self, or the system that holds the accurate value",
    failing={"Dataset.sourceOfTruth": None},
)
def source_of_truth_missing(dataset: DatasetFacts) -> Outcome:
    """Data can be kept accurate only if it is known which copy is."""
    return dataset.spec.source_of_truth is None


@rule(
    "GDPR-5-1-d-rectification-missing",
    article="5(1)(d)",
    severity=WARN,
    per=DATASET,
    repairable=True,
    message="dataset {dataset} does not declare how an inaccurate value is corrected",
    fix="declare spec.rectificationHandler on the dataset",
    failing={"Dataset.rectificationHandler": None},
)
def rectification_missing(dataset: DatasetFacts) -> Outcome:
    """Inaccurate data are erased or rectified without delay (also Article 16)."""
    return dataset.spec.rectification_handler is None


@rule(
    "GDPR-5-1-e-retention-missing",
    article="5(1)(e)",
    per=FLOW,
    path=".retention",
    message="how long {recipient} keeps the data is not declared",
    fix="declare spec.retention.period (ISO 8601, e.g. P1Y) or spec.retention.criteria",
    failing={"retention": None},
)
def retention_missing(flow: Situation) -> Outcome:
    """Data are kept no longer than necessary; the recipient's duration, or the criteria for it, is declared."""
    retention = flow.spec.retention
    return retention is None or (retention.period is None and retention.criteria is None)


@rule(
    "GDPR-5-1-e-retention-longer-than-source",
    article="5(1)(e)",
    per=FLOW,
    path=".retention.period",
    repairable=True,
    message="{recipient} keeps the data for {period}, longer than dataset {dataset} with {own}",
    fix="shorten spec.retention.period, or declare retention.law or retention.justification",
    failing={"retention": {"period": "P11Y"}},
)
def retention_longer(flow: Situation) -> Outcome:
    """A copy that outlives its source needs a law, or a purpose and basis of its own."""
    kept = flow.spec.retention
    if kept is None or kept.period is None or kept.law is not None or kept.justification is not None:
        return False
    sources = [
        (days(own.period), own.period, facts.dataset.metadata.name)
        for facts in flow.datasets
        if (own := facts.spec.retention) is not None and own.period is not None
    ]
    if not sources:
        return False
    shortest, own_period, dataset = min(sources)
    return days(kept.period) > shortest and fault(period=kept.period, dataset=dataset, own=own_period)


@rule(
    "GDPR-30-1-f-dataset-retention-missing",
    article="30(1)(f)",
    severity=WARN,
    per=DATASET,
    repairable=True,
    message="dataset {dataset} does not declare how long data are kept",
    fix="declare spec.retention with period or criteria on the dataset",
    failing={"Dataset.retention": None},
)
def dataset_retention_missing(dataset: DatasetFacts) -> Outcome:
    """The record names the time limits for erasure where possible."""
    retention = dataset.spec.retention
    return retention is None or (retention.period is None and retention.criteria is None)


RULES = (
    notice_missing,
    unspecific, incompatible, test_negative, consent_not_new, collection_purposes_missing,
    source_of_truth_missing, rectification_missing,
    retention_missing, retention_longer, dataset_retention_missing,
)  # fmt: skip
