"""Articles 12 to 22: rights of data subjects, and automated decisions."""

from collections.abc import Iterator

from lawflow.law.examples import CONSENT, HEALTH, changed
from lawflow.law.kinds import DATASET, FLOW, TERM
from lawflow.law.parts import DatasetFacts, UnknownTerm
from lawflow.law.rule import WARN, Outcome, fault, rule
from lawflow.law.situation import Situation

_DECISION = {"automatedDecision": {"condition": "A22-2-c", "humanReview": "https://acme.example/review"}}
_BY_LAW = {
    "automatedDecision": {
        "condition": "A22-2-b",
        "law": {"citation": "§ 37 BDSG", "jurisdiction": "DE"},
        "safeguards": "a person decides on request",
    }
}


@rule(
    "GDPR-12-handler-missing",
    article="12",
    per=DATASET,
    repairable=True,
    message="dataset {dataset} declares no path for requests of data subjects",
    fix="declare spec.rightsHandler on the dataset: automated: true with a connector, or a route",
    failing={"Dataset.rightsHandler": None},
)
def handler_missing(dataset: DatasetFacts) -> Outcome:
    """Subjects ask for access, rectification, erasure and more; each dataset needs somebody who answers in a month."""
    handler = dataset.spec.rights_handler
    return handler is None or (not handler.automated and handler.route is None)


@rule(
    "GDPR-12-right-without-handler",
    article="12",
    per=DATASET,
    repairable=True,
    message="the rights handler of dataset {dataset} does not serve {rights}",
    fix="add the rights to spec.rightsHandler.rights on the dataset; without a list it serves all",
    failing={"Dataset.rightsHandler": {"automated": True, "rights": ["access", "rectification"]}},
)
def right_without_handler(dataset: DatasetFacts) -> Outcome:
    """Exceptions limit a right in a single case; they never make the handler unnecessary."""
    handler = dataset.spec.rights_handler
    if handler is None or not handler.rights:
        return False
    missing = [right for right in _needed(dataset.situation) if right not in handler.rights]
    return fault(rights=", ".join(missing)) if missing else False


def _needed(situation: Situation) -> Iterator[str]:
    yield from ("access", "rectification", "erasure", "restriction")
    codes = {purpose.code for purpose in situation.purposes}
    if not codes.isdisjoint(("A6-1-a", "A6-1-b")):
        yield "portability"
    marketing = any(purpose.serves("directMarketing") for purpose in situation.purposes)
    if marketing or not codes.isdisjoint(("A6-1-e", "A6-1-f")):
        yield "objection"


@rule(
    "HOUSE-rights-not-automated",
    article="house",
    severity=WARN,
    per=DATASET,
    repairable=True,
    message="requests of data subjects on dataset {dataset} are carried out by hand",
    fix="declare a connector and rightsHandler.automated: true on the dataset",
    failing={"Dataset.rightsHandler": {"route": "https://acme.example/privacy-desk"}},
)
def not_automated(dataset: DatasetFacts) -> Outcome:
    """A month is short where people have to search databases."""
    handler = dataset.spec.rights_handler
    return handler is not None and not handler.automated and handler.route is not None


@rule(
    "GDPR-19-notification-route-missing",
    article="19",
    severity=WARN,
    per=FLOW,
    path=".destination.notificationRoute",
    message="how {recipient} is told of rectification, erasure and restriction is not declared",
    fix="declare spec.destination.notificationRoute",
    failing={"destination.notificationRoute": None},
)
def notification_route_missing(flow: Situation) -> Outcome:
    """Each recipient is told of rectification, erasure and restriction, unless that is impossible."""
    destination = flow.spec.destination
    return destination.role != "sameController" and destination.notification_route is None


@rule(
    "GDPR-22-condition-missing",
    article="22(1)",
    per=FLOW,
    when="automated decision",
    path=".automatedDecision.condition",
    message="an automated decision is declared without a condition of Article 22(2)",
    fix="declare automatedDecision.condition: A22-2-a (contract), A22-2-b (law) or A22-2-c (explicit consent)",
    passing=_DECISION,
    failing={"automatedDecision": {"humanReview": "https://acme.example/review"}},
)
def condition_missing(flow: Situation) -> Outcome:
    """Decisions based solely on automated processing are allowed only under Article 22(2)."""
    decision = flow.spec.automated_decision
    return decision is not None and decision.condition is None


@rule(
    "GDPR-22-condition-unknown",
    article="22(2)",
    per=TERM,
    when="decision",
    scope="any",
    message="{term} is not a condition of Article 22(2)",
    fix="{advice}",
    passing=_DECISION,
    failing={**_DECISION, "automatedDecision.condition": "A22-2-d"},
)
def condition_unknown(term: UnknownTerm) -> Outcome:
    """The list of conditions in Article 22(2) is closed."""
    return True


