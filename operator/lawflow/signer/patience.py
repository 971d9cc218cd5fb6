"""What a signer waits for, and how long."""

PATIENCE_SECONDS = 5.0
"""Longest pause before a request is judged again that could not be answered."""


class NotYetError(Exception):
    """A request can neither be granted yet nor has to be denied; the message says what is awaited."""
