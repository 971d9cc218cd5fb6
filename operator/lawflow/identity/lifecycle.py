"""All that a trust domain issues with, as one value to load, maintain and store: roots, issuers, token keys.

A shell loads the text, calls :func:`maintain`, stores the text if the value changed (with compare-and-swap: two
writers must not each make a root), and issues only with what it has stored.
"""

import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from cryptography import x509

from lawflow.identity.authority import (
    INTERMEDIATE_LIFETIME,
    ROOT_LIFETIME,
    CertificateAuthority,
    RandomBytes,
    create_intermediate,
    create_root,
)
from lawflow.identity.bundle import TrustBundle
from lawflow.identity.pem import PrivateKey, fingerprint
from lawflow.identity.root_rotation import RootRotation, RotationTiming, advance, begin
from lawflow.identity.rotation import DEFAULT_POLICY, Freshness, RenewalPolicy, freshness
from lawflow.identity.token_key import TokenKeys, TokenKeyTiming, rotate_token_keys
from lawflow.identity.validity import rfc3339
from lawflow.identity.verdict import Verdict


class AuthorityStateError(ValueError):
    """Stored text is not the state of a certificate authority."""


@dataclass(frozen=True)
class AuthoritySettings:
    """Lives of authorities and the pace of their rotation."""

    root_lifetime: dt.timedelta = ROOT_LIFETIME
    intermediate_lifetime: dt.timedelta = INTERMEDIATE_LIFETIME
    permitted_dns: tuple[str, ...] = ()
    renewal: RenewalPolicy = DEFAULT_POLICY
    rotation: RotationTiming = field(default_factory=RotationTiming)
    token_keys: TokenKeyTiming = field(default_factory=TokenKeyTiming)


@dataclass(frozen=True)
class Sources:
    """Where randomness comes from."""

    random: RandomBytes
    new_key: Callable[[], PrivateKey]


@dataclass(frozen=True)
class AuthorityState:
    """Where the trust domain stands. ``roots`` and ``issuers`` are keyed by the fingerprint of the root.

    ``roots`` holds those whose key is at hand. A root that is kept offline is taken out of it; its issuer works on
    and can only be renewed once the root is put back.
    """

    rotation: RootRotation
    roots: Mapping[str, CertificateAuthority]
    issuers: Mapping[str, CertificateAuthority]
    token_keys: TokenKeys

    @property
    def issuer(self) -> CertificateAuthority:
        """The authority that issues now."""
        return self.issuers[fingerprint(self.rotation.issuing)]

    @property
    def bundle(self) -> TrustBundle:
        """The roots to be trusted now."""
        return self.rotation.bundle

    def to_text(self) -> str:
        """The state as JSON. It holds private keys: store it where nobody else reads."""
        return json.dumps(
            {
                "version": 1,
                "rotation": self.rotation.to_json(),
                "roots": {name: root.to_pem() for name, root in self.roots.items()},
                "issuers": {name: issuer.to_pem() for name, issuer in self.issuers.items()},
                "tokenKeys": self.token_keys.to_json(),
            },
            indent=1,
        )

    @classmethod
    def from_text(cls, text: str) -> "AuthorityState":
        """Read what :meth:`to_text` wrote. Raises AuthorityStateError, which quotes nothing of the text."""
        try:
            data = json.loads(text)
            if data["version"] != 1:
                raise AuthorityStateError("the authority's state was written by a newer version: upgrade Lawflow")
            state = cls(
                RootRotation.from_json(data["rotation"]),
                {name: CertificateAuthority.from_pem(parts) for name, parts in data["roots"].items()},
                {name: CertificateAuthority.from_pem(parts) for name, parts in data["issuers"].items()},
                TokenKeys.from_json(data["tokenKeys"]),
            )
        except AuthorityStateError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise AuthorityStateError(
                f"the authority's state cannot be read ({type(error).__name__}): restore it from a backup"
            ) from None
        if fingerprint(state.rotation.issuing) not in state.issuers:
            raise AuthorityStateError("the authority's state lacks the issuer: restore it from a backup")
        return state


def establish(trust_domain: str, now: dt.datetime, sources: Sources, settings: AuthoritySettings) -> AuthorityState:
    """The first root, issuer and token key of a trust domain. Raises SpiffeIdError for a malformed trust domain."""
    root = create_root(
        trust_domain, key=sources.new_key(), now=now, random=sources.random, lifetime=settings.root_lifetime
    )
    name = fingerprint(root.certificate)
    return AuthorityState(
        RootRotation(trust_domain, root.certificate),
        {name: root},
        {name: _issuer(root, now, sources, settings)},
        rotate_token_keys(TokenKeys(), now, sources.new_key, settings.token_keys),
    )


