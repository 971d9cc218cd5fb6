"""The two ends of a flow, the role of the recipient, and transfers to third countries (Chapter V)."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field

from lawflow.model.base import (
    CountryCode,
    Document,
    Label,
    Law,
    Model,
    NamespacedReference,
    ObjectName,
    ObjectReference,
    Reference,
    Term,
    Text,
)
from lawflow.model.constraint import Constraint
from lawflow.model.lawful_basis import LawfulBasis

SccModule = Literal["controllerToController", "controllerToProcessor", "processorToProcessor", "processorToController"]
Port = Annotated[int, Field(ge=1, le=65535)]


class SubProcessorAuthorisation(Model):
    """Article 28(2): the controller's authorisation to engage another processor."""

    kind: Literal["specific", "general"] = Field(description="Specific or general written authorisation.")
    reference: Reference


class ProcessorDuties(Model):
    """What a source that is itself a processor has to show (Articles 28 and 33(2))."""

    controllers: Annotated[tuple[ObjectReference, ...], Field(max_length=64)] = Field(
        (), description="DataControllers on whose behalf the data are processed."
    )
    instructions: Document | None = Field(None, description="The controller's documented instructions (28(3)(a)).")
    sub_processor_authorisation: SubProcessorAuthorisation | None = Field(
        None, description="Authorisation for the destination as a further processor (28(2))."
    )
    breach_notification: Reference | None = Field(
        None, description="How a breach reaches the controller without undue delay (33(2))."
    )


class Source(Model):
    """Where the data come from: a service account, which is the identity of all workloads that run as it."""

    service_account_name: ObjectName = Field(description="Service account of the sending workloads.")
    dataset_refs: Annotated[tuple[NamespacedReference, ...], Field(max_length=64)] = Field(
        (), description="Datasets that the data come from."
    )
    role: Literal["controller", "jointController", "processor"] = Field(
        "controller", description="Role of the sender for these data."
    )
    processor: ProcessorDuties | None = Field(None, description="What a sending processor has to show.")


class ServiceDestination(Model):
    """A Service in a cluster."""

    namespace: Label | None = Field(None, description="Namespace of the Service; the flow's by default.")
    name: Label = Field(description="Name of the Service.")
    port: Port = Field(description="Port of the Service.")
    service_account_name: ObjectName | None = Field(
        None,
        alias="serviceAccountName",
        description="Service account of the receiving workloads; the Service's name by default.",
    )
    protocol: Literal["http", "tcp"] = Field(
        "http", description="http, or tcp where fields cannot be filtered (databases, queues)."
    )


HTTP_PORT = 80
HTTPS_PORT = 443


class Token(Model):
    """A JWT-SVID of five minutes that names source and purpose, for nobody but its owner to use (RFC 9449)."""

    audience: str | None = Field(
        None,
        min_length=1,
        max_length=512,
        description="Whom the token is for, as the peer expects it in aud; https://HOST[:PORT] by default.",
    )


class ExternalDestination(Model):
    """A peer outside the cluster."""

    host: str = Field(
        min_length=1,
        max_length=253,
        pattern=r"^[A-Za-z0-9_]([-A-Za-z0-9_.]*[A-Za-z0-9.])?$",
        description="DNS name of the peer, without scheme and port.",
    )
    port: Port = Field(443, description="Port of the peer.")
    organisation: Text = Field(description="Who receives the data.")
    country: CountryCode | None = Field(None, description="Country of the recipient, ISO 3166-1 alpha-2.")
    international_organisation: str | None = Field(
        None,
        max_length=64,
        description="Short name of a recipient that is an international organisation, e.g. EPO.",
    )
    tls: Literal["originate", "terminate", "passthrough"] = Field(
        "originate",
        description="originate: the app speaks http to its sidecar; terminate: the app trusts a Lawflow CA; "
        "passthrough: only the name is checked and fields cannot be filtered.",
    )

    token: Token | None = Field(
        None,
        description="Show the peer who calls and what for: a token in the header authorization and a proof in the "
        "header dpop, in the place of what the app sends there.",
    )

    constraints = (
        Constraint(
            message="no token can be added to TLS of the app's own",
            fix="set tls to originate or terminate, or leave token out",
            holds=lambda self: self.token is None or self.tls != "passthrough",
            cel="!has(self.token) || self.tls != 'passthrough'",
            field=".token",
        ),
    )

    @property
    def token_audience(self) -> str:
        """Whom the source shows a token to; "" where it shows none."""
        if self.token is None:
            return ""
        authority = self.host.lower().rstrip(".")
        return self.token.audience or f"https://{authority}" + ("" if self.port == HTTPS_PORT else f":{self.port}")

    @property
    def called_port(self) -> int:
        """Where the app calls: the peer's port, but 80 where its sidecar turns plain HTTP into HTTPS on 443."""
        return HTTP_PORT if self.tls == "originate" and self.port == HTTPS_PORT else self.port


