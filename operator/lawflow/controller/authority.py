"""The certificate authority: made once, kept in a Secret of Lawflow's own namespace, rotated in three steps."""

import base64
import datetime as dt
import json
import secrets
from collections.abc import Mapping

from lawflow.controller import certificate as leaf
from lawflow.controller import serving
from lawflow.controller.conditions import Observation
from lawflow.controller.events import announce
from lawflow.controller.settings import Environment
from lawflow.identity.expiry import expiry_notice
from lawflow.identity.lifecycle import AuthoritySettings, AuthorityState, Sources, establish, maintain
from lawflow.identity.pem import fingerprint, new_private_key
from lawflow.identity.root_rotation import RotationTiming
from lawflow.identity.rotation import renewal_time
from lawflow.model import labels
from lawflow.model.kinds import CONFIG_MAP, POD, SECRET, Kind
from lawflow.model.trust_bundle import (
    BUNDLE_KEY,
    CONFIG_MAP_NAME,
    ISSUER_NAME,
    JWKS_KEY,
    TOKEN_KEYS_KEY,
    TOKEN_KEYS_NAME,
    VERSION_KEY,
)
from lawflow.store.protocol import ConflictError, NotFoundError, Object, StoreError

KIND = "CertificateAuthority"
KEY = KIND, "", ""
SECRET_NAME = "lawflow-authority"  # noqa: S105  (a name)
STATE_KEY = "state.json"
REPLACE_ROOT = "lawflow.dev/replace-root"
"""Annotation on the Secret: fingerprint of a root to rotate away from before its time."""
CLUSTER_TRUST_BUNDLE = Kind("certificates.k8s.io", "v1", "ClusterTrustBundle", "clustertrustbundles", False)
INTERVAL = dt.timedelta(minutes=1)
SOURCES = Sources(secrets.token_bytes, new_private_key)
_ACTIONS = frozenset(
    {"RootPublished", "IssuerSwitched", "IssuerSwitchedAtExpiry", "RootDropped", "IssuerRenewed", "RootOffline"}
)


async def reconcile(environment: Environment, _namespace: str, _name: str) -> dt.datetime | None:
    """Make, load or maintain the authority, publish its roots, and say how long its issuer lasts."""
    now = environment.now
    stored, state = await _stored_state(environment)
    before = _seen_by_flows(environment)
    environment.authority[:] = [state]
    await _publish(environment, state)
    await _judge(environment, stored, state)
    if _seen_by_flows(environment) != before:
        _wake_everybody(environment)
    # From when the state was judged: what became due while it was published must not wait for another interval.
    return min(now + INTERVAL, renewal_time(state.issuer.certificate))


async def _stored_state(environment: Environment) -> tuple[Object, AuthorityState]:
    """The state as it is in the Secret after this step. Raises ConflictError where another writer was first."""
    settings, now = environment.settings, environment.now
    secret = await environment.store.get(SECRET, settings.namespace, SECRET_NAME)
    lives = _lives(environment)
    if secret is None:
        state = establish(settings.trust_domain, now, SOURCES, lives)
        try:
            return await environment.store.create(SECRET, _secret(settings.namespace, state)), state
        except ConflictError:
            secret = await environment.store.get(SECRET, settings.namespace, SECRET_NAME)
            if secret is None:
                raise
    state = AuthorityState.from_text(base64.b64decode(secret["data"][STATE_KEY]).decode())
    replace = (secret["metadata"].get("annotations") or {}).get(REPLACE_ROOT, "")
    changed, verdicts = maintain(state, now, _acknowledged(environment), SOURCES, lives, replace_root=replace)
    if changed is not state:
        version = {"metadata": {"resourceVersion": secret["metadata"]["resourceVersion"]}}
        patch = version | {"data": _data(changed)}
        secret = await environment.store.patch(SECRET, settings.namespace, SECRET_NAME, patch)
    for verdict in verdicts:
        if verdict.reason in _ACTIONS:
            weight = "Normal" if verdict.reason not in ("RootOffline", "IssuerSwitchedAtExpiry") else "Warning"
            await announce(
                environment, _reference(secret), weight, verdict.reason, verdict.message,  # type: ignore[arg-type]
                once=f"{verdict.message}",
            )  # fmt: skip
    return secret, changed


def _lives(environment: Environment) -> AuthoritySettings:
    settings = environment.settings
    return AuthoritySettings(
        root_lifetime=settings.root_lifetime,
        intermediate_lifetime=settings.issuer_lifetime,
        rotation=RotationTiming(publication=settings.bundle_settling),
    )


