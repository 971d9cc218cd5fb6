"""Operations of a flow: what is called, who the data subject is, and which fields may pass."""

from typing import Annotated, Literal

from pydantic import Field

from lawflow.model.base import Label, Model, Term, Terms, Text
from lawflow.model.constraint import Constraint

Pointer = Annotated[
    str,
    Field(
        max_length=512,
        pattern=r"^(/([^/~]|~[012])*)+$",
        description="JSON Pointer (RFC 6901) to a leaf; `*` is one level (array elements or map keys), `/**` at the "
        "end a whole subtree, `~2` a literal star.",
    ),
]


class FieldRule(Model):
    """One declared field: it passes, or is changed on the way; everything undeclared is dropped."""

    pointer: Pointer
    category: Term = Field(
        description="Data category, e.g. pd:EmailAddress, or 'none' for a field that is not personal."
    )
    necessity: Text | None = Field(None, description="Why the purpose needs this field (Article 5(1)(c)).")
    protect: Literal["pass", "drop", "pseudonymize", "truncate", "generalize", "mask", "encrypt"] = Field(
        "pass", description="How the field is changed before it leaves."
    )


class Parameter(Model):
    """A declared query parameter or header."""

    name: str = Field(min_length=1, max_length=128, description="Name of the parameter; header names ignore case.")
    category: Term = Field(description="Data category, or 'none'.")
    necessity: Text | None = Field(None, description="Why the purpose needs it.")
    protect: Literal["pass", "drop", "pseudonymize", "truncate", "generalize", "mask", "encrypt"] = Field(
        "pass", description="How the value is changed before it leaves."
    )


class Message(Model):
    """The protocol buffer that a body holds, one or, with gRPC, a row of them."""

    descriptor_set: Label = Field(description="Name among the flow's descriptorSets.")
    name: str = Field(min_length=1, max_length=512, description="Full name of the message, e.g. shop.v1.Order.")


class Payload(Model):
    """What one direction of an operation may carry."""

    message: Message | None = Field(
        None,
        description="What pointers reach into where bodies are protocol buffers or gRPC; JSON by default.",
    )

    fields: Annotated[tuple[FieldRule, ...], Field(max_length=256)] = Field((), description="Fields of the body.")
    headers: Annotated[tuple[Parameter, ...], Field(max_length=64)] = Field((), description="Headers that may pass.")
    query: Annotated[tuple[Parameter, ...], Field(max_length=64)] = Field(
        (), description="Query parameters that may pass (requests only)."
    )


class SubjectLocation(Model):
    """Where an operation names the data subject."""

    location: Literal["path", "query", "header", "body", "none"] = Field(
        alias="in", description="path, query, header, body, or none where no single subject is concerned."
    )
    name: str | None = Field(None, max_length=512, description="Parameter or header name, or the pointer in the body.")

    constraints = (
        Constraint(
            message="no name says where the data subject is found",
            fix="name the parameter, the header or the JSON Pointer into the body",
            holds=lambda self: self.location == "none" or self.name is not None,
            cel="self.__in__ == 'none' || has(self.name)",
        ),
        Constraint(
            message="the data subject in a body is named by a JSON Pointer",
            fix="start the name with /, e.g. /customer/id",
            holds=lambda self: self.location != "body" or self.name is None or self.name.startswith("/"),
            cel="self.__in__ != 'body' || !has(self.name) || self.name.startsWith('/')",
            field=".name",
        ),
    )


class Operation(Model):
    """One kind of call: methods and path template, the subject, and the fields of request and response."""

    name: Label = Field(description="Name of the operation, unique in the flow.")
    methods: Annotated[
        tuple[Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"], ...], Field(max_length=7)
    ] = Field((), description="HTTP methods; any by default.")
    path: str = Field(
        min_length=1,
        max_length=512,
        pattern=r"^/[^?#]*$",
        description="Path template without query, e.g. /v1/charges/{customerId}; one {name} stands for one segment.",
    )
    purposes: Terms = Field((), description="Purposes of the flow that this operation serves; all by default.")
    subject: SubjectLocation | None = Field(None, description="Where the data subject is named.")
    request: Payload | None = Field(None, description="What the request may carry.")
    response: Payload | None = Field(None, description="What the response may carry.")
    stream: bool = Field(False, description="Filter in one pass with bounded memory instead of whole bodies.")
    verify: Literal["identity", "full"] = Field(
        "identity", description="What the receiver checks: identity, purpose and operation, or the fields as well."
    )

    constraints = (
        Constraint(
            message="the path has no parameter of the data subject's name",
            fix="write {NAME} for one segment of the path, with the name that subject gives",
            holds=lambda self: (
                self.subject is None
                or self.subject.location != "path"
                or self.subject.name is None
                or f"{{{self.subject.name}}}" in self.path
            ),
            cel="!has(self.subject) || self.subject.__in__ != 'path' || !has(self.subject.name) || "
            "self.path.contains('{' + self.subject.name + '}')",
            field=".path",
        ),
        Constraint(
            message="a response has no query parameters",
            fix="declare them under request",
            holds=lambda self: self.response is None or not self.response.query,
            cel="!has(self.response) || !has(self.response.query) || self.response.query.size() == 0",
            field=".response",
        ),
    )