class Destination(Model):
    """Who receives the data, in which role, and on which paper."""

    service: ServiceDestination | None = Field(None, description="A Service in the cluster.")
    external: ExternalDestination | None = Field(None, description="A peer outside the cluster.")
    role: Literal["sameController", "processor", "controller", "jointController"] = Field(
        description="sameController needs no paper, processor an agreement under Article 28, jointController an "
        "arrangement under Article 26, controller a basis of its own.",
    )
    agreement: Document | None = Field(None, description="The Article 28 agreement or the Article 26 arrangement.")
    own_basis: LawfulBasis | None = Field(
        None, description="The recipient's own basis, where it is a controller in its own right."
    )
    notification_route: Reference | None = Field(
        None, description="Where the recipient is told of rectification, erasure and restriction (Article 19)."
    )

    constraints = (
        Constraint(
            message="exactly one of service and external must be set",
            fix="name a Service of the cluster or an external host",
            holds=lambda self: (self.service is None) != (self.external is None),
            cel="has(self.service) != has(self.external)",
        ),
    )


class TransferImpactAssessment(Model):
    """The assessment of the third country's law that every tool of Article 46 needs (C-311/18)."""

    reference: Reference
    date: dt.date = Field(description="Day of the assessment (YYYY-MM-DD).")
    valid_until: dt.date | None = Field(None, description="Last day on which it counts.")
    outcome: Literal["adequate", "adequateWithMeasures", "notAdequate"] = Field(
        "adequate", description="Whether protection is essentially equivalent."
    )


class Adequacy(Model):
    """What an adequacy decision asks of the recipient (Article 45)."""

    certification: str | None = Field(
        None, max_length=256, description="Certification id, e.g. under the EU-US Data Privacy Framework."
    )
    certification_valid_until: dt.date | None = Field(None, description="Last day of the certification.")
    sector: Literal["commercial", "public", "other"] = Field(
        "commercial", description="Kind of recipient; some decisions cover commercial organisations only."
    )
    covers_human_resources_data: bool = Field(
        False, description="Whether the certification covers human-resources data."
    )


class Derogation(Model):
    """Article 49: what a transfer without adequacy and without safeguards rests on."""

    evidence: Text | None = Field(None, description="What shows that the derogation applies.")
    risks_explained: bool = Field(False, description="49(1)(a): the subject was told of the risks before consenting.")
    consent_policy_ref: NamespacedReference | None = Field(None, description="49(1)(a): the explicit consent.")
    law: Law | None = Field(None, description="49(1)(d), (g): the law behind it.")
    repetitive: bool = Field(False, description="Whether such transfers recur.")
    public_powers: bool = Field(False, description="A public authority exercising its public powers (49(3)).")
    authority_informed: bool = Field(False, description="49(1) second subparagraph: the authority was told.")


class OnwardTransfer(Model):
    """A further transfer by the recipient (Article 44)."""

    organisation: Text = Field(description="Who receives the data next.")
    country: CountryCode | None = Field(None, description="Its country.")
    tool: Term | None = Field(None, description="What the onward transfer rests on, e.g. A46-2-c.")
    reference: Reference | None = None


class Transfer(Model):
    """What a transfer to a third country or an international organisation rests on (Articles 44 to 49)."""

    tool: Term = Field(
        description="A45-3 (adequacy), A46-2-a to A46-2-f, A46-3-a, A46-3-b (safeguards), A49-1-a to A49-1-g or A49-2 "
        "(derogations), with or without the prefix eu-gdpr:.",
    )
    country: CountryCode | None = Field(None, description="Country of the transfer; the destination's by default.")
    reference: Reference | None = Field(None, description="The clauses, rules, code or decision relied on.")
    valid_until: dt.date | None = Field(None, description="Last day on which the tool is in force.")
    scc_module: (
        Literal["controllerToController", "controllerToProcessor", "processorToProcessor", "processorToController"]
        | None
    ) = Field(None, description="Module of the standard contractual clauses (A46-2-c).")
    adequacy: Adequacy | None = Field(None, description="Details for A45-3.")
    impact_assessment: TransferImpactAssessment | None = Field(None, description="Needed with every A46 tool.")
    derogation: Derogation | None = Field(None, description="Details for A49.")
    onward: Annotated[tuple[OnwardTransfer, ...], Field(max_length=32)] = Field((), description="Onward transfers.")
