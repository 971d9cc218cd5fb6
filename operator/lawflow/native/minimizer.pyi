"""What the sidecar does with one message, by the same Rust code: ``sidecar/core``, built from ``sidecar/py``.

Nothing here raises an exception that holds a part of a message.
"""

from collections.abc import Sequence

class PolicyError(ValueError):
    """A policy that cannot be applied; the message says why and holds no secret."""

class RefusedError(Exception):
    """A message that does not pass."""

    rule: str
    """The stable name of the rule that it broke."""
    status: int
    """HTTP status of the sidecar's answer."""
    document: bytes
    """The sidecar's answer: a problem document (RFC 9457)."""
    passed: int
    """Bytes of the body that had been let through. Where the operation streams they have left, and the sidecar breaks
    the stream off; where it does not, nothing has left."""

class DefectError(RuntimeError):
    """The module met a defect of its own; nothing passes."""

class Policy:
    """What may pass at one port."""

    port: str
    """NAMESPACE/NAME:PORT of the Service, or HOST:PORT."""
    enforced_by: str
    """SPIFFE id of the workload whose sidecar applies the policy."""
    is_source: bool
    """Whether it is the sender's, so that this side says what requests are for."""

    def __new__(cls, text: str) -> Policy:
        """Read the JSON text of what ``lawflow.mesh.policy.policy`` returns.

        Raises PolicyError for what is no policy, to the last member.
        """

    def admit(
        self, method: str, path: str, headers: Sequence[tuple[str, str]], *, peer: str | None = None, now: int
    ) -> Exchange:
        """The flow and operation that a request belongs to.

        ``path`` is in its normal form (RFC 3986, section 6.2.2) and with its query, ``peer`` the SPIFFE id in the
        caller's certificate, which counts where the policy is the receiver's, and ``now`` in seconds since 1970.
        Raises RefusedError where no open flow lets the request through.
        """

class Exchange:
    """An admitted request, and the response to it."""

    flow: str
    """NAMESPACE/NAME."""
    operation: str
    """Name of the operation in the flow."""
    purpose: str
    """What the request is for; empty for an operation without purposes."""
    streams: bool
    """Whether bodies are filtered while they pass, and not held until they end."""

    def request(self, *, has_body: bool = True) -> Message:
        """The request with its head filtered. Raises RefusedError."""

    def response(self, headers: Sequence[tuple[str, str]], *, status: int = 200, has_body: bool = True) -> Message:
        """A response with its head filtered. Raises RefusedError."""

class Message:
    """One message while it passes."""

    path: str | None
    """Path and declared query of a request."""
    headers: list[tuple[str, str]]
    """Headers that pass, names in lower case. A body that is held has its ``content-length`` once it has ended."""
    dropped_headers: list[tuple[str, str]]
    """Names of headers that do not pass as they came, with the reason: ``undeclared``, ``recomputed`` (the length of
    the body), ``decoded`` (its compression) or ``no-body`` (its media type, where nothing of it passes)."""
    changed_headers: list[tuple[str, str]]
    """Names of headers that pass with another value, with the protection that made it."""
    drops_body: bool
    """Whether no field is declared, so that the body goes as a whole. Asked before the body ends."""

    def field_protection(self, path: Sequence[str | None]) -> str | None:
        """How the field at a path is changed: names of members, ``None`` for an element of an array."""

    def query_protection(self, name: str) -> str | None:
        """How a query parameter is changed."""

    def feed(self, chunk: bytes) -> bytes:
        """Take in the next piece of the body and return what passes by now.

        Raises RefusedError, after which nothing more can be fed, and ValueError where the body has ended.
        """

    def finish(self) -> bytes:
        """End the body and return what was waiting for that. Raises RefusedError."""
