"""What all custom resources share: the strict base model, names, references and metadata."""

import datetime as dt
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, field_validator, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema

from lawflow.model.constraint import Constraint, check, validations

GROUP = "lawflow.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"


class Model(BaseModel):
    """An immutable piece of a custom resource, spelled in camelCase on the wire; unknown fields are errors."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
    )
    constraints: ClassVar[tuple[Constraint, ...]] = ()

    @model_validator(mode="after")
    def _constraints_hold(self) -> Self:
        check(self, self.constraints)
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        found = handler(schema)
        if cls.constraints:
            handler.resolve_ref_schema(found)["x-kubernetes-validations"] = validations(cls.constraints)
        return found


# Lengths bound the cost estimate of every CEL rule over these fields, and the size of an object.
Text = Annotated[str, Field(min_length=1, max_length=1024)]
Term = Annotated[str, Field(min_length=1, max_length=128)]
ObjectName = Annotated[str, Field(max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
Label = Annotated[str, Field(max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
CountryCode = Annotated[
    str, Field(pattern=r"^[A-Z]{2}$", max_length=2, description="Country as an ISO 3166-1 alpha-2 code, e.g. NL.")
]
Duration = Annotated[
    str,
    Field(
        min_length=3,
        max_length=32,
        pattern=r"^P(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(\d+H)?(\d+M)?(\d+S)?)?$",
        description="An ISO 8601 duration, e.g. P10Y or P30D.",
    ),
]
Reference = Annotated[
    str, Field(min_length=1, max_length=1024, description="Where the document can be found: a URL or a file number.")
]
Terms = Annotated[tuple[Term, ...], Field(max_length=64)]
Countries = Annotated[tuple[CountryCode, ...], Field(max_length=64)]


class ObjectReference(Model):
    """A reference to a cluster-scoped object by its name."""

    name: ObjectName = Field(description="Name of the object.")


class NamespacedReference(Model):
    """A reference to an object, in the referring object's namespace unless it names another."""

    name: ObjectName = Field(description="Name of the object.")
    namespace: Label | None = Field(None, description="Namespace of the object; the referring object's by default.")


class Law(Model):
    """A legal provision that a basis, a derogation or a period rests on (Article 6(3))."""

    citation: Text = Field(description="The provision, e.g. '§ 147 AO' or 'Regulation (EU) 2016/679, Article 17'.")
    jurisdiction: str = Field(
        max_length=8,
        description="EU for Union law, else the ISO 3166-1 alpha-2 code of the country whose law it is.",
    )


class Document(Model):
    """A document that somebody keeps, with the day from which it no longer counts."""

    reference: Reference
    valid_until: dt.date | None = Field(None, description="Last day on which the document is in force (YYYY-MM-DD).")


class ObjectMeta(BaseModel):
    """The part of Kubernetes' ObjectMeta that Lawflow reads; everything else is left alone."""

    model_config = ConfigDict(extra="ignore", frozen=True, alias_generator=to_camel, validate_by_name=True)

    name: str = ""
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    deletion_timestamp: str | None = None

    @field_validator("labels", "annotations", mode="before")
    @classmethod
    def _absent_is_empty(cls, value: object) -> object:
        return {} if value is None else value


class CustomResource(BaseModel):
    """An object of the group ``lawflow.dev``: identity and metadata around a ``spec`` and a ``status``."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=True)

    api_version: str = API_VERSION
    kind: str
    metadata: ObjectMeta

    @property
    def key(self) -> tuple[str, str, str]:
        """Kind, namespace ("" for cluster scope) and name: what tells this object from every other."""
        return self.kind, self.metadata.namespace, self.metadata.name
