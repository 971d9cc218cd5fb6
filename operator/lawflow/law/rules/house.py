"""Lawflow's own rules: no sentence of the law, on by default, to be turned off by name."""

from lawflow.law.examples import HEALTH, changed
from lawflow.law.kinds import FIELD, FLOW, OPERATION, REFERENCE, SUBTREE, TERM
from lawflow.law.overlap import passes_everything, ties
from lawflow.law.parts import FieldFacts, OperationFacts, UnknownTerm, UnresolvedReference
from lawflow.law.rule import WARN, Outcome, fault, rule
from lawflow.law.situation import Situation
from lawflow.law.vocabulary import NOT_PERSONAL
from lawflow.model.status import Severity

_FIELDS = "operations[0].request.fields"


@rule(
    "HOUSE-reference-unresolved",
    article="house",
    per=REFERENCE,
    scope="any",
    repairable=True,
    message="{kind} {name}{where} was not found",
    fix="apply it, or correct the reference",
    failing={"Dataset": None},
)
def reference_unresolved(reference: UnresolvedReference) -> Outcome:
    """What a basis rests on cannot be established without the object; among files it may merely lie elsewhere."""
    return fault(severity=Severity.INFO) if reference.situation.context.unresolved == "info" else True


@rule(
    "HOUSE-purpose-unknown",
    article="house",
    per=TERM,
    when="purpose",
    scope="any",
    message="{term} is not a known purpose",
    fix="{advice}",
    failing={"purposes[0].purpose": "dpv:PaymentManagment", "Dataset.purposes": ["dpv:PaymentManagment"]},
)
def purpose_unknown(term: UnknownTerm) -> Outcome:
    """What a purpose allows can be judged only if its place among the others is known."""
    return True


@rule(
    "HOUSE-category-unknown",
    article="house",
    per=TERM,
    when="category",
    scope="any",
    message="{term} is not a known category of data",
    fix="{advice}",
    failing={f"{_FIELDS}[0].category": "pd:Identifier1"},
)
def category_unknown(term: UnknownTerm) -> Outcome:
    """An unknown category could be a special one."""
    return True


@rule(
    "HOUSE-subject-category-unknown",
    article="house",
    severity=WARN,
    per=TERM,
    when="subjects",
    scope="any",
    message="{term} is not a known category of data subjects",
    fix="{advice}",
    failing={"subjects.categories": ["dpv:Costumer"]},
)
def subject_category_unknown(term: UnknownTerm) -> Outcome:
    """Rules for employees, children and patients look at the category."""
    return True


@rule(
    "HOUSE-referenced-term-unknown",
    article="house",
    severity=WARN,
    per=TERM,
    when="elsewhere",
    repairable=True,
    message="{term}, in an object that the flow refers to, is not a known term",
    fix="{advice}",
    failing={"Dataset.fields[0].category": "pd:Identifyng"},
)
def referenced_term_unknown(term: UnknownTerm) -> Outcome:
    """Purposes and categories of datasets and consent policies are compared with those of the flow."""
    return True


@rule(
    "HOUSE-purpose-declared-twice",
    article="house",
    per=FLOW,
    path=".purposes",
    message="the purpose {purpose} is declared twice",
    fix="merge the two entries: one purpose has one basis in a flow",
    failing={
        "purposes[1]": {
            "purpose": "dpv:PaymentManagement",
            "lawfulBasis": {
                "article6": "A6-1-c",
                "legalObligation": {"citation": "§ 147 AO", "jurisdiction": "DE"},
            },
        }
    },
)
def purpose_declared_twice(flow: Situation) -> Outcome:
    """The app names the purpose of a call; two entries of one name would leave open which basis counts."""
    seen: set[str] = set()
    for purpose in flow.purposes:
        if purpose.model.purpose in seen:
            return fault(f".purposes[{purpose.index}].purpose", purpose=purpose.model.purpose)
        seen.add(purpose.model.purpose)
    return False


@rule(
    "HOUSE-operation-purpose-undeclared",
    article="house",
    per=OPERATION,
    path=".purposes",
    message="operation {operation} serves {purpose}, which is not a purpose of the flow",
    fix="add the purpose with its basis to spec.purposes, or remove it from the operation",
    failing={"operations[0].purposes": ["dpv:Marketing"]},
)
def operation_purpose_undeclared(operation: OperationFacts) -> Outcome:
    """An operation serves purposes that the flow declares with a basis."""
    if not operation.model.purposes:
        return False
    declared = {purpose.model.purpose for purpose in operation.situation.purposes}
    for position, purpose in enumerate(operation.model.purposes):
        if purpose not in declared:
            return fault(f".purposes[{position}]", purpose=purpose)
    return False


@rule(
    "HOUSE-operations-tie",
    article="house",
    per=FLOW,
    scope="any",
    path=".operations",
    message="the operations {one} and {other} match the same calls, and none is more specific",
    fix="make one path more specific, or give them different methods",
    failing={
        "operations[1]": {"name": "other", "methods": ["POST"], "path": "/{version}/charges"},
        "operations[0].path": "/v1/{kind}",
    },
)
def operations_tie(flow: Situation) -> Outcome:
    """The most specific path wins; where none is, which fields may pass would be a matter of chance."""
    declared = flow.spec.operations
    for one, other in ties(declared):
        return fault(f".operations[{other}].path", one=declared[one].name, other=declared[other].name)
    return False


