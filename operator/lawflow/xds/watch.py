"""Keeps the world up to date from a store."""

import asyncio

from lawflow.model.kinds import Kind
from lawflow.store.protocol import Store
from lawflow.xds.snapshots import Snapshots
from lawflow.xds.world import KINDS, World


async def watch(store: Store, world: World, snapshots: Snapshots) -> None:
    """Follow the store for ever; the snapshots open once everything that exists has been seen."""
    waiting = set(KINDS)

    async def follow(kind: Kind) -> None:
        async for event in store.watch(kind):
            world.take(kind, event)
            if event.type == "SYNCED":
                waiting.discard(kind)
                if not waiting:
                    snapshots.open()
            elif not waiting:
                snapshots.touch()

    async with asyncio.TaskGroup() as group:
        for kind in KINDS:
            group.create_task(follow(kind))
