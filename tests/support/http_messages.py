"""HTTP messages to the byte, right or wrong, and a reader that believes little: for tests of what passes a sidecar."""

import asyncio
import gzip
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

Headers = list[tuple[str, str]]
"""Names, in lower case where they were read, with their values, in order."""


def octets(parts: Any) -> bytes:
    """The bytes that a case of the corpus writes: a character is a byte, so that any byte can be written.

    Lists are joined; ``{repeat: TEXT, times: N}``, ``{utf8: TEXT}`` and ``{gzip, zlib, deflate: PARTS}`` are what they
    say; ``{gzip_rest: PARTS}`` is gzip without its head of ten bytes, ``{names: N}`` are as many members of an object.
    """
    if parts is None:
        return b""
    if isinstance(parts, str):
        return parts.encode("latin-1")
    if isinstance(parts, list):
        return b"".join(octets(part) for part in parts)
    if "repeat" in parts:
        return octets(parts["repeat"]) * int(parts["times"])
    (kind, inside), *_ = parts.items()
    if kind == "names":
        return ",".join(f'"{place}":1' for place in range(inside)).encode()
    if kind == "utf8":
        return str(inside).encode()
    return _CODINGS[kind](octets(inside))


def _deflate(plain: bytes) -> bytes:
    coder = zlib.compressobj(wbits=-15)
    return coder.compress(plain) + coder.flush()


def _gzip(plain: bytes) -> bytes:
    return gzip.compress(plain, mtime=0)


_CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": _gzip,
    "gzip_rest": lambda plain: _gzip(plain)[10:],
    "zlib": lambda plain: zlib.compress(plain),
    "deflate": _deflate,
}


def pairs(written: Any) -> Headers:
    """Headers of the corpus: a mapping, or a list of pairs where a name stands twice."""
    if not written:
        return []
    return [(str(n), str(v)) for n, v in (written.items() if isinstance(written, dict) else written)]


@dataclass
class Message:
    """A request or response as the corpus writes it."""

    headers: Headers = field(default_factory=list)
    body: bytes = b""
    framing: str = "length"
    """``length``, ``chunked`` or ``none``."""
    chunk: int = 0
    """Bytes of a chunk, or of a DATA frame; 0 for one that holds all."""
    trailers: Headers = field(default_factory=list)

    def pieces(self) -> list[bytes]:
        """The body in its chunks."""
        size = self.chunk or max(len(self.body), 1)
        return [self.body[start : start + size] for start in range(0, len(self.body), size)]

    def http1(self, first: str) -> bytes:
        """As HTTP/1.1 under a first line."""
        headers = list(self.headers)
        body = self.body
        if self.framing == "chunked":
            headers.append(("transfer-encoding", "chunked"))
            body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in self.pieces())
            body += b"0\r\n" + _lines(self.trailers) + b"\r\n"
        elif self.framing == "length" and "content-length" not in dict(headers):
            headers.append(("content-length", str(len(body))))
        return first.encode("latin-1") + b"\r\n" + _lines(headers) + b"\r\n" + body


def _lines(headers: Sequence[tuple[str, str]]) -> bytes:
    return b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in headers)


@dataclass
class Received:
    """What a reader made of one message, as far as it came."""

    first: str = ""
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    trailers: Headers = field(default_factory=list)
    is_complete: bool = False

    def header(self, name: str) -> str | None:
        """All values of a header as one list."""
        values = [value for each, value in self.headers if each == name]
        return ", ".join(values) if values else None

    def everything(self) -> bytes:
        """All bytes of it, in no particular form."""
        texts = [self.first, *(f"{n}: {v}" for n, v in self.headers + self.trailers)]
        return "\n".join(texts).encode("latin-1") + b"\n" + self.body


async def read_head(reader: asyncio.StreamReader, into: Received) -> None:
    """First line and headers. Raises EOFError."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    into.first, *lines = head.rstrip("\r\n").split("\r\n")
    into.headers = _split(lines)


async def read_body(reader: asyncio.StreamReader, into: Received, *, until_end: bool = False) -> None:
    """The body, as its head frames it; ``until_end`` takes all that comes where it does not. Raises EOFError."""
    if "chunked" in (into.header("transfer-encoding") or ""):
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            await _take(reader, size, into)
            await reader.readexactly(2)
        lines = []
        while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
            lines.append(line.decode("latin-1").rstrip("\r\n"))
        into.trailers = _split(lines)
    elif length := into.header("content-length"):
        await _take(reader, int(length), into)
    elif until_end:
        while piece := await reader.read(65536):
            into.body += piece
    into.is_complete = True


async def _take(reader: asyncio.StreamReader, size: int, into: Received) -> None:
    while size:
        piece = await reader.read(min(size, 65536))
        if not piece:
            raise asyncio.IncompleteReadError(b"", size)
        into.body += piece
        size -= len(piece)


def _split(lines: Sequence[str]) -> Headers:
    found = (line.partition(":") for line in lines)
    return [(name.lower(), value.strip()) for name, _, value in found]
