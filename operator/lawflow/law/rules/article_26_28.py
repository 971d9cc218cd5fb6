"""Articles 26 to 28: the role of the recipient and of the source, and the papers that each role needs."""

from lawflow.law.examples import SUB_PROCESSOR, TO_CONTROLLER, changed
from lawflow.law.kinds import FLOW
from lawflow.law.rule import Outcome, fault, rule
from lawflow.law.situation import Situation

_JOINT = {"destination.role": "jointController"}
_DUTIES = "source.processor"


@rule(
    "GDPR-28-3-agreement-missing",
    article="28(3)",
    per=FLOW,
    when="to processor",
    path=".destination.agreement",
    message="{recipient} is a processor, but no agreement under Article 28 is declared",
    fix="conclude one and declare spec.destination.agreement with reference and validUntil",
    failing={"destination.agreement": None},
)
def agreement_missing(flow: Situation) -> Outcome:
    """A processor acts under a contract that binds it to the controller's instructions."""
    return flow.spec.destination.agreement is None


@rule(
    "GDPR-28-3-agreement-expired",
    article="28(3)",
    per=FLOW,
    when="to processor",
    path=".destination.agreement.validUntil",
    message="the agreement under Article 28 with {recipient} has expired",
    fix="renew it and declare the new reference and validUntil",
    failing={"destination.agreement.validUntil": "2026-06-30"},
)
def agreement_expired(flow: Situation) -> Outcome:
    """A contract that has ended binds nobody."""
    agreement = flow.spec.destination.agreement
    return agreement is not None and flow.expired(agreement.valid_until)


@rule(
    "GDPR-26-arrangement-missing",
    article="26(1)",
    per=FLOW,
    when="to jointController",
    path=".destination.agreement",
    message="{recipient} is a joint controller, but no arrangement under Article 26 is declared",
    fix="agree on the responsibilities and declare spec.destination.agreement",
    passing=_JOINT,
    failing={**_JOINT, "destination.agreement": None},
)
def arrangement_missing(flow: Situation) -> Outcome:
    """Joint controllers settle in an arrangement who answers for what."""
    return flow.spec.destination.agreement is None


@rule(
    "GDPR-26-arrangement-expired",
    article="26(1)",
    per=FLOW,
    when="to jointController",
    path=".destination.agreement.validUntil",
    message="the arrangement under Article 26 with {recipient} has expired",
    fix="renew it and declare the new reference and validUntil",
    passing=_JOINT,
    failing={**_JOINT, "destination.agreement.validUntil": "2026-06-30"},
)
def arrangement_expired(flow: Situation) -> Outcome:
    """An arrangement that has ended settles nothing."""
    agreement = flow.spec.destination.agreement
    return agreement is not None and flow.expired(agreement.valid_until)


@rule(
    "GDPR-6-1-recipient-basis-missing",
    article="6(1)",
    per=FLOW,
    when="to controller",
    path=".destination.ownBasis",
    message="{recipient} is a controller of its own, but its own basis is not declared",
    fix="declare spec.destination.ownBasis.article6: the basis on which the recipient processes the data",
    passing=TO_CONTROLLER,
    failing=changed(TO_CONTROLLER, {"destination.ownBasis": None}),
)
def own_basis_missing(flow: Situation) -> Outcome:
    """A recipient that decides on purposes and means needs a basis of its own."""
    own = flow.spec.destination.own_basis
    return own is None or own.article6 is None


@rule(
    "GDPR-28-3-a-instructions-missing",
    article="28(3)(a)",
    per=FLOW,
    when="from processor",
    path=".source.processor",
    message="the source is a processor, but {missing} not declared",
    fix="declare spec.source.processor.controllers and spec.source.processor.instructions",
    passing=SUB_PROCESSOR,
    failing=changed(SUB_PROCESSOR, {f"{_DUTIES}.instructions": None}),
)
def instructions_missing(flow: Situation) -> Outcome:
    """A processor acts only on documented instructions of a controller."""
    duties = flow.spec.source.processor
    if duties is None or not duties.controllers:
        return fault(".source.processor.controllers", missing="on whose behalf it acts is")
    return fault(".source.processor.instructions", missing="its instructions are") if not duties.instructions else False


@rule(
    "GDPR-28-3-a-instructions-expired",
    article="28(3)(a)",
    per=FLOW,
    when="from processor",
    path=".source.processor.instructions.validUntil",
    message="the controller's instructions have expired",
    fix="ask for new instructions and declare them with validUntil",
    passing=SUB_PROCESSOR,
    failing=changed(SUB_PROCESSOR, {f"{_DUTIES}.instructions.validUntil": "2026-06-30"}),
)
def instructions_expired(flow: Situation) -> Outcome:
    """Instructions that have ended cover no processing."""
    duties = flow.spec.source.processor
    return duties is not None and duties.instructions is not None and flow.expired(duties.instructions.valid_until)


@rule(
    "GDPR-28-2-authorisation-missing",
    article="28(2)",
    per=FLOW,
    when="from processor",
    path=".source.processor.subProcessorAuthorisation",
    message="the controller's authorisation to engage {recipient} is not declared",
    fix="declare spec.source.processor.subProcessorAuthorisation with kind and reference",
    passing=SUB_PROCESSOR,
    failing=changed(SUB_PROCESSOR, {f"{_DUTIES}.subProcessorAuthorisation": None}),
)
def authorisation_missing(flow: Situation) -> Outcome:
    """A processor engages another only with the controller's written authorisation."""
    duties = flow.spec.source.processor
    if flow.spec.destination.role != "processor" or duties is None:
        return False
    return duties.sub_processor_authorisation is None


@rule(
    "GDPR-33-2-notification-missing",
    article="33(2)",
    per=FLOW,
    when="from processor",
    path=".source.processor.breachNotification",
    message="how a breach reaches the controller is not declared",
    fix="declare spec.source.processor.breachNotification",
    passing=SUB_PROCESSOR,
    failing=changed(SUB_PROCESSOR, {f"{_DUTIES}.breachNotification": None}),
)
def breach_notification_missing(flow: Situation) -> Outcome:
    """A processor tells the controller of a breach without undue delay."""
    duties = flow.spec.source.processor
    return duties is not None and duties.breach_notification is None


RULES = (
    agreement_missing, agreement_expired, arrangement_missing, arrangement_expired, own_basis_missing,
    instructions_missing, instructions_expired, authorisation_missing, breach_notification_missing,
)  # fmt: skip
