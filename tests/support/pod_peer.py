"""A program that listens or calls: ``listen KIND ADDRESS PORT`` or ``call KIND ADDRESS PORT SOURCE``.

The one that listens answers with ``met``, its port, and, where a rule changed that, address and port to which the
caller was on its way; it says ``listening`` once it does. The caller prints the answer, ``refused`` or ``lost``.
"""

import errno
import socket
import struct
import sys

ORIGINAL_DESTINATION = 80  # SO_ORIGINAL_DST, IP6T_SO_ORIGINAL_DST
SECONDS = 5.0


def listen(kind: int, family: int, address: str, port: int) -> None:
    server = socket.socket(family, kind)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, port))
    if kind == socket.SOCK_STREAM:
        server.listen()
    print("listening", flush=True)
    while True:
        if kind == socket.SOCK_DGRAM:
            _, caller = server.recvfrom(1)
            server.sendto(f"met {port}".encode(), caller)
            continue
        connection, _ = server.accept()
        with connection:
            connection.sendall(f"met {port} {_original(connection, family)}".encode())


def _original(connection: socket.socket, family: int) -> str:
    level = socket.SOL_IP if family == socket.AF_INET else socket.IPPROTO_IPV6
    try:
        found = connection.getsockopt(level, ORIGINAL_DESTINATION, 28)
    except OSError:
        return ""
    (port,) = struct.unpack_from("!H", found, 2)
    address = found[4:8] if family == socket.AF_INET else found[8:24]
    original = (socket.inet_ntop(family, address), port)
    return "" if original == connection.getsockname()[:2] else f"{original[0]} {original[1]}"


def call(kind: int, family: int, address: str, port: int, source: str) -> str:
    client = socket.socket(family, kind)
    client.settimeout(SECONDS)
    if source:
        client.bind((source, 0))
    try:
        client.connect((address, port))
        client.send(b"?")
        return client.recv(200).decode()
    except TimeoutError:
        return "lost"
    except OSError as error:
        # A datagram that a rule of this network refuses fails to be sent.
        if error.errno in (errno.ECONNREFUSED, errno.ECONNRESET, errno.EPERM):
            return "refused"
        raise


def main(what: str, kind: str, address: str, port: str, source: str = "") -> None:
    kinds = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    if what == "listen":
        listen(kinds[kind], family, address, int(port))
    else:
        print(call(kinds[kind], family, address, int(port), source))


if __name__ == "__main__":
    main(*sys.argv[1:])
