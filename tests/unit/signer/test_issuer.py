"""The issuer that the signer finds, over a folder."""

import base64
from pathlib import Path

import pytest
from tests.support.signing import publish_issuer

from lawflow.model.kinds import SECRET
from lawflow.model.trust_bundle import ISSUER_NAME
from lawflow.signer.issuer import published_issuer
from lawflow.signer.patience import NotYetError
from lawflow.store.folder import FolderStore
from lawflow.store.protocol import Store

pytestmark = pytest.mark.unit

SYSTEM = "lawflow-system"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return FolderStore(tmp_path)


async def test_it_is_the_one_that_was_published_last(store: Store) -> None:
    with pytest.raises(NotYetError, match=f"no Secret {SYSTEM}/{ISSUER_NAME} yet"):
        await published_issuer(store, SYSTEM)
    for _ in range(2):
        authority = await publish_issuer(store, SYSTEM)
        assert (await published_issuer(store, SYSTEM)).to_pem() == authority.issuer.to_pem()


@pytest.mark.parametrize("part", ["certificate", "key", "chain"])
@pytest.mark.parametrize("text", [None, "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"])
async def test_one_that_cannot_be_used_is_waited_for_and_never_quoted(
    store: Store, part: str, text: str | None
) -> None:
    await publish_issuer(store, SYSTEM)
    data = {part: text and base64.b64encode(text.encode()).decode()}
    await store.patch(SECRET, SYSTEM, ISSUER_NAME, {"data": data})
    with pytest.raises(NotYetError, match="delete it, and the controller makes it anew") as refused:
        await published_issuer(store, SYSTEM)
    assert "c2VjcmV0" not in str(refused.value)
