"""Article 30: what the record of processing cannot be written without."""

from lawflow.law.examples import SUB_PROCESSOR, changed
from lawflow.law.kinds import FLOW
from lawflow.law.rule import WARN, Outcome, fault, rule
from lawflow.law.situation import Situation


@rule(
    "GDPR-30-1-a-controller-missing",
    article="30(1)(a)",
    per=FLOW,
    path=".controllerRef",
    message="who answers for the processing is not declared",
    fix="declare spec.controllerRef.name: a DataController with the name and contact that the record needs",
    failing={"controllerRef": None},
)
def controller_missing(flow: Situation) -> Outcome:
    """The record names the controller (30(1)(a)), or the processor and its controllers (30(2)(a))."""
    return flow.spec.controller_ref is None


@rule(
    "GDPR-30-1-a-contact-missing",
    article="30(1)(a)",
    per=FLOW,
    path=".controllerRef",
    repairable=True,
    message="DataController {controller} declares no contact details",
    fix="declare spec.contact with an address, e-mail or telephone on the DataController",
    failing={"DataController.contact": None},
)
def contact_missing(flow: Situation) -> Outcome:
    """The record names contact details of the controller and of every joint controller."""
    own = flow.resolved.controller
    found = [own] if own else []
    joint = own.spec.joint_controllers if own else ()
    if joint:
        objects = flow.context.objects
        found += [other for reference in joint if (other := objects.controller(reference.name))]
    for controller in found:
        contact = controller.spec.contact
        if contact is None or not (contact.address or contact.email or contact.telephone):
            return fault(controller=controller.metadata.name)
    return False


@rule(
    "GDPR-30-2-a-controller-contact-missing",
    article="30(2)(a)",
    per=FLOW,
    when="from processor",
    path=".source.processor.controllers",
    repairable=True,
    message="DataController {controller}, on whose behalf the source acts, declares no contact details",
    fix="declare spec.contact with an address, e-mail or telephone on the DataController",
    passing=SUB_PROCESSOR,
    failing=changed(SUB_PROCESSOR, {"DataController.contact": None}),
)
def processor_controller_contact_missing(flow: Situation) -> Outcome:
    """A processor's record names each controller on behalf of which it acts."""
    duties = flow.spec.source.processor
    for reference in duties.controllers if duties else ():
        controller = flow.context.objects.controller(reference.name)
        if controller is not None and controller.spec.contact is None:
            return fault(controller=reference.name)
    return False


@rule(
    "GDPR-30-1-a-joint-controller-missing",
    article="30(1)(a)",
    per=FLOW,
    when="from jointController",
    path=".controllerRef",
    repairable=True,
    message="the source is a joint controller, but the DataController names no other",
    fix="declare spec.jointControllers on the DataController",
    passing={"source.role": "jointController", "DataController.jointControllers": [{"name": "acme"}]},
    failing={"source.role": "jointController"},
)
def joint_controller_missing(flow: Situation) -> Outcome:
    """The record names the joint controllers."""
    return flow.controller is not None and not flow.controller.joint_controllers


@rule(
    "GDPR-30-1-a-officer-missing",
    article="30(1)(a)",
    per=FLOW,
    path=".controllerRef",
    repairable=True,
    message="the DataController is declared to need a data protection officer, but none is declared",
    fix="declare spec.dataProtectionOfficer on the DataController",
    failing={"DataController.dataProtectionOfficerRequired": True, "DataController.dataProtectionOfficer": None},
)
def officer_missing(flow: Situation) -> Outcome:
    """The record names the data protection officer where Article 37 asks for one."""
    controller = flow.controller
    return (
        controller is not None
        and controller.data_protection_officer_required is True
        and controller.data_protection_officer is None
    )


@rule(
    "GDPR-30-1-a-representative-missing",
    article="30(1)(a)",
    severity=WARN,
    per=FLOW,
    path=".controllerRef",
    repairable=True,
    message="the DataController is established outside the Union, but no representative is declared",
    fix="declare spec.representative on the DataController, unless Article 27(2) exempts it",
    passing={
        "DataController.establishment": "JP",
        "DataController.representative": {"name": "Acme Europe GmbH", "email": "eu@acme.example"},
    },
    failing={"DataController.establishment": "JP"},
)
def representative_missing(flow: Situation) -> Outcome:
    """A controller outside the Union designates a representative (27(1)), whom the record names."""
    controller = flow.controller
    if controller is None or controller.establishment is None or controller.representative is not None:
        return False
    return flow.legal.third_country(controller.establishment)


@rule(
    "GDPR-30-1-c-subjects-missing",
    article="30(1)(c)",
    per=FLOW,
    path=".subjects.categories",
    message="the categories of data subjects are not declared",
    fix="declare spec.subjects.categories, e.g. dpv:Customer",
    failing={"subjects.categories": []},
)
def subjects_missing(flow: Situation) -> Outcome:
    """The record describes the categories of data subjects."""
    return not flow.spec.subjects.categories


@rule(
    "GDPR-30-1-c-data-missing",
    article="30(1)(c)",
    per=FLOW,
    path=".operations",
    message="no category of personal data is declared",
    fix="declare the fields of each operation with their categories, or say under spec.outOfScope why none is personal",
    failing={"operations[0].request.fields": [{"pointer": "/amount", "category": "none"}]},
)
def data_missing(flow: Situation) -> Outcome:
    """The record describes the categories of personal data; a subject named in path or header is personal data too."""
    if flow.fields or flow.categories or (flow.opaque and flow.datasets_missing):
        return False
    return not any(
        operation.model.subject and operation.model.subject.location != "none" for operation in flow.operations
    )


@rule(
    "GDPR-30-1-g-measures-missing",
    article="30(1)(g)",
    severity=WARN,
    per=FLOW,
    path=".controllerRef",
    repairable=True,
    message="the DataController declares no description of its security measures",
    fix="declare spec.securityMeasures on the DataController",
    failing={"DataController.securityMeasures": None},
)
def measures_missing(flow: Situation) -> Outcome:
    """Where possible the record describes the technical and organisational measures."""
    return flow.controller is not None and flow.controller.security_measures is None


RULES = (
    controller_missing, contact_missing, joint_controller_missing, processor_controller_contact_missing,
    officer_missing, representative_missing, subjects_missing, data_missing, measures_missing,
)  # fmt: skip