@rule(
    "HOUSE-pattern-passes-everything",
    article="house",
    per=SUBTREE,
    scope="any",
    path=".pointer",
    message="operation {operation} declares {field}, which lets everything through",
    fix="name the fields that the purpose needs",
    failing={f"{_FIELDS}[1]": {"pointer": "/**", "category": "none"}},
)
def passes_all(field: FieldFacts) -> Outcome:
    """An allow-list that allows everything minimizes nothing (Article 5(1)(c))."""
    return passes_everything(field.label)


@rule(
    "HOUSE-subtree-of-personal-data",
    article="house",
    severity=WARN,
    per=SUBTREE,
    path=".pointer",
    message="{field} of {operation} lets a whole subtree of personal data through",
    fix="name the fields below it that the purpose needs",
    failing={f"{_FIELDS}[0].pointer": "/customer/**"},
)
def personal_subtree(field: FieldFacts) -> Outcome:
    """Whatever is added below it later travels undeclared (Article 5(1)(c))."""
    return field.model.category != NOT_PERSONAL and not passes_everything(field.label)


@rule(
    "HOUSE-necessity-missing",
    article="house",
    severity=WARN,
    per=FIELD,
    path=".necessity",
    message="why {operation} needs {field} ({category}) is not declared",
    fix="declare the field's necessity in a few words, or drop the field",
    failing={f"{_FIELDS}[0].necessity": None},
)
def necessity_missing(field: FieldFacts) -> Outcome:
    """Whoever writes down why a field is needed drops the ones that are not (Article 5(1)(c))."""
    return field.model.necessity is None


@rule(
    "HOUSE-special-category-unencrypted",
    article="house",
    per=FIELD,
    when="sensitive",
    path=".protect",
    message="{field} of {operation} is of a special category ({category}) and not encrypted",
    fix="declare protect: encrypt, so that only the recipient reads it",
    passing=HEALTH,
    failing=changed(HEALTH, {f"{_FIELDS}[0].protect": "pass"}),
)
def special_unencrypted(field: FieldFacts) -> Outcome:
    """Transport encryption ends at the sidecar; data of special categories stay closed up to the recipient."""
    return field.model.protect != "encrypt" and field.concept in field.situation.special


@rule(
    "HOUSE-fields-not-filtered",
    article="house",
    severity=WARN,
    per=FLOW,
    when="opaque",
    path=".destination",
    message="the fields of this flow cannot be seen, so undeclared ones are not dropped",
    fix="declare tls: originate or terminate for an external host, or protocol: http for a Service",
    failing={"destination.external.tls": "passthrough"},
)
def not_filtered(flow: Situation) -> Outcome:
    """With TLS passed through, or a protocol other than HTTP, only the peer is checked."""
    return True


@rule(
    "HOUSE-dataset-missing",
    article="house",
    severity=WARN,
    per=FLOW,
    path=".source.datasetRefs",
    message="no dataset is declared as the source",
    fix="declare spec.source.datasetRefs, so that purposes of collection, retention and rights can be checked",
    failing={"source.datasetRefs": []},
)
def dataset_missing(flow: Situation) -> Outcome:
    """Purpose limitation, retention and rights start where the data live."""
    return not flow.spec.source.dataset_refs


@rule(
    "HOUSE-owner-missing",
    article="house",
    severity=WARN,
    per=FLOW,
    path=".owner",
    message="no owner of the flow is declared",
    fix="declare spec.owner: the team that answers for it (Article 5(2))",
    failing={"owner": None},
)
def owner_missing(flow: Situation) -> Outcome:
    """Accountability needs somebody who answers."""
    return flow.spec.owner is None


@rule(
    "HOUSE-ledger-off",
    article="house",
    per=FLOW,
    path=".ledger.enabled",
    message="transfers are declared not to be recorded",
    fix="remove ledger.enabled: false (Article 5(2))",
    failing={"ledger.enabled": False},
)
def ledger_off(flow: Situation) -> Outcome:
    """Compliance that cannot be shown is not accountability."""
    return not flow.spec.ledger.enabled


@rule(
    "HOUSE-mutual-tls-off",
    article="house",
    per=FLOW,
    path=".security.mutualTls",
    message="mutual TLS is turned off",
    fix="remove security.mutualTls: false (Article 25)",
    failing={"security.mutualTls": False},
)
def mutual_tls_off(flow: Situation) -> Outcome:
    """Without it the receiver does not know who sends, and no flow can be told from another."""
    return not flow.spec.security.mutual_tls


@rule(
    "HOUSE-minimization-off",
    article="house",
    per=FLOW,
    path=".security.minimization",
    message="minimization is turned off",
    fix="remove security.minimization: false (Article 25)",
    failing={"security.minimization": False},
)
def minimization_off(flow: Situation) -> Outcome:
    """By default only data that the purpose needs are processed."""
    return not flow.spec.security.minimization


RULES = (
    reference_unresolved, purpose_unknown, category_unknown, subject_category_unknown, referenced_term_unknown,
    purpose_declared_twice, operation_purpose_undeclared, operations_tie, passes_all,
    personal_subtree, necessity_missing, special_unencrypted, not_filtered, dataset_missing, owner_missing, ledger_off,
    mutual_tls_off, minimization_off,
)  # fmt: skip
