"""Categories of data that the name of a field gives away.

A guess that is wrong is worse than none, so only names count that mean one thing wherever they stand: terms of the
vocabulary of two words or more, and the names below. Everything else is for a person to decide.
"""

import re
from collections.abc import Iterable, Mapping

TODO = "pd:TODO"
"""Stands where the category is not known. It is no term of the vocabulary, so that ``lawflow check`` refuses it: to
call data impersonal because their name says nothing would be wrong."""

NAMES: Mapping[str, str] = {
    "birthday": "pd:BirthDate",
    "city": "pd:City",
    "dateofbirth": "pd:BirthDate",
    "dob": "pd:BirthDate",
    "email": "pd:EmailAddress",
    "familyname": "pd:Name",
    "firstname": "pd:Name",
    "fullname": "pd:Name",
    "gender": "pd:Gender",
    "givenname": "pd:Name",
    "iban": "pd:FinancialAccountNumber",
    "ip": "pd:IPAddress",
    "lastname": "pd:Name",
    "mail": "pd:EmailAddress",
    "mobilenumber": "pd:TelephoneNumber",
    "nationality": "pd:Nationality",
    "password": "pd:Password",
    "phone": "pd:TelephoneNumber",
    "phonenumber": "pd:TelephoneNumber",
    "postcode": "pd:PostalCode",
    "street": "pd:Street",
    "surname": "pd:Name",
    "username": "pd:Username",
    "zipcode": "pd:PostalCode",
}
"""Names, in lower case and without what parts their words."""

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_ASKING = frozenset(("has", "is", "may", "no", "num", "wants"))


def guess(name: str, categories: Iterable[str]) -> str:
    """The category that the name of a field gives away, :data:`TODO` where it gives none.

    ``categories`` are the short forms of the vocabulary. What a name ends in counts, so that ``billing_email`` is an
    address and ``emailVerified`` is not; so does what it begins with: ``has_email`` is none either.
    """
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words or words[0] in _ASKING:
        return TODO
    known = {_folded(term): term for term in categories if len(_WORDS.findall(_bare(term))) > 1}
    known.update(NAMES)
    endings = ("".join(words[start:]) for start in range(len(words)))
    return next((known[ending] for ending in endings if ending in known), TODO)


def _bare(term: str) -> str:
    return term.split(":", 1)[-1]


def _folded(term: str) -> str:
    return _bare(term).lower()
