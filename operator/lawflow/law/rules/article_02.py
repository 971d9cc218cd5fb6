"""Article 2: flows that are declared to lie outside the GDPR, and what speaks against it."""

from lawflow.law.kinds import FIELD, FLOW
from lawflow.law.parts import FieldFacts
from lawflow.law.rule import WARN, Outcome, rule
from lawflow.law.situation import Situation

_ANONYMOUS = {
    "outOfScope": {"reason": "anonymous", "explanation": "counts per day, no smaller than 100"},
    "purposes": [],
    "subjects": None,
    "operations[0].request.fields": [{"pointer": "/count", "category": "none"}],
}


@rule(
    "GDPR-2-out-of-scope-contradicted",
    article="2(1)",
    severity=WARN,
    per=FIELD,
    scope="out",
    path=".category",
    message="{field} of {operation} is {category}, which contradicts outOfScope",
    fix="declare the category none if the field is not personal; else remove outOfScope and declare purposes and bases",
    passing=_ANONYMOUS,
    failing={**_ANONYMOUS, "operations[0].request.fields[0].category": "pd:EmailAddress"},
)
def personal_field(field: FieldFacts) -> Outcome:
    """A category of personal data contradicts anonymous data and data of legal persons."""
    reason = field.situation.spec.out_of_scope
    return reason is not None and reason.reason in ("anonymous", "legalPersons")


@rule(
    "GDPR-2-out-of-scope-pseudonymous",
    article="4(5)",
    severity=WARN,
    per=FIELD,
    scope="out",
    path=".protect",
    message="{field} of {operation} is pseudonymized, which contradicts outOfScope",
    fix="remove outOfScope: pseudonymous data are personal data (Recital 26)",
    passing=_ANONYMOUS,
    failing={
        **_ANONYMOUS,
        "operations[0].request.fields[0]": {"pointer": "/id", "category": "pd:UID", "protect": "pseudonymize"},
    },
)
def pseudonymous_field(field: FieldFacts) -> Outcome:
    """What can be attributed to a person with additional information is personal data, however it looks."""
    return field.model.protect == "pseudonymize"


@rule(
    "GDPR-2-out-of-scope-with-subjects",
    article="2(1)",
    severity=WARN,
    per=FLOW,
    scope="out",
    path=".subjects.categories",
    message="data subjects are declared, which contradicts outOfScope ({reason})",
    fix="remove outOfScope, or the categories of subjects",
    passing=_ANONYMOUS,
    failing={**_ANONYMOUS, "subjects": {"categories": ["dpv:Customer"]}},
)
def subjects_declared(flow: Situation) -> Outcome:
    """Anonymous data and data of legal persons have no data subjects."""
    reason = flow.spec.out_of_scope
    return reason is not None and reason.reason in ("anonymous", "legalPersons") and bool(flow.spec.subjects.categories)


@rule(
    "GDPR-2-out-of-scope-with-basis",
    article="2(1)",
    severity=WARN,
    per=FLOW,
    scope="out",
    path=".outOfScope",
    message="a lawful basis is declared, which contradicts outOfScope ({reason})",
    fix="remove outOfScope, or the bases",
    passing=_ANONYMOUS,
    failing={"outOfScope": {"reason": "deceased", "explanation": "archive of 1890"}},
)
def basis_declared(flow: Situation) -> Outcome:
    """Data outside the GDPR need no basis; whoever declares one seems to think that they are inside."""
    return any(purpose.basis is not None for purpose in flow.purposes)


@rule(
    "GDPR-2-household-recipient",
    article="2(2)(c)",
    severity=WARN,
    per=FLOW,
    scope="out",
    path=".destination.role",
    message="the recipient {recipient} contradicts a purely household activity",
    fix="remove outOfScope: what is handed to others is no longer purely household activity (Recital 18)",
    passing={
        **_ANONYMOUS,
        "outOfScope": {"reason": "household", "explanation": "my address book"},
        "destination.role": "sameController",
    },
    failing={**_ANONYMOUS, "outOfScope": {"reason": "household", "explanation": "my address book"}},
)
def household_recipient(flow: Situation) -> Outcome:
    """The exemption is for natural persons who keep the data to themselves."""
    reason = flow.spec.out_of_scope
    return reason is not None and reason.reason == "household" and flow.spec.destination.role != "sameController"


RULES = (personal_field, pseudonymous_field, subjects_declared, basis_declared, household_recipient)
