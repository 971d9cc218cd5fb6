"""ConsentPolicy: a consent regime under Articles 6(1)(a), 7 and 8."""

from typing import Annotated, Literal

from pydantic import Field

from lawflow.model.base import Countries, CustomResource, Duration, Law, Model, Reference, Terms, Text
from lawflow.model.status import Status


class ConsentNotice(Model):
    """What the subject was told before consenting (Articles 7(2) and 13)."""

    reference: Reference
    version: str = Field(min_length=1, max_length=64, description="Version of the text; a new one asks anew.")


class Withdrawal(Model):
    """How consent is withdrawn (Article 7(3))."""

    route: Reference = Field(description="Where a subject withdraws: a URL or an address.")
    as_easy_as_giving: bool = Field(True, description="Whether withdrawing is as easy as giving.")


class AgeRules(Model):
    """Conditions for a child's consent to information-society services (Article 8)."""

    information_society_service: bool = Field(True, description="Whether such a service is offered to a child.")
    minimum_age: int | None = Field(None, ge=0, le=18, description="Age below which this regime takes no consent.")
    parental_consent: Reference | None = Field(
        None, description="How the holder of parental responsibility consents or authorises (8(1), 8(2))."
    )
    counselling_service: bool = Field(False, description="A preventive or counselling service (Recital 38).")
    countries: Countries = Field((), description="Countries whose age applies; the strictest counts.")


class ConsentPolicySpec(Model):
    """What the consent covers and how it was and can be given."""

    description: Text | None = Field(None, description="The regime in one sentence.")
    purposes: Terms = Field((), description="Purposes that the consent covers, as DPV terms.")
    recipients: Annotated[tuple[Text, ...], Field(max_length=64)] = Field(
        (), description="Recipients that the subject was told of: organisations, external hosts, or NAMESPACE/SERVICE."
    )
    explicit: bool = Field(False, description="Whether consent is explicit, as Articles 9(2)(a) and 49(1)(a) ask.")
    separable: bool = Field(True, description="Whether each purpose can be consented to alone (Recital 43).")
    affirmative_act: Literal["optIn", "preTicked", "silence"] = Field(
        "optIn", description="How consent is given; only a clear affirmative act counts (Article 4(11))."
    )
    condition_of_service: bool = Field(
        False, description="Whether a service depends on consent that it does not need (Article 7(4))."
    )
    imbalance: Literal["none", "publicAuthority", "employer"] = Field(
        "none", description="A clear imbalance between subject and controller (Recital 43)."
    )
    notice: ConsentNotice | None = Field(None, description="What the subject was told.")
    withdrawal: Withdrawal | None = Field(None, description="How consent is withdrawn.")
    age: AgeRules | None = Field(None, description="Rules for children.")
    maximum_staleness: Duration = Field(
        "PT2S", description="How old a cached decision may be (ISO 8601); a withdrawal takes effect within it."
    )
    valid_for: Duration | None = Field(None, description="How long a consent counts before it is asked for again.")
    national_law: Law | None = Field(None, description="National law that adds conditions.")


class ConsentPolicy(CustomResource):
    """A consent regime that DataFlows with the basis A6-1-a refer to."""

    kind: Literal["ConsentPolicy"] = "ConsentPolicy"
    spec: ConsentPolicySpec
    status: Status | None = None
