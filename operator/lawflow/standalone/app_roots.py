"""The roots for apps whose TLS their sidecar ends, as files that a program on this host can be pointed to."""

from contextlib import aclosing
from pathlib import Path

from lawflow.model.kinds import CONFIG_MAP
from lawflow.model.trust_bundle import APP_ROOTS_NAME, BUNDLE_KEY
from lawflow.store.protocol import Store


async def write_app_roots(store: Store, folder: Path) -> None:
    """Keep NAMESPACE.pem in ``folder`` equal to what the controller publishes, for ever."""
    async with aclosing(store.watch(CONFIG_MAP)) as events:  # type: ignore[type-var]
        async for event in events:
            if event.type == "SYNCED" or event.object["metadata"]["name"] != APP_ROOTS_NAME:
                continue
            roots = "" if event.type == "DELETED" else event.object["data"][BUNDLE_KEY]
            _write(folder, event.object["metadata"]["namespace"], roots)


def _write(folder: Path, namespace: str, roots: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{namespace}.pem"
    if roots:
        file.write_text(roots, encoding="utf-8")
    else:
        file.unlink(missing_ok=True)
