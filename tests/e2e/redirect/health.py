"""The least server that a gRPC probe takes for healthy: grpc.health.v1.Health/Check over HTTP/2 (RFC 9113), SERVING."""

import socket
import sys
import threading

SETTINGS, HEADERS, DATA, PING = 4, 1, 0, 6


def frame(kind: int, flags: int, stream: int, content: bytes = b"") -> bytes:
    return len(content).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + content


def literal(name: bytes, value: bytes) -> bytes:
    """A field that is in no table (RFC 7541, section 6.2.2)."""
    return b"\0" + bytes((len(name),)) + name + bytes((len(value),)) + value


def serve(connection: socket.socket) -> None:
    with connection, connection.makefile("rb") as received:
        received.read(24)
        connection.sendall(frame(SETTINGS, 0, 0))
        while head := received.read(9):
            content = received.read(int.from_bytes(head[:3]))
            kind, flags, stream = head[3], head[4], int.from_bytes(head[5:])
            if kind in (SETTINGS, PING) and not flags & 1:
                connection.sendall(frame(kind, 1, 0, content if kind == PING else b""))
            if kind == DATA and flags & 1:
                connection.sendall(
                    frame(HEADERS, 4, stream, b"\x88" + literal(b"content-type", b"application/grpc"))
                    + frame(DATA, 0, stream, b"\0\0\0\0\2\x08\1")
                    + frame(HEADERS, 5, stream, literal(b"grpc-status", b"0"))
                )


server = socket.create_server(("", int(sys.argv[1])))
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
