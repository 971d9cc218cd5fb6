"""What a decision says: a reason for programs and a message for people."""

from typing import NamedTuple


class Verdict(NamedTuple):
    """Fills a condition or an event: ``reason`` is one CamelCase word, ``message`` says what, where and what to do."""

    reason: str
    message: str
