"""What status says: conditions, findings and the workloads that a flow covers."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from lawflow.model.base import Model


class Severity(StrEnum):
    """How a finding weighs: ``deny`` closes the flow, ``warn`` and ``info`` only tell."""

    DENY = "deny"
    WARN = "warn"
    INFO = "info"


class Finding(Model):
    """One rule that an object does not meet, where, and what to do about it."""

    rule: str = Field(description="Stable id of the rule, e.g. GDPR-6-1-f-balancing-expired; see `lawflow explain`.")
    article: str = Field(description="Article of the GDPR, e.g. 6(1)(f), or 'house' for a rule of Lawflow's own.")
    severity: Severity = Field(description="deny, warn or info.")
    path: str = Field(description="Field at fault, e.g. .spec.purposes[0].lawfulBasis.")
    message: str = Field(description="What was not declared, contradicts or has expired.")
    fix: str = Field(description="What to do.")


class Condition(Model):
    """One observation of the object's state, in the form of metav1.Condition."""

    type: str = Field(max_length=64, description="Name of the condition, e.g. Lawful.")
    status: Literal["True", "False", "Unknown"] = Field(description="True, False or Unknown.")
    reason: str = Field(max_length=128, description="One word in CamelCase that a program can test.")
    message: str = Field("", max_length=4096, description="The same for people.")
    observed_generation: int = Field(0, description="Generation of the object that the condition speaks of.")
    last_transition_time: str = Field(
        description="When the status last changed (RFC 3339).", json_schema_extra={"format": "date-time"}
    )


class Workload(Model):
    """A workload whose service account or annotation makes it a peer of the flow."""

    kind: str = Field(description="Kind of the workload.")
    name: str = Field(description="Name of the workload.")
    side: Literal["source", "destination"] = Field(description="Which end of the flow it is.")
    enforced: bool = Field(description="Whether the flow is in force there.")
    reason: str = Field("", description="Why it is not in force.")
    sidecars: Annotated[tuple[str, ...], Field(max_length=8)] = Field(
        (),
        description="What its pods' sidecars say of themselves: the version of their module, and of the schema of "
        "policies that they read, e.g. 0.1.0/1. More than one during an upgrade.",
    )


Conditions = Annotated[
    tuple[Condition, ...],
    Field(
        max_length=16,
        description="Ready, Lawful, CredentialsReady and Enforced; Reconciling and Stalled in kstatus form.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    ),
]


class Status(Model):
    """What every kind reports: the generation it speaks of, conditions and findings."""

    observed_generation: int = Field(0, description="Generation of the object that this status speaks of.")
    conditions: Conditions = ()
    findings: Annotated[tuple[Finding, ...], Field(max_length=100)] = Field(
        (), description="Rules that the object does not meet, the weightiest first."
    )


class DataFlowStatus(Status):
    """What a DataFlow reports; dashboards read this."""

    basis: str = Field("", description="The bases of all purposes, joined, e.g. A6-1-b,A6-1-f.")
    peers: str = Field("", description="Source and destination, e.g. orders → api.psp.example.")
    workloads: Annotated[tuple[Workload, ...], Field(max_length=100)] = Field(
        (), description="Workloads that this flow covers."
    )
    next_review: str | None = Field(
        None, description="Day on which a date that the verdict rests on passes (YYYY-MM-DD)."
    )
    first_lawful_at: str | None = Field(
        None,
        description="When the flow was first found lawful (RFC 3339); tells one that ceased to be lawful from one that "
        "never was.",
        json_schema_extra={"format": "date-time"},
    )
    break_glass: Annotated[tuple[str, ...], Field(max_length=100)] = Field(
        (), description="Emergency grants in force for workloads of this flow: workload, by whom, reason, until when."
    )
