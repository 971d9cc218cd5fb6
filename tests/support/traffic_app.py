"""The apps of drills, which know nothing of Lawflow: a server, and a client that never stops and tells how it fares.

``serve`` answers HTTP at one port and echoes TCP at another. ``drive`` calls both by new and by kept connections and
prints, each second, how often which came to what end: ``{"at": 1790000000, "http": {"ok": 20}, …}``.
"""

import collections
import contextlib
import http.client
import json
import signal
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HTTP_PORT, TCP_PORT = 8080, 5432
ORDER = {"customer": {"id": "c-17"}, "amount": 12, "note": "never declared"}
SECONDS_BETWEEN_CALLS = 0.05
SECONDS_TO_ANSWER = 10.0

Call = Callable[[], str]


class Answers(BaseHTTPRequestHandler):
    """Tells which fields arrived."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))))
        content = json.dumps({"received": sorted(body)}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


class Echoes(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while data := self.request.recv(4096):
                self.request.sendall(data)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


def serve() -> None:
    """Serve both ports."""
    echo = Server(("0.0.0.0", TCP_PORT), Echoes)
    threading.Thread(target=echo.serve_forever, daemon=True).start()
    ThreadingHTTPServer(("0.0.0.0", HTTP_PORT), Answers).serve_forever()


def post(connection: http.client.HTTPConnection) -> str:
    """One call; "ok", or the status that was no success, or what came back that should not."""
    connection.request("POST", "/charges/c-17", json.dumps(ORDER), {"content-type": "application/json"})
    answer = connection.getresponse()
    told = answer.read()
    if answer.status != 200:
        return str(answer.status)
    return "ok" if json.loads(told) == {"received": ["amount", "customer"]} else "a field too many or too few"


def new_connection_http(host: str) -> Call:
    def call() -> str:
        connection = http.client.HTTPConnection(host, HTTP_PORT, timeout=SECONDS_TO_ANSWER)
        with contextlib.closing(connection):
            return post(connection)

    return call


def kept_connection_http(host: str) -> Call:
    connection = http.client.HTTPConnection(host, HTTP_PORT, timeout=SECONDS_TO_ANSWER)

    def call() -> str:
        try:
            return post(connection)
        except BaseException:
            connection.close()
            raise

    return call


def echoed(connection: socket.socket) -> str:
    connection.sendall(b"ping\n")
    received = b""
    while len(received) < 5:
        if not (data := connection.recv(5)):
            raise ConnectionResetError
        received += data
    return "ok" if received == b"ping\n" else "other bytes"


def new_connection_tcp(host: str) -> Call:
    def call() -> str:
        with socket.create_connection((host, TCP_PORT), SECONDS_TO_ANSWER) as connection:
            return echoed(connection)

    return call


def kept_connection_tcp(host: str) -> Call:
    kept: list[socket.socket] = []

    def call() -> str:
        if not kept:
            kept.append(socket.create_connection((host, TCP_PORT), SECONDS_TO_ANSWER))
        try:
            return echoed(kept[0])
        except BaseException:
            kept.pop().close()
            raise

    return call


def drive(http_host: str, tcp_host: str) -> None:
    """Call for ever."""
    calls = {
        "http": new_connection_http(http_host),
        "http kept": kept_connection_http(http_host),
        "tcp": new_connection_tcp(tcp_host),
        "tcp kept": kept_connection_tcp(tcp_host),
    }
    outcomes: dict[str, collections.Counter[str]] = {kind: collections.Counter() for kind in calls}
    for kind, call in calls.items():
        threading.Thread(target=repeat, args=(call, outcomes[kind]), daemon=True).start()
    for _ in seconds():
        told = {kind: dict(counted) for kind, counted in outcomes.items()}
        print(json.dumps({"at": time.time(), **told}), flush=True)


def repeat(call: Call, outcomes: collections.Counter[str]) -> None:
    while True:
        try:
            outcome = call()
        except (OSError, http.client.HTTPException) as error:
            outcome = type(error).__name__
        outcomes[outcome] += 1
        time.sleep(SECONDS_BETWEEN_CALLS)


def seconds() -> Iterator[None]:
    while True:
        time.sleep(1)
        yield


def main(what: str, *arguments: str) -> None:
    """Do as told, until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    if what == "serve":
        serve()
    elif what == "drive":
        drive(*arguments)
    else:
        signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
