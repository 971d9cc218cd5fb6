"""Article 10: data about criminal convictions and offences."""

from lawflow.law.examples import CRIMINAL, changed
from lawflow.law.kinds import PURPOSE
from lawflow.law.parts import PurposeFacts
from lawflow.law.rule import Outcome, fault, rule

_PATH = "purposes[0].lawfulBasis.article10"


@rule(
    "GDPR-10-authority-missing",
    article="10",
    per=PURPOSE,
    when="criminal",
    path=".lawfulBasis.article10",
    message="criminal data ({categories}) travel for {purpose}, but neither official authority nor a law is declared",
    fix="declare lawfulBasis.article10 with officialAuthority or law; consent alone is not enough",
    passing=CRIMINAL,
    failing=changed(CRIMINAL, {_PATH: None}),
)
def authority_missing(purpose: PurposeFacts) -> Outcome:
    """Such data are processed only under official authority, or where a law authorises it with safeguards."""
    ground = purpose.basis.article10 if purpose.basis else None
    if ground is not None and (ground.official_authority is not None or ground.law is not None):
        return False
    return fault(categories=", ".join(sorted(concept.term for concept in purpose.criminal)))


@rule(
    "GDPR-10-law-foreign",
    article="10",
    per=PURPOSE,
    when="criminal",
    path=".lawfulBasis.article10.law.jurisdiction",
    message="the law declared for criminal data is that of {jurisdiction}, neither Union nor Member State law",
    fix="declare the Union or Member State law that authorises the processing",
    passing=CRIMINAL,
    failing=changed(CRIMINAL, {f"{_PATH}.law.jurisdiction": "US"}),
)
def law_foreign(purpose: PurposeFacts) -> Outcome:
    """The authorising law is Union or Member State law."""
    ground = purpose.basis.article10 if purpose.basis else None
    if ground is None or ground.law is None or ground.official_authority is not None:
        return False
    return fault(jurisdiction=ground.law.jurisdiction) if purpose.situation.foreign(ground.law) else False


RULES = (authority_missing, law_foreign)
