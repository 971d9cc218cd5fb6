"""Dataset: where personal data live, with categories, purposes of collection, retention and handlers for rights."""

from typing import Annotated, Literal

from pydantic import Field

from lawflow.model.base import (
    CustomResource,
    Duration,
    Label,
    Law,
    Model,
    NamespacedReference,
    ObjectReference,
    Reference,
    Term,
    Terms,
    Text,
)
from lawflow.model.status import Status


class DatasetField(Model):
    """A column, property or path of the dataset."""

    name: str = Field(min_length=1, max_length=256, description="Name or path of the field.")
    category: Term = Field(description="Data category, e.g. pd:EmailAddress, or 'none'.")
    unique_identification: bool | None = Field(
        None, description="For biometric data: whether a person is uniquely identified by it (Article 9(1))."
    )


class DatasetRetention(Model):
    """How long the dataset keeps data (Article 5(1)(e))."""

    period: Duration | None = None
    criteria: Text | None = Field(None, description="Criteria where no period can be given.")
    law: Law | None = Field(None, description="The law that orders the period.")


class RightsHandler(Model):
    """How requests of data subjects are carried out on this dataset (Articles 12 to 22)."""

    automated: bool = Field(False, description="Whether Lawflow's connector carries requests out.")
    route: Reference | None = Field(None, description="Where requests go that no connector carries out.")
    rights: Annotated[
        tuple[Literal["access", "rectification", "erasure", "restriction", "portability", "objection"], ...],
        Field(max_length=6),
    ] = Field((), description="Rights that the handler serves; all by default.")


class Connector(Model):
    """How Lawflow reaches the dataset for rights requests."""

    kind: Literal["postgresql", "sqlite", "kafka", "s3", "http"] = Field(description="Kind of store.")
    secret_ref: ObjectReference | None = Field(None, description="Secret with the connection's credentials.")
    subject_key: str | None = Field(None, max_length=256, description="Field that identifies the data subject.")


class DatasetLink(Model):
    """A reference from this dataset to another, for requests that follow the data."""

    dataset: NamespacedReference = Field(description="The other dataset.")
    field: str = Field(min_length=1, max_length=256, description="Field here that refers to it.")
    target: str = Field(min_length=1, max_length=256, description="Field there that it refers to.")


class DatasetSpec(Model):
    """What the dataset holds, for what, how long, and who acts on it."""

    description: Text | None = Field(None, description="The dataset in one sentence.")
    controller_ref: ObjectReference | None = Field(None, description="DataController that answers for it.")
    purposes: Terms = Field((), description="Purposes that the data were collected for (Article 5(1)(b)).")
    fields: Annotated[tuple[DatasetField, ...], Field(max_length=512)] = Field((), description="Fields it holds.")
    retention: DatasetRetention | None = Field(None, description="How long data are kept.")
    encryption_at_rest: bool | None = Field(None, description="Whether data are stored encrypted (Article 32(1)(a)).")
    source_of_truth: Text | None = Field(
        None, description="Where the accurate value lives; 'self' where it is here (Article 5(1)(d))."
    )
    rectification_handler: Reference | None = Field(None, description="How an inaccurate value is corrected.")
    rights_handler: RightsHandler | None = Field(None, description="How subjects' requests are carried out.")
    connector: Connector | None = Field(None, description="How Lawflow reaches it.")
    links: Annotated[tuple[DatasetLink, ...], Field(max_length=64)] = Field((), description="References to others.")
    service_ref: Label | None = Field(None, description="Service in front of the dataset, where there is one.")


class Dataset(CustomResource):
    """A store of personal data."""

    kind: Literal["Dataset"] = "Dataset"
    spec: DatasetSpec
    status: Status | None = None
