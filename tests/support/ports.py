"""Ports on the loopback address that stay free until the server that they are meant for takes them."""

import socket


class ReservedPort:
    """A TCP port of 127.0.0.1 that a server may listen on, die, and listen on again, and that nobody else is given.

    The port is held by a socket that is bound and never listens. Both sides allow address reuse (Go's and asyncio's
    servers do by default), so Linux lets the server listen beside it, while the search for a free port and for the
    local end of a connection passes it by. With no server there, a connection is refused at once.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.number: int = self._socket.getsockname()[1]

    def release(self) -> None:
        """Gives the port back."""
        self._socket.close()
