"""The secret behind all pseudonyms and encrypted values: made once, kept in a Secret of Lawflow's own namespace."""

import base64
import datetime as dt
import secrets

from lawflow.controller.settings import Environment
from lawflow.mesh.keys import MASTER_BYTES, SECRET_KEY, SECRET_NAME
from lawflow.model.kinds import SECRET
from lawflow.store.protocol import ConflictError, Object

KIND = "ProtectionSecret"
KEY = KIND, "", ""
INTERVAL = dt.timedelta(minutes=10)
"""How often to see whether it is still there, which nobody watches."""


async def reconcile(environment: Environment, _namespace: str, _name: str) -> dt.datetime | None:
    """Make the secret where there is none. One that exists is never changed: pseudonyms would no longer match."""
    await master(environment)
    return environment.now + INTERVAL


async def master(environment: Environment) -> bytes:
    """The secret as it is stored, made where there was none."""
    namespace = environment.settings.namespace
    found = await environment.store.get(SECRET, namespace, SECRET_NAME)
    if found is None:
        try:
            found = await environment.store.create(SECRET, _secret(namespace, secrets.token_bytes(MASTER_BYTES)))
        except ConflictError:
            found = await environment.store.get(SECRET, namespace, SECRET_NAME)
            if found is None:
                raise
    return base64.b64decode((found.get("data") or {}).get(SECRET_KEY, ""))


def _secret(namespace: str, random: bytes) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": namespace, "name": SECRET_NAME},
        "type": "lawflow.dev/protection",
        "data": {SECRET_KEY: base64.b64encode(random).decode()},
    }
