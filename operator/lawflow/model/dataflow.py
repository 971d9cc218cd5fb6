"""DataFlow: one flow of personal data between two machines, with its purposes, bases, fields and papers."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field

from lawflow.model.base import (
    Countries,
    CustomResource,
    Duration,
    Label,
    Law,
    Model,
    ObjectReference,
    Reference,
    Term,
    Terms,
    Text,
)
from lawflow.model.constraint import Constraint
from lawflow.model.lawful_basis import LawfulBasis, Safeguards
from lawflow.model.operation import Operation
from lawflow.model.peer import Destination, Source, Transfer
from lawflow.model.status import DataFlowStatus


class OutOfScope(Model):
    """Why the GDPR does not apply to the data of this flow."""

    reason: Literal["anonymous", "legalPersons", "deceased", "household"] = Field(
        description="anonymous data, data of legal persons or the deceased, or purely household activity (2(2)(c))."
    )
    explanation: Text = Field(description="Why that is so.")


class Subjects(Model):
    """Whose data flow."""

    categories: Terms = Field((), description="Categories of data subjects, e.g. dpv:Customer.")
    children: bool = Field(False, description="Whether children are among them.")
    minimum_age: int | None = Field(None, ge=0, le=18, description="Youngest age, where children are among them.")
    countries: Countries = Field((), description="Countries where the subjects are; their laws apply.")
    scale: Literal["small", "medium", "large"] = Field("medium", description="How many subjects (Recital 91).")


class CompatibilityTest(Model):
    """Article 6(4): why a further purpose is compatible with the one of collection."""

    outcome: Literal["compatible", "incompatible"] = Field(description="Outcome of the test.")
    reference: Reference
    date: dt.date | None = Field(None, description="Day of the test (YYYY-MM-DD).")
    purpose: Term | None = Field(None, description="The purpose it covers; this one by default.")


class FurtherProcessing(Model):
    """What lets data be used for a purpose other than the one they were collected for (Articles 5(1)(b), 6(4))."""

    compatibility_test: CompatibilityTest | None = Field(None, description="The compatibility test.")
    new_consent: bool = Field(False, description="The purpose rests on a consent of its own (basis A6-1-a).")
    law: Law | None = Field(None, description="A law under Article 6(4).")
    research: Safeguards | None = Field(
        None, description="Archiving, research or statistics with safeguards under Article 89(1)."
    )


class Purpose(Model):
    """One purpose, with a basis of its own."""

    purpose: Term = Field(description="Purpose as a DPV term, e.g. dpv:PaymentManagement.")
    description: Text | None = Field(None, description="The purpose in words.")
    lawful_basis: LawfulBasis | None = Field(None, description="The basis for this purpose (Article 6).")
    further_processing: FurtherProcessing | None = Field(
        None, description="Needed where the source datasets were collected for other purposes."
    )


class Retention(Model):
    """How long the recipient keeps the data: a period, or the criteria that determine it (Article 5(1)(e))."""

    period: Duration | None = None
    criteria: Text | None = Field(None, description="Criteria where no period can be given.")
    law: Law | None = Field(None, description="The law that orders the period.")
    justification: Text | None = Field(
        None, description="Purpose and basis for keeping data longer than their source does."
    )


class Security(Model):
    """Measures under Article 32, and whether Lawflow's own protections are on (Article 25)."""

    minimum_tls_version: Literal["none", "1.0", "1.1", "1.2", "1.3"] = Field(
        "1.3", description="TLS floor of the path; none is plaintext."
    )
    encryption_at_rest: bool | None = Field(None, description="Whether the recipient stores the data encrypted.")
    last_tested: dt.date | None = Field(None, description="Day of the last test of the measures (32(1)(d)).")
    mutual_tls: bool = Field(True, description="Mutual TLS between the sidecars.")
    minimization: bool = Field(True, description="Drop fields that are not declared.")


class Notice(Model):
    """The information given to data subjects (Articles 13 and 14)."""

    reference: Reference
    version: str | None = Field(None, max_length=64, description="Version of the notice.")


class AutomatedDecision(Model):
    """A decision based solely on automated processing with legal or similar effect (Article 22)."""

    condition: Term | None = Field(None, description="A22-2-a, A22-2-b or A22-2-c.")
    score_drawn_on_strongly: bool = Field(
        False, description="The flow carries a score on which the recipient draws strongly (C-634/21)."
    )
    human_review: Reference | None = Field(None, description="How a person reviews the decision, for (a) and (c).")
    law: Law | None = Field(None, description="The law that authorises it, for (b).")
    safeguards: Text | None = Field(None, description="That law's safeguards, for (b).")


