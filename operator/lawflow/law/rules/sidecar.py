"""Lawflow's own rules about what sidecars can apply: a flow that they cannot read lets nothing through."""

from lawflow.law import messages, pointers
from lawflow.law.kinds import FLOW, OPERATION
from lawflow.law.parts import OperationFacts
from lawflow.law.rule import WARN, Outcome, fault, rule
from lawflow.law.situation import Situation
from lawflow.model.operation import Operation

_FIELDS = "operations[0].request.fields"


@rule(
    "HOUSE-stream-encrypts-for-unknown-subject",
    article="house",
    per=OPERATION,
    scope="any",
    path=".stream",
    message="operation {operation} streams, and encrypts for a data subject whom the body may name last",
    fix="remove stream: true, or let the path, a header or the query name the subject",
    failing={
        "operations[0].stream": True,
        "operations[0].subject": {"in": "body", "name": "/customer/id"},
        f"{_FIELDS}[0].protect": "encrypt",
    },
)
def stream_encrypts(operation: OperationFacts) -> Outcome:
    """Each subject has a key of its own, and what has been passed on cannot be encrypted afterwards."""
    model = operation.model
    if not model.stream or not model.subject or model.subject.location != "body" or not model.request:
        return False
    return any(field.protect == "encrypt" for field in model.request.fields)


@rule(
    "HOUSE-pointer-unreadable",
    article="house",
    per=OPERATION,
    scope="any",
    message="the pointer {pointer} of {operation} {reason}",
    fix="end it with /**, or write ~0 for ~, ~1 for / and ~2 for *",
    failing={f"{_FIELDS}[1]": {"pointer": "/items/**/sku", "category": "none"}},
)
def pointer_unreadable(operation: OperationFacts) -> Outcome:
    """What passes must be told from what does not without a doubt."""
    for use in pointers.uses(operation.model):
        if reason := pointers.unreadable(use):
            return fault(use.path, pointer=use.pointer, reason=reason)
    return False


@rule(
    "HOUSE-subtree-changed",
    article="house",
    per=OPERATION,
    scope="any",
    message="the pointer {pointer} of {operation} names a subtree, which can be neither changed nor anybody's name",
    fix="name the fields below it, each with its protection",
    failing={f"{_FIELDS}[1]": {"pointer": "/notes/**", "category": "none", "protect": "mask"}},
)
def subtree_changed(operation: OperationFacts) -> Outcome:
    """Single values are changed; a subtree passes as it is."""
    for use in pointers.uses(operation.model):
        if pointers.watches_subtree(use):
            return fault(use.path, pointer=use.pointer)
    return False


@rule(
    "HOUSE-message-undescribed",
    article="house",
    per=OPERATION,
    scope="any",
    message="{what} of {operation} {reason}",
    fix="declare spec.descriptorSets as `protoc --include_imports --descriptor_set_out` writes them, and point to "
    "fields of the message",
    failing={"operations[0].request.message": {"descriptorSet": "orders", "name": "shop.v1.Order"}},
)
def message_undescribed(operation: OperationFacts) -> Outcome:
    """Fields of protocol buffers have numbers and no names on the wire: only a description tells what they are."""
    model = operation.model
    sets = {each.name: each.data for each in operation.situation.spec.descriptor_sets}
    for direction in ("request", "response"):
        message = _message_of(model, direction)
        if message is None:
            continue
        name, full_name = message
        where = f".{direction}.message"
        what = f"the descriptor set {name}"
        if name not in sets:
            return fault(where, what=what, reason="is not declared")
        found = messages.described(sets[name])
        if isinstance(found, str):
            return fault(where, what=what, reason=found)
        concerned = [use for use in pointers.uses(model) if use.direction == direction]
        # Told by the rules above.
        if any(pointers.unreadable(use) or pointers.watches_subtree(use) for use in concerned):
            continue
        path, reason = messages.misfit(found, full_name, concerned)
        if path:
            pointer = next(use.pointer for use in concerned if use.path == path)
            return fault(path, what=f"the pointer {pointer}", reason=reason)
        if reason:
            return fault(where, what="a message", reason=f"cannot be told: {reason}")
    return False


@rule(
    "HOUSE-tls-terminated",
    article="house",
    severity=WARN,
    per=FLOW,
    scope="any",
    path=".destination.external.tls",
    message="the sidecar ends the app's TLS, which the app refuses unless it trusts an authority of Lawflow's",
    fix="set egress.terminate in the chart and have the app trust the ConfigMap lawflow-app-roots, or declare "
    "tls: originate",
    failing={"destination.external.tls": "terminate"},
)
def tls_terminated(flow: Situation) -> Outcome:
    """An authority that vouches for somebody else's name should be the last resort, and needs the app's consent."""
    external = flow.spec.destination.external
    return external is not None and external.tls == "terminate"


def _message_of(operation: Operation, direction: str) -> tuple[str, str] | None:
    payload = operation.request if direction == "request" else operation.response
    if payload is None or payload.message is None:
        return None
    return payload.message.descriptor_set, payload.message.name


RULES = (stream_encrypts, pointer_unreadable, subtree_changed, message_undescribed, tls_terminated)
