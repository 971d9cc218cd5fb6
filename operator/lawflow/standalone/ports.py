"""Whether addresses of this host can be listened on."""

import errno
import socket


class PortInUseError(OSError):
    """Somebody else listens where a sidecar should, or may not."""


def require_free(address: str, *ports: int) -> None:
    """Raise PortInUseError for the first port that cannot be listened on.

    Asked before Envoy starts: two Envoys of one user may share a port, and each would get half of the connections.
    """
    for port in ports:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    raise PortInUseError(
                        f"{address}:{port} is in use: end the process that listens there (another `lawflow up`?)"
                    ) from None
                raise PortInUseError(f"cannot listen on {address}:{port}: {error.strerror}") from None
