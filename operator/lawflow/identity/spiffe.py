"""SPIFFE ids of Kubernetes workloads: ``spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT``."""

import re
from dataclasses import dataclass

MAXIMUM_ID_BYTES = 2048
"""Longest id that every implementation must accept (SPIFFE-ID section 2.3)."""
MAXIMUM_TRUST_DOMAIN_BYTES = 255
"""Longest trust domain (SPIFFE-ID section 2.3)."""

SCHEME = "spiffe://"
_TRUST_DOMAIN = re.compile(r"[a-z0-9._-]+")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SERVICE_ACCOUNT = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SHAPE = "spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT"


class SpiffeIdError(ValueError):
    """A SPIFFE id, or a part of one, breaks the SPIFFE-ID specification or has no place for a Kubernetes workload."""


def check_trust_domain(name: str) -> str:
    """Return ``name`` if it can be a trust domain (SPIFFE-ID section 2.1).

    Raises SpiffeIdError with the fault and the fix.
    """
    if not name:
        raise SpiffeIdError("the trust domain is empty: set one such as example.org")
    if len(name) > MAXIMUM_TRUST_DOMAIN_BYTES:
        raise SpiffeIdError(
            f"the trust domain has {len(name)} characters: use at most {MAXIMUM_TRUST_DOMAIN_BYTES}, "
            "such as the name of the organisation"
        )
    if not _TRUST_DOMAIN.fullmatch(name):
        raise SpiffeIdError(
            f"the trust domain {name!r} may hold only lower-case letters, digits, dots, dashes and underscores; "
            "write it without scheme, user, port or path, such as example.org"
        )
    return name


@dataclass(frozen=True, order=True)
class SpiffeId:
    """The identity of a service account, and so of every workload that runs as it.

    Raises SpiffeIdError when a part cannot be what it is meant to be.
    """

    trust_domain: str
    namespace: str
    service_account: str

    def __post_init__(self) -> None:
        check_trust_domain(self.trust_domain)
        if not _NAMESPACE.fullmatch(self.namespace):
            raise SpiffeIdError(
                f"{self.namespace!r} is no namespace: a namespace is a DNS label of at most 63 lower-case letters, "
                "digits and dashes"
            )
        if len(self.service_account) > 253 or not _SERVICE_ACCOUNT.fullmatch(self.service_account):
            raise SpiffeIdError(
                f"{self.service_account!r} is no service account: its name is a DNS subdomain of at most 253 "
                "lower-case letters, digits, dashes and dots"
            )

    def __str__(self) -> str:
        return f"{SCHEME}{self.trust_domain}/ns/{self.namespace}/sa/{self.service_account}"

    @classmethod
    def parse(cls, text: str) -> "SpiffeId":
        """Read the text form. Raises SpiffeIdError: nothing is normalised, so that equal ids are equal bytes."""
        if len(text.encode("utf-8", "surrogatepass")) > MAXIMUM_ID_BYTES:
            raise SpiffeIdError(f"a SPIFFE id has at most {MAXIMUM_ID_BYTES} bytes: this one is longer")
        if not text.startswith(SCHEME):
            raise SpiffeIdError(f"{text!r} does not begin with {SCHEME}: write {_SHAPE}")
        parts = text.removeprefix(SCHEME).split("/")
        match parts:
            case [trust_domain, "ns", namespace, "sa", service_account]:
                return cls(trust_domain, namespace, service_account)
            case _:
                raise SpiffeIdError(f"{text!r} does not name a service account: write {_SHAPE}")


def trust_domain_id(trust_domain: str) -> str:
    """The id of the trust domain itself, which its certificate authorities carry (X509-SVID section 3.2)."""
    return f"{SCHEME}{check_trust_domain(trust_domain)}"
