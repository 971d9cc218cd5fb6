"""Whatever is wrong with manifests, check tells problems or findings."""

import copy
import datetime as dt
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lawflow.cli.declared import declared
from lawflow.cli.judgement import judge
from lawflow.law.context import Context
from lawflow.manifest import read

pytestmark = pytest.mark.unit

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
OBJECTS = [
    found.object
    for file in sorted(EXAMPLES.glob("*/lawful/*.yaml"))
    for found in read(file.read_bytes(), file.name).objects
]
STRANGE: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    "",
    "x",
    "NO",
    "/",
    "/**",
    "2026-02-30",
    [],
    {},
    [None],
    [[]],
    {"x": 1},
    "é" * 2000,
)


def _mutated(obj: Any, chance: random.Random) -> Any:
    """The object with one field, anywhere, removed, renamed or replaced by something strange."""
    mutant = copy.deepcopy(obj)
    node = mutant
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return mutant
        key = chance.choice(keys)
        if isinstance(node[key], dict | list) and node[key] and chance.random() < 0.85:
            node = node[key]
            continue
        match chance.randrange(3):
            case 0:
                del node[key]
            case 1 if isinstance(node, dict):
                node[f"{key}x"] = node.pop(key)
            case _:
                node[key] = chance.choice(STRANGE)
        return mutant


@settings(deadline=None)
@given(st.integers(min_value=0))
def test_a_broken_object_never_breaks_the_check(seed: int) -> None:
    chance = random.Random(seed)
    objects = list(OBJECTS)
    for _ in range(3):
        position = chance.randrange(len(objects))
        objects[position] = _mutated(objects[position], chance)
    manifest = read("\n---\n".join(map(json.dumps, objects)), "f.yaml")
    found, problems = declared(manifest, "default")
    judgement = judge(found, Context(found.objects, unresolved="info"), dt.date(2026, 11, 1))
    assert all(problem.message and problem.fix and problem.line for problem in problems)
    assert all(finding.line >= 1 for finding in judgement.findings)