class ImpactAssessment(Model):
    """The data protection impact assessment (Articles 35 and 36)."""

    reference: Reference | None = None
    date: dt.date | None = Field(None, description="Day of the assessment (YYYY-MM-DD).")
    residual_risk: Literal["low", "medium", "high"] | None = Field(None, description="Risk that remains.")
    prior_consultation: Reference | None = Field(None, description="Consultation of the authority (Article 36).")
    exemption: Text | None = Field(
        None, description="Why none is needed: 35(10), a national list under 35(5), or an earlier assessment."
    )


class Risk(Model):
    """Facts that make a DPIA necessary (Article 35(3)) or advisable (WP248 rev.01)."""

    systematic_evaluation: bool = Field(
        False, description="Systematic and extensive automated evaluation with legal or similar effect (35(3)(a))."
    )
    public_monitoring: bool = Field(
        False, description="Systematic monitoring of a publicly accessible area on a large scale (35(3)(c))."
    )
    profiling: bool = Field(False, description="Evaluation or scoring.")
    matching: bool = Field(False, description="Matching or combining datasets.")
    vulnerable_subjects: bool = Field(False, description="Vulnerable data subjects, e.g. patients or employees.")
    innovative_technology: bool = Field(False, description="Innovative technological or organisational solutions.")
    prevents_right: bool = Field(False, description="Keeps subjects from a right, a service or a contract.")
    systematic_monitoring: bool = Field(False, description="Systematic monitoring.")
    employment_monitoring: bool = Field(False, description="An employer monitors its staff.")
    national_list: Text | None = Field(None, description="Entry of a national list under 35(4) that asks for a DPIA.")


class Ledger(Model):
    """The record of transfers (Article 5(2))."""

    enabled: bool = Field(True, description="Whether each transfer is recorded.")
    durability: Literal["standard", "strict"] = Field(
        "standard", description="strict refuses traffic beyond 200 ms or 256 unshipped records."
    )


class DescriptorSet(Model):
    """Descriptions of protocol buffers, by which their fields are told."""

    name: Label = Field(description="Name that operations refer to.")
    data: str = Field(
        max_length=524_288,
        pattern=r"^[A-Za-z0-9+/]*={0,2}$",
        description="A google.protobuf.FileDescriptorSet with all imports in Base64, as `protoc --include_imports "
        "--descriptor_set_out` or `buf build --as-file-descriptor-set` write it.",
    )


class DataFlowSpec(Model):
    """What the flow is, why it is lawful, and what may pass."""

    description: Text | None = Field(None, description="The flow in one sentence.")
    owner: str | None = Field(None, max_length=256, description="Team that answers for the flow (Article 5(2)).")
    controller_ref: ObjectReference | None = Field(
        None, description="DataController that answers for the processing (Articles 4(7) and 30)."
    )
    out_of_scope: OutOfScope | None = Field(None, description="Why the GDPR does not apply, where it does not.")
    source: Source = Field(description="Where the data come from.")
    destination: Destination = Field(description="Who receives them.")
    subjects: Subjects = Field(Subjects(), description="Whose data they are.")
    purposes: Annotated[tuple[Purpose, ...], Field(max_length=16)] = Field((), description="What the data are for.")
    operations: Annotated[tuple[Operation, ...], Field(max_length=64)] = Field(
        (), description="The calls that may be made, and their fields; nothing else passes."
    )
    descriptor_sets: Annotated[tuple[DescriptorSet, ...], Field(max_length=8)] = Field(
        (), description="Descriptions of the protocol buffers that operations carry."
    )
    retention: Retention | None = Field(None, description="How long the recipient keeps the data.")
    transfers: Annotated[tuple[Transfer, ...], Field(max_length=16)] = Field(
        (), description="What transfers to third countries or international organisations rest on (Chapter V)."
    )
    security: Security = Field(Security(), description="Measures under Articles 25 and 32.")
    notice: Notice | None = Field(None, description="The information given to subjects (Articles 13 and 14).")
    automated_decision: AutomatedDecision | None = Field(None, description="Automated decisions (Article 22).")
    impact_assessment: ImpactAssessment | None = Field(None, description="The DPIA (Article 35).")
    risk: Risk = Field(Risk(), description="Facts that decide whether a DPIA is needed.")
    ledger: Ledger = Field(Ledger(), description="The record of transfers.")

    constraints = (
        Constraint(
            message="two operations have the same name",
            fix="give each operation a name of its own",
            holds=lambda self: len({operation.name for operation in self.operations}) == len(self.operations),
            cel="!has(self.operations) || "
            "self.operations.all(one, self.operations.exists_one(other, other.name == one.name))",
            field=".operations",
        ),
    )


class DataFlow(CustomResource):
    """A declared flow of personal data from one machine to another."""

    kind: Literal["DataFlow"] = "DataFlow"
    spec: DataFlowSpec
    status: DataFlowStatus | None = None
