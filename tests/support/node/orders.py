"""Orders to the first process of a node while it runs: to end and start a program of the node, or the node itself.

Each is one line of JSON over a unix socket in the node's folder, answered by one line: ``{}``, or ``{"failed": …}``.
"""

import json
import socket
import time
from pathlib import Path

SOCKET = "orders.sock"
RESTART_STATUS = 75
"""With which the first process of a node ends that is to start again."""
SECONDS_BETWEEN_LOOKS = 0.05


def give(directory: Path, order: str, seconds: float, **what: object) -> None:
    """Gives an order to the node in that directory. Raises AssertionError where it cannot be carried out in time."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(max(0.1, deadline - time.monotonic()))
                client.connect(str(directory / SOCKET))
                client.sendall(json.dumps({"order": order, **what}).encode() + b"\n")
                answer = client.makefile().readline()
        except OSError as error:
            answer, problem = "", str(error)
        else:
            problem = "it ended meanwhile"
        if answer:
            if failed := json.loads(answer).get("failed"):
                raise AssertionError(f"the node could not {order} {what or ''}: {failed}")
            return
        if order != "settle" or time.monotonic() > deadline:
            raise AssertionError(f"the node gave no answer to {order}: {problem}")
        time.sleep(SECONDS_BETWEEN_LOOKS)
