"""The app of all pods: a server that tells what reached it, and a client that tells what came back.

It knows nothing of Lawflow. ``peer.py serve PORT [ADDRESS [FILE]]`` serves, by TLS with key and chain in a file;
``peer.py grpc PORT`` answers gRPC health checks;
``peer.py call METHOD URL [JSON]`` makes one request and prints the answer as JSON; ``peer.py load METHOD URL [JSON]``
keeps making requests, each on a connection of its own, and prints counts as a line of JSON again and again;
``peer.py wait`` does nothing. All but ``call`` go on until SIGTERM.
"""

import json
import signal
import socket
import socketserver
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WORKERS = 4
SECONDS_BETWEEN_REQUESTS = 0.06
SECONDS_BETWEEN_LINES = 0.2


class Told(BaseHTTPRequestHandler):
    """Answers with the pointers of the body's fields, the caller as the sidecar names it, what it was shown of the
    caller, its pod, and a field more."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        told = {
            "received": list(pointers(json.loads(body))) if body else [],
            "caller": self.headers.get("x-forwarded-client-cert", ""),
            **({"shown": [self.headers["authorization"], self.headers["dpop"]]} if "dpop" in self.headers else {}),
            "name": socket.gethostname(),
            "internal": "never declared",
        }
        content = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = answer  # noqa: N815 - the names that http.server looks for


class Healthy(socketserver.StreamRequestHandler):
    """As much of HTTP/2 (RFC 9113) as it takes to say SERVING to whatever is asked in gRPC's health protocol."""

    def handle(self) -> None:
        self.rfile.read(24)  # the preface
        self.frame(4, 0, 0, b"")
        while head := self.rfile.read(9):
            kind, flags, stream = head[3], head[4], int.from_bytes(head[5:9])
            self.rfile.read(int.from_bytes(head[:3]))
            if kind == 4 and not flags & 1:
                self.frame(4, 1, 0, b"")
            elif kind == 0 and flags & 1:
                # HPACK (RFC 7541): an indexed :status 200, and two fields as literals.
                self.frame(1, 4, stream, b"\x88\x0f\x10\x10application/grpc")
                self.frame(0, 0, stream, b"\0\0\0\0\x02\x08\x01")
                self.frame(1, 5, stream, b"\x00\x0bgrpc-status\x010")

    def frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        self.wfile.write(len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload)


def pointers(value: Any, at: str = "") -> Iterator[str]:
    """The JSON pointer of every leaf."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from pointers(member, f"{at}/{name}")
    else:
        yield at


def call(method: str, url: str, body: str = "") -> dict[str, Any]:
    """Make one request; status, type and document of the answer. Raises OSError where there is none."""
    request = urllib.request.Request(url, body.encode() or None, {"content-type": "application/json"}, method=method)
    try:
        answer = urllib.request.urlopen(request, timeout=10.0)
    except urllib.error.HTTPError as refused:
        answer = refused
    with answer:
        document = json.loads(answer.read())
        return {"status": answer.status, "type": answer.headers["content-type"], "document": document}


def load(*request: str) -> None:
    """Keep making a request; whatever is not answered with 200 has failed."""
    sent: Counter[str] = Counter()
    failed: Counter[str] = Counter()

    def work() -> None:
        while True:
            try:
                answer = call(*request)
                failure = "" if answer["status"] == 200 else f"{answer['status']} {answer['document']}"
            except (OSError, ValueError) as error:
                failure = repr(error)
            if failure:
                failed[failure] += 1
            sent["all"] += 1
            time.sleep(SECONDS_BETWEEN_REQUESTS)

    for _ in range(WORKERS):
        threading.Thread(target=work, daemon=True).start()
    while True:
        time.sleep(SECONDS_BETWEEN_LINES)
        print(json.dumps({"sent": sent["all"], "failed": dict(failed)}), flush=True)


def serve(port: str, address: str = "0.0.0.0", certificate: str = "") -> None:
    """Serve for ever."""
    server = ThreadingHTTPServer((address, int(port)), Told)
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()


def main(what: str, *arguments: str) -> None:
    """Do as told, until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    if what == "serve":
        serve(*arguments)
    elif what == "grpc":
        socketserver.ThreadingTCPServer(("0.0.0.0", int(arguments[0])), Healthy).serve_forever()
    elif what == "load":
        load(*arguments)
    elif what == "call":
        print(json.dumps(call(*arguments)))
    else:
        signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
