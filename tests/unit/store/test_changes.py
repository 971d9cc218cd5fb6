"""What a watcher missed is told from what it knew."""

import pytest

from lawflow.model.kinds import CONFIG_MAP
from lawflow.store.changes import Known
from lawflow.store.protocol import Object

pytestmark = pytest.mark.unit


def object_(name: str, uid: str = "u1", version: str = "1") -> Object:
    return {"metadata": {"namespace": "shop", "name": name, "uid": uid, "resourceVersion": version}}


def relisted(known: Known, *objects: Object) -> list[tuple[str, str, str]]:
    return [
        (event.type, event.object["metadata"]["name"], event.object["metadata"]["uid"])
        for event in known.relisted(objects)
    ]


def test_all_objects_are_new_at_first() -> None:
    assert relisted(Known(CONFIG_MAP), object_("a"), object_("b")) == [("ADDED", "a", "u1"), ("ADDED", "b", "u1")]


def test_a_relist_reports_what_changed_and_what_is_gone_and_nothing_else() -> None:
    known = Known(CONFIG_MAP)
    relisted(known, object_("same"), object_("changed"), object_("gone"))
    assert relisted(known, object_("same"), object_("changed", version="2")) == [
        ("DELETED", "gone", "u1"),
        ("MODIFIED", "changed", "u1"),
    ]


def test_an_object_replaced_by_another_of_its_name_is_deleted_first() -> None:
    known = Known(CONFIG_MAP)
    relisted(known, object_("a", uid="old"))
    assert relisted(known, object_("a", uid="new", version="2")) == [("DELETED", "a", "old"), ("ADDED", "a", "new")]


def test_what_a_watch_said_is_known_at_the_next_relist() -> None:
    known = Known(CONFIG_MAP)
    known.changed("ADDED", object_("a"))
    known.changed("ADDED", object_("b"))
    known.changed("DELETED", object_("b"))
    assert relisted(known, object_("a")) == []
