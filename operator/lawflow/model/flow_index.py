"""FlowIndex: what the gate inside the API server reads, one a namespace, written by the controller alone."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from lawflow.model.base import CustomResource, Model

INDEX_NAME = "lawflow"
MAXIMUM_FLOWS = 500
"""Flows that one namespace may hold: it bounds the object's size and the cost of the gate's CEL."""


class UnlawfulFlow(Model):
    """A flow that may pass no data now, as the gate needs it."""

    service_account: str = Field("", max_length=253, description="The service account that is its source.")
    ever_lawful: bool = Field(
        False, description="Whether it was lawful once: its pods still start then, with the flow closed on the wire."
    )
    reason: str = Field("", max_length=512, description="Weightiest finding: rule, article, path and fix.")


class Grant(Model):
    """A break-glass grant for one workload, until a time."""

    reason: str = Field(max_length=512, description="Why the gate was passed.")
    user: str = Field(max_length=256, description="Who passed it.")
    expires: str = Field(description="Until when (RFC 3339).", json_schema_extra={"format": "date-time"})


class GenuineSidecar(Model):
    """What makes a sidecar genuine, for the current version and the two before it."""

    name: str = Field(max_length=63, description="Name of the container.")
    images: Annotated[tuple[str, ...], Field(max_length=16)] = Field((), description="Allowed image references.")
    uid: int = Field(description="User id that it runs as, and nobody else.")
    command: Annotated[tuple[str, ...], Field(max_length=16)] = Field((), description="Its command.")
    arguments: Annotated[tuple[Annotated[tuple[str, ...], Field(max_length=16)], ...], Field(max_length=4)] = Field(
        (), description="Allowed argument lists, one a version: they hold Envoy's whole bootstrap."
    )
    environment: Annotated[tuple[str, ...], Field(max_length=16)] = Field(
        (), description="Names of its environment variables; any other could load foreign code into it."
    )
    volumes: Annotated[tuple[str, ...], Field(max_length=16)] = Field((), description="Volumes that it alone mounts.")
    annotations: dict[str, str] = Field(
        {}, description="Pod annotations that it reads through a volume; they may not change."
    )
    network_arguments: Annotated[tuple[Annotated[tuple[str, ...], Field(max_length=8)], ...], Field(max_length=4)] = (
        Field((), description="Allowed argument lists of the container that sees to the rules in mode redirect.")
    )


# One writer owns each map whole. Otherwise the API server would keep an owner for every field in managedFields, and
# copy them all for every pod that the gate judges.
_ATOMIC: dict[str, JsonValue] = {"x-kubernetes-map-type": "atomic"}


class FlowIndexSpec(Model):
    """Flows, grants, and the genuine sidecar. What is lawful is the rule, and so is kept where it costs least."""

    lawful: str = Field(
        "",
        max_length=300_000,
        description="The lawful flows as `,NAME/SERVICEACCOUNT,NAME/SERVICEACCOUNT,`. One text, because the API server "
        "copies the index for each object that the gate judges, and a text costs it least.",
    )
    unlawful: Annotated[dict[str, UnlawfulFlow], Field(max_length=MAXIMUM_FLOWS)] = Field(
        {},
        description="The flows that are not lawful, by name; of those without a verdict, the ones that once were.",
        json_schema_extra=_ATOMIC,
    )
    service_accounts: Annotated[dict[str, tuple[str, ...]], Field(max_length=MAXIMUM_FLOWS)] = Field(
        {},
        description="Flows that are not known to be lawful, by the service account that is their source.",
        json_schema_extra=_ATOMIC,
    )
    complete: bool = Field(
        True, description="False where more service accounts have such flows than fit: none is let in unnamed then."
    )
    grants: Annotated[dict[str, Grant], Field(max_length=100)] = Field(
        {}, description="Break-glass grants by KIND/NAME of the workload, e.g. Deployment/orders."
    )
    expired_grants: Annotated[dict[str, Grant], Field(max_length=100)] = Field(
        {}, description="Grants that have run out while their annotation still stands, so that they are not renewed."
    )
    sidecar: GenuineSidecar | None = Field(
        None, description="The genuine sidecar: in Lawflow's own namespace alone, for the whole cluster."
    )


class FlowIndex(CustomResource):
    """Internal: the verdicts of one namespace, for the policy inside the API server. Do not write it by hand."""

    kind: Literal["FlowIndex"] = "FlowIndex"
    spec: FlowIndexSpec
