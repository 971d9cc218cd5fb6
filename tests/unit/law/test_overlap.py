"""Operations that match the same calls, and pointers that let through more than fields."""

import pytest

from lawflow.law.overlap import passes_everything, ties
from lawflow.model.operation import Operation

pytestmark = pytest.mark.unit


def _ties(*operations: tuple[str, str]) -> list[tuple[int, int]]:
    return list(
        ties(
            [
                Operation.model_validate({"name": f"o{index}", "path": path, "methods": methods.split()})
                for index, (methods, path) in enumerate(operations)
            ]
        )
    )


def test_the_same_path_with_another_parameter_name_ties() -> None:
    assert _ties(("GET", "/orders/{id}"), ("GET", "/orders/{number}")) == [(0, 1)]


def test_different_methods_never_tie() -> None:
    assert _ties(("GET", "/orders/{id}"), ("POST", "/orders/{id}")) == []


def test_an_operation_without_methods_meets_every_method() -> None:
    assert _ties(("", "/orders"), ("POST", "/orders")) == [(0, 1)]


def test_a_path_with_more_literal_segments_is_more_specific() -> None:
    assert _ties(("GET", "/orders/{id}"), ("GET", "/orders/latest")) == []


def test_paths_that_cross_tie() -> None:
    assert _ties(("GET", "/orders/{id}"), ("GET", "/{kind}/latest")) == [(0, 1)]


def test_paths_of_different_length_never_meet() -> None:
    assert _ties(("GET", "/orders"), ("GET", "/orders/{id}")) == []


@pytest.mark.parametrize(("pointer", "everything"), [("/**", True), ("/*/**", True), ("/a/**", False), ("/*", False)])
def test_a_subtree_below_nothing_but_stars_is_everything(pointer: str, everything: bool) -> None:
    assert passes_everything(pointer) is everything