def _acknowledged(environment: Environment) -> Mapping[str, str]:
    """The bundle that each pod with a sidecar has acknowledged, as the xDS server notes it on the pod."""
    return {
        f"{pod['metadata']['namespace']}/{pod['metadata']['name']}": annotations.get(labels.TRUST_BUNDLE, "")
        for pod in environment.world.all(POD)
        if labels.INJECTED in (annotations := pod["metadata"]["annotations"])
        and pod["status"].get("phase") == "Running"
    }


def _secret(namespace: str, state: AuthorityState) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": namespace, "name": SECRET_NAME},
        "type": "lawflow.dev/authority",
        "data": _data(state),
    }


def _data(state: AuthorityState) -> dict[str, str]:
    return _encoded({STATE_KEY: state.to_text()})


def _encoded(texts: Mapping[str, str]) -> dict[str, str]:
    """Texts as the data of a Secret."""
    return {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}


def _reference(secret: Object) -> Object:
    """What an event may repeat of the Secret: never its data."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": secret["metadata"]}


def trust_bundle_name(signer_name: str) -> str:
    """Name of the ClusterTrustBundle with the roots of a signer: Kubernetes wants the signer's as its beginning."""
    return signer_name.replace("/", ":") + ":roots"


async def _publish(environment: Environment, state: AuthorityState) -> None:
    """The roots and the keys of tokens for everybody: a ConfigMap, and a ClusterTrustBundle for pod certificate
    volumes. What signs tokens goes to the xDS server, and what signs pod certificates to the signer: neither can read
    the authority's own Secret."""
    settings, bundle = environment.settings, state.bundle
    signing = json.dumps(state.token_keys.to_json())
    await _keep(environment, SECRET, TOKEN_KEYS_NAME, _encoded({TOKEN_KEYS_KEY: signing}))
    jwks = json.dumps(state.token_keys.jwks())
    data = {BUNDLE_KEY: bundle.to_pem(), VERSION_KEY: bundle.version, JWKS_KEY: jwks}
    await _keep(environment, CONFIG_MAP, CONFIG_MAP_NAME, data)
    if settings.delivery != "podCertificate":
        return
    name = trust_bundle_name(settings.signer_name)
    spec = {"signerName": settings.signer_name, "trustBundle": bundle.to_pem()}
    try:
        found = await environment.store.get(CLUSTER_TRUST_BUNDLE, "", name)
        if found is None or found.get("spec") != spec:
            api_version = CLUSTER_TRUST_BUNDLE.api_version
            wanted: Object = {"apiVersion": api_version, "kind": "ClusterTrustBundle", "metadata": {"name": name}}
            await environment.store.apply(CLUSTER_TRUST_BUNDLE, wanted | {"spec": spec})
    except NotFoundError as error:
        raise StoreError(f"{error}; set delivery to secret where pod certificates are not served") from None
    # Last, so that the root of whatever it signs is known.
    await _keep(environment, SECRET, ISSUER_NAME, _encoded(state.issuer.to_pem()))


async def _keep(environment: Environment, kind: Kind, name: str, data: Mapping[str, str]) -> None:
    namespace = environment.settings.namespace
    held = await environment.store.get(kind, namespace, name)
    if held is None or held.get("data") != data:
        metadata = {"namespace": namespace, "name": name}
        wanted = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, "data": dict(data)}
        await environment.store.apply(kind, wanted)


async def _judge(environment: Environment, secret: Object, state: AuthorityState) -> None:
    certificate = state.issuer.certificate
    notice = expiry_notice("the issuer", certificate, environment.now)
    environment.metrics.certificate_expiry.labels("issuer").set(notice.expires_at)
    root = state.rotation.issuing.not_valid_after_utc.timestamp()
    environment.metrics.certificate_expiry.labels("root").set(root)
    environment.credentials["", ""] = Observation("CredentialsReady", notice.status, notice.reason, notice.message)
    if notice.event:
        once = f"{notice.reason}/{fingerprint(certificate)}"
        await announce(environment, _reference(secret), notice.event, notice.reason, notice.message, once=once)


def _seen_by_flows(environment: Environment) -> object:
    """What flows' credentials and conditions depend on. The issuer by its certificate: a key that is read anew equals
    none."""
    if not environment.authority:
        return None
    state = environment.authority[0]
    return state.bundle, state.issuer.certificate, environment.credentials.get(("", ""))


def _wake_everybody(environment: Environment) -> None:
    for flow in environment.world.references.flows():
        environment.queue.add(flow.key, *leaf.keys(flow))
    environment.queue.add(*((leaf.KIND, *key) for key in environment.credentials if key != ("", "")))
    environment.queue.add(serving.KEY)