@rule(
    "GDPR-22-human-review-missing",
    article="22(3)",
    per=FLOW,
    when="automated decision",
    path=".automatedDecision.humanReview",
    message="how a person reviews the automated decision is not declared",
    fix="declare automatedDecision.humanReview",
    passing=_DECISION,
    failing={**_DECISION, "automatedDecision.humanReview": None},
)
def human_review_missing(flow: Situation) -> Outcome:
    """Under (a) and (c) the subject can obtain human intervention and contest the decision."""
    decision = flow.spec.automated_decision
    return decision is not None and _code(flow) in ("A22-2-a", "A22-2-c") and decision.human_review is None


@rule(
    "GDPR-22-law-missing",
    article="22(2)(b)",
    per=FLOW,
    when="automated decision",
    path=".automatedDecision",
    message="the automated decision rests on a law, but {missing} not declared",
    fix="declare automatedDecision.law (Union or Member State law) and automatedDecision.safeguards",
    passing=_BY_LAW,
    failing={**_BY_LAW, "automatedDecision.safeguards": None},
)
def law_missing(flow: Situation) -> Outcome:
    """Under (b) Union or Member State law authorises the decision and lays down safeguards."""
    decision = flow.spec.automated_decision
    if decision is None or _code(flow) != "A22-2-b":
        return False
    if decision.law is None or flow.foreign(decision.law):
        return fault(".automatedDecision.law", missing="Union or Member State law is")
    return (
        fault(".automatedDecision.safeguards", missing="its safeguards are") if decision.safeguards is None else False
    )


@rule(
    "GDPR-22-consent-not-explicit",
    article="22(2)(c)",
    per=FLOW,
    when="automated decision",
    path=".automatedDecision.condition",
    repairable=True,
    message="the automated decision rests on explicit consent, but a ConsentPolicy of the flow is not explicit",
    fix="ask for explicit consent, then declare explicit: true on the ConsentPolicy",
    passing=changed(CONSENT, _DECISION),
    failing=changed(CONSENT, _DECISION, {"ConsentPolicy.explicit": False}),
)
def consent_not_explicit(flow: Situation) -> Outcome:
    """Under (c) the subject's consent is explicit."""
    policies = [purpose.policy for purpose in flow.purposes if purpose.policy is not None]
    return _code(flow) == "A22-2-c" and bool(policies) and not any(policy.spec.explicit for policy in policies)


@rule(
    "GDPR-22-special-categories",
    article="22(4)",
    per=FLOW,
    when="automated decision",
    path=".automatedDecision",
    message="the automated decision uses special categories ({categories}) without A9-2-a or A9-2-g",
    fix="drop the fields, or declare explicit consent (A9-2-a) or substantial public interest (A9-2-g)",
    passing=_DECISION,
    failing=changed(HEALTH, _DECISION),
)
def special_categories(flow: Situation) -> Outcome:
    """Automated decisions rest on special categories only under 9(2)(a) or (g), with suitable measures."""
    if not flow.special:
        return False
    known = flow.vocabulary.article9
    for purpose in flow.purposes:
        if purpose.special:
            declared = purpose.basis.article9 if purpose.basis else ()
            if not any(known.get(condition.condition) in ("A9-2-a", "A9-2-g") for condition in declared):
                return fault(categories=", ".join(sorted(concept.term for concept in purpose.special)))
    return False


@rule(
    "GDPR-22-score-undeclared",
    article="22(1)",
    severity=WARN,
    per=FLOW,
    path=".automatedDecision",
    message="a credit score travels to {recipient}, but no automated decision is declared",
    fix="declare spec.automatedDecision if the recipient draws strongly on the score (C-634/21)",
    passing={**_DECISION, "operations[0].request.fields[0].category": "pd:CreditScore"},
    failing={"operations[0].request.fields[0].category": "pd:CreditScore"},
)
def score_undeclared(flow: Situation) -> Outcome:
    """A score on which a third party draws strongly is itself an automated decision (C-634/21)."""
    return flow.spec.automated_decision is None and "pd:CreditScore" in flow.categories


def _code(flow: Situation) -> str | None:
    decision = flow.spec.automated_decision
    return flow.vocabulary.article22.get(decision.condition or "") if decision else None


RULES = (
    handler_missing, right_without_handler, not_automated, notification_route_missing,
    condition_missing, condition_unknown, human_review_missing, law_missing, consent_not_explicit, special_categories,
    score_undeclared,
)  # fmt: skip
