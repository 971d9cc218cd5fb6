"""The lawful basis of a purpose: Article 6, Article 9 for special categories, Article 10 for criminal data."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field

from lawflow.model.base import Law, Model, NamespacedReference, Reference, Term, Text


class Contract(Model):
    """Article 6(1)(b): the contract with the data subject, or steps at the subject's request before one."""

    reference: Reference
    party: Literal["dataSubject", "preContractualRequest", "other"] = Field(
        "dataSubject",
        description="Whose contract it is: the data subject is party, or asked for steps before one; 'other' is no "
        "ground under 6(1)(b).",
    )
    necessity: Text | None = Field(None, description="Why the contract cannot be performed without these data.")


class VitalInterest(Model):
    """Article 6(1)(d): life or physical integrity of a person."""

    description: Text = Field(description="Whose vital interest, and what threatens it.")


class PublicTask(Model):
    """Article 6(1)(e): a task in the public interest or official authority, laid down by law (6(3))."""

    task: Text = Field(description="The task.")
    law: Law | None = Field(None, description="Union or Member State law that lays the task down.")


class BalancingTest(Model):
    """The weighing of interests that Article 6(1)(f) asks for."""

    reference: Reference
    date: dt.date = Field(description="Day on which the test was made (YYYY-MM-DD).")
    valid_until: dt.date | None = Field(None, description="Day after which the controller wants the test made anew.")


class LegitimateInterest(Model):
    """Article 6(1)(f): the interest, why the processing is necessary for it, and the balancing test."""

    interest: Text = Field(description="The interest pursued.")
    necessity: Text | None = Field(None, description="Why a less intrusive way does not serve the interest.")
    balancing_test: BalancingTest | None = Field(None, description="The balancing test.")
    objection_route: Reference | None = Field(None, description="Where a data subject objects (Article 21(1)).")
    in_performance_of_public_task: bool = Field(
        False,
        description="A public authority performing its tasks; 6(1)(f) is not open to it then (second subparagraph).",
    )


class ProfessionalSecrecy(Model):
    """Article 9(3): the professional bound by secrecy under whose responsibility the data are processed."""

    profession: Text = Field(description="Who is bound, e.g. treating physicians.")
    law: Law | None = Field(None, description="The rule that binds them.")


class Safeguards(Model):
    """Article 89(1): safeguards for archiving, research or statistics."""

    description: Text = Field(description="Technical and organisational measures, e.g. pseudonymisation.")
    reference: Reference | None = None


class NonProfitBody(Model):
    """Article 9(2)(d): a foundation, association or other non-profit body."""

    aim: Literal["political", "philosophical", "religious", "tradeUnion"] = Field(description="Aim of the body.")
    persons: Literal["members", "formerMembers", "regularContacts", "others"] = Field(
        description="Whose data; 'others' are outside this condition."
    )
    disclosed_outside: bool = Field(False, description="Whether data leave the body.")
    consent_to_disclosure: bool = Field(False, description="Whether the subjects consented to that.")


class Article9(Model):
    """The condition under which special categories may be processed (Article 9(2)), with its evidence."""

    condition: Term = Field(description="A9-2-a to A9-2-j, with or without the prefix eu-gdpr:.")
    categories: Annotated[tuple[Term, ...], Field(max_length=64)] = Field(
        (), description="Data categories that this condition covers; all special categories of the purpose by default."
    )
    law: Law | None = Field(None, description="The law behind (b), (g), (h), (i) or (j).")
    collective_agreement: Reference | None = Field(None, description="The collective agreement behind (b).")
    incapacity: Text | None = Field(None, description="Why the subject cannot consent, for (c).")
    non_profit_body: NonProfitBody | None = Field(None, description="The body, for (d).")
    made_public: Text | None = Field(None, description="Evidence that the subject made the data public, for (e).")
    legal_claim: Text | None = Field(None, description="The claim or the court, for (f).")
    health_professional_contract: Reference | None = Field(
        None, description="The contract with a health professional, for (h)."
    )
    professional_secrecy: ProfessionalSecrecy | None = Field(None, description="Who is bound by secrecy, for (h), (i).")
    safeguards: Safeguards | None = Field(None, description="Safeguards under Article 89(1), for (j).")
    national_conditions: Text | None = Field(
        None, description="Further national conditions that were checked (Article 9(4))."
    )


class Article10(Model):
    """Criminal convictions and offences: official authority, or a law that authorises the processing."""

    official_authority: Text | None = Field(None, description="The official authority in control.")
    law: Law | None = Field(None, description="Union or Member State law that authorises it.")


class LawfulBasis(Model):
    """The basis of one purpose. The field that belongs to the chosen letter of Article 6 carries its evidence."""

    article6: Term | None = Field(None, description="A6-1-a to A6-1-f, with or without the prefix eu-gdpr:.")
    consent_policy_ref: NamespacedReference | None = Field(None, description="The ConsentPolicy, for A6-1-a.")
    contract: Contract | None = Field(None, description="The contract, for A6-1-b.")
    legal_obligation: Law | None = Field(None, description="Union or Member State law, for A6-1-c.")
    vital_interest: VitalInterest | None = Field(None, description="The vital interest, for A6-1-d.")
    public_task: PublicTask | None = Field(None, description="The task and its law, for A6-1-e.")
    legitimate_interest: LegitimateInterest | None = Field(None, description="The interest, for A6-1-f.")
    article9: Annotated[tuple[Article9, ...], Field(max_length=10)] = Field(
        (), description="Conditions for special categories of personal data."
    )
    article10: Article10 | None = Field(None, description="Ground for data about criminal convictions and offences.")