def maintain(
    state: AuthorityState,
    now: dt.datetime,
    acknowledged: Mapping[str, str] | None,
    sources: Sources,
    settings: AuthoritySettings,
    *,
    last_expiry: Mapping[str, dt.datetime] | None = None,
    replace_root: str = "",
) -> tuple[AuthorityState, tuple[Verdict, ...]]:
    """Renew issuers, rotate the root and the token keys as far as it is time, and say what was done or is awaited.

    ``acknowledged`` and ``last_expiry`` are as in :func:`lawflow.identity.root_rotation.advance`. ``replace_root`` is
    the fingerprint of a root to rotate away from before its time; once another issues it has no effect.

    The very same ``state`` comes back where nothing is to do.
    """
    verdicts: list[Verdict] = []
    changed = _begin_rotation(state, now, sources, settings, replace_root, verdicts)
    changed = _renew_issuers(changed, now, sources, settings, verdicts)
    rotation, verdict = advance(changed.rotation, now, acknowledged, last_expiry=last_expiry, timing=settings.rotation)
    verdicts.append(verdict)
    token_keys = rotate_token_keys(changed.token_keys, now, sources.new_key, settings.token_keys)
    if rotation is not changed.rotation or token_keys is not changed.token_keys:
        live = {fingerprint(root) for root in _live_roots(rotation)}
        changed = AuthorityState(
            rotation,
            {name: root for name, root in changed.roots.items() if name in live},
            {name: issuer for name, issuer in changed.issuers.items() if name in live},
            token_keys,
        )
    return changed, tuple(verdicts)


def _begin_rotation(
    state: AuthorityState,
    now: dt.datetime,
    sources: Sources,
    settings: AuthoritySettings,
    replace_root: str,
    verdicts: list[Verdict],
) -> AuthorityState:
    rotation = state.rotation
    aged = freshness(rotation.issuing, now, settings.renewal) is not Freshness.FRESH
    if rotation.next is not None or not (aged or replace_root == fingerprint(rotation.issuing)):
        return state
    root = create_root(
        rotation.trust_domain, key=sources.new_key(), now=now, random=sources.random, lifetime=settings.root_lifetime
    )
    name = fingerprint(root.certificate)
    verdicts.append(Verdict("RootPublished", f"root {name[:16]} was made and is published beside the one that issues"))
    return AuthorityState(
        begin(rotation, root.certificate, now),
        {**state.roots, name: root},
        {**state.issuers, name: _issuer(root, now, sources, settings)},
        state.token_keys,
    )


def _renew_issuers(
    state: AuthorityState, now: dt.datetime, sources: Sources, settings: AuthoritySettings, verdicts: list[Verdict]
) -> AuthorityState:
    renewed = dict(state.issuers)
    for name, issuer in state.issuers.items():
        if freshness(issuer.certificate, now, settings.renewal) is Freshness.FRESH:
            continue
        last = issuer.certificate.not_valid_after_utc
        about = f"the issuer under root {name[:16]}, which expires at {rfc3339(last)},"
        root = state.roots.get(name)
        if root is None:
            verdicts.append(Verdict("RootOffline", f"{about} cannot be renewed without the root's key: put it back"))
        elif root.certificate.not_valid_after_utc > max(last, now):
            renewed[name] = _issuer(root, now, sources, settings)
            verdicts.append(Verdict("IssuerRenewed", f"{about} was renewed"))
    return state if renewed == dict(state.issuers) else replace(state, issuers=renewed)


def _live_roots(rotation: RootRotation) -> tuple[x509.Certificate, ...]:
    """Roots whose keys are still of use: a retired root signs nothing any more."""
    return (rotation.issuing, rotation.next.certificate) if rotation.next else (rotation.issuing,)


def _issuer(
    root: CertificateAuthority, now: dt.datetime, sources: Sources, settings: AuthoritySettings
) -> CertificateAuthority:
    return create_intermediate(
        root,
        key=sources.new_key(),
        now=now,
        random=sources.random,
        lifetime=settings.intermediate_lifetime,
        permitted_dns=settings.permitted_dns,
    )
