"""Keeps the world and the trust bundle up to date from a store."""

import asyncio
from contextlib import aclosing

from lawflow.model.kinds import CONFIG_MAP, Kind
from lawflow.model.trust_bundle import BUNDLE_KEY, CONFIG_MAP_NAME, VERSION_KEY
from lawflow.store.protocol import Store, WatchEvent
from lawflow.xds.snapshots import Snapshots
from lawflow.xds.world import KINDS, World


async def watch(store: Store, world: World, snapshots: Snapshots, namespace: str) -> None:
    """Follow the store for ever; the snapshots open once everything that exists has been seen, and a trust bundle.

    ``namespace`` is Lawflow's own.
    """
    waiting = {CONFIG_MAP, *KINDS}

    def seen(kind: Kind) -> None:
        if waiting:
            waiting.discard(kind)
            if not waiting:
                snapshots.open()
        else:
            snapshots.touch()

    async def follow(kind: Kind) -> None:
        async with aclosing(store.watch(kind)) as events:  # type: ignore[type-var]
            async for event in events:
                world.take(kind, event)
                if event.type == "SYNCED" or kind not in waiting:
                    seen(kind)

    async def follow_trust_bundle() -> None:
        async with aclosing(store.watch(CONFIG_MAP, namespace)) as events:  # type: ignore[type-var]
            async for event in events:
                if _take_bundle(event, snapshots):
                    seen(CONFIG_MAP)

    async with asyncio.TaskGroup() as group:
        for kind in KINDS:
            group.create_task(follow(kind))
        group.create_task(follow_trust_bundle())


def _take_bundle(event: WatchEvent, snapshots: Snapshots) -> bool:
    """Take in the trust bundle; returns whether the event brought one. One that is deleted stays in force."""
    if event.type in ("SYNCED", "DELETED") or event.object["metadata"]["name"] != CONFIG_MAP_NAME:
        return False
    data = event.object.get("data") or {}
    if BUNDLE_KEY not in data:
        return False
    snapshots.trust(data[BUNDLE_KEY], data.get(VERSION_KEY, ""))
    return True
