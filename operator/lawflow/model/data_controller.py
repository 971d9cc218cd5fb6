"""DataController: who answers for the processing, as the record under Article 30 names them."""

from typing import Annotated, Literal

from pydantic import Field

from lawflow.model.base import CountryCode, CustomResource, Model, ObjectReference, Reference, Text
from lawflow.model.status import Status


class Contact(Model):
    """A person or body with contact details."""

    name: Text = Field(description="Name.")
    address: Text | None = Field(None, description="Postal address.")
    email: str | None = Field(None, max_length=254, description="E-mail address.")
    telephone: str | None = Field(None, max_length=64, description="Telephone number.")


class BreachContact(Model):
    """Who hears of a breach, and within which time the authority is notified (Article 33)."""

    contact: Contact = Field(description="Who is told first.")
    supervisory_authority: Text | None = Field(None, description="The authority to notify.")


class DataControllerSpec(Model):
    """Identity of the controller (Article 30(1)(a))."""

    name: Text = Field(description="Legal name.")
    contact: Contact | None = Field(None, description="Contact details of the controller.")
    establishment: CountryCode | None = Field(None, description="Country of the main establishment.")
    public_authority: bool = Field(False, description="Whether it is a public authority or body.")
    representative: Contact | None = Field(
        None, description="Representative in the Union, where the controller is not established there (Article 27)."
    )
    data_protection_officer: Contact | None = Field(None, description="Data protection officer, where one exists.")
    data_protection_officer_required: bool | None = Field(
        None, description="Whether Article 37 asks for one; unknown by default."
    )
    joint_controllers: Annotated[tuple[ObjectReference, ...], Field(max_length=32)] = Field(
        (), description="Joint controllers (Article 26)."
    )
    breach_contact: BreachContact | None = Field(None, description="Who handles breaches (Articles 33 and 34).")
    security_measures: Reference | None = Field(
        None, description="General description of technical and organisational measures (30(1)(g))."
    )


class DataController(CustomResource):
    """A controller or joint controller; cluster-scoped, because one controller spans namespaces."""

    kind: Literal["DataController"] = "DataController"
    spec: DataControllerSpec
    status: Status | None = None
