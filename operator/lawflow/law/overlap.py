"""Operations of one flow that match the same call, and pointers that let more through than single fields."""

from collections.abc import Iterator, Sequence

from lawflow.model.operation import Operation


def ties(operations: Sequence[Operation]) -> Iterator[tuple[int, int]]:
    """Pairs of operations that match a common call with paths that are equally specific, as positions in order.

    The more literal segments, the more specific; a template segment ``{name}`` matches any one segment.
    """
    if len(operations) < 2:
        return
    split = [operation.path.split("/") for operation in operations]
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


def _overlap(left: Sequence[str], right: Sequence[str]) -> bool:
    if len(left) != len(right):
        return False
    for one, other in zip(left, right, strict=True):
        if one != other and one[:1] != "{" and other[:1] != "{":
            return False
    return True


def _common_method(left: Operation, right: Operation) -> bool:
    return not left.methods or not right.methods or not set(left.methods).isdisjoint(right.methods)


def _literals(segments: Sequence[str]) -> int:
    return sum(segment[:1] != "{" for segment in segments)
