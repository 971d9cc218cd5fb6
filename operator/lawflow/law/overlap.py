"""Operations of one flow that match the same call, and pointers that let more through than single fields."""

from collections.abc import Iterator, Sequence

from lawflow.model.operation import Operation


def ties(operations: Sequence[Operation]) -> Iterator[tuple[int, int]]:
    """Pairs of operations that match a common call with paths that are equally specific, as positions in order.

    The more literal segments, the more specific; a template segment ``{name}`` matches any one segment.
    """
    if len(operations) < 2:
        return
    split = [_segments(operation.path) for operation in operations]
    for later in range(1, len(operations)):
        for earlier in range(later):
            if (
                _overlap(split[earlier], split[later])
                and _common_method(operations[earlier], operations[later])
                and _literals(split[earlier]) == _literals(split[later])
            ):
                yield earlier, later


def passes_everything(pointer: str) -> bool:
    """Whether a pointer names the whole document: ``/**`` below nothing but ``*``."""
    *above, last = pointer.split("/")[1:]
    return last == "**" and all(segment == "*" for segment in above)


def names_subtree(pointer: str) -> bool:
    """Whether a pointer names a whole subtree."""
    return pointer.endswith("/**")


def _segments(path: str) -> list[str | None]:
    """Segments of a path template; None for a template segment."""
    return [None if part.startswith("{") and part.endswith("}") else part for part in path.split("/")[1:]]


def _overlap(left: Sequence[str | None], right: Sequence[str | None]) -> bool:
    return len(left) == len(right) and all(
        one is None or other is None or one == other for one, other in zip(left, right, strict=True)
    )


def _common_method(left: Operation, right: Operation) -> bool:
    return not left.methods or not right.methods or not set(left.methods).isdisjoint(right.methods)


def _literals(segments: Sequence[str | None]) -> int:
    return sum(segment is not None for segment in segments)
