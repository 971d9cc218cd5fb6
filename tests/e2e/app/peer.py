"""The app of both pods: a server that tells what reached it, and a client that tells what came back.

It knows nothing of Lawflow. ``peer.py serve PORT`` serves; ``peer.py call METHOD URL [JSON]`` makes one request and
prints the answer as JSON; ``peer.py wait`` does nothing until it is ended.
"""

import json
import signal
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Told(BaseHTTPRequestHandler):
    """Answers with the pointers of the body's fields, the caller as the sidecar names it, its pod, and a field more."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        told = {
            "received": list(pointers(json.loads(body))) if body else [],
            "caller": self.headers.get("x-forwarded-client-cert", ""),
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


def pointers(value: Any, at: str = "") -> Iterator[str]:
    """The JSON pointer of every leaf."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from pointers(member, f"{at}/{name}")
    else:
        yield at


def call(method: str, url: str, body: str = "") -> None:
    """Make one request and print status, type and document of the answer."""
    request = urllib.request.Request(url, body.encode() or None, {"content-type": "application/json"}, method=method)
    try:
        answer = urllib.request.urlopen(request, timeout=10.0)
    except urllib.error.HTTPError as refused:
        answer = refused
    with answer:
        told = {"status": answer.status, "type": answer.headers["content-type"], "document": json.loads(answer.read())}
    print(json.dumps(told))


def main(what: str, *arguments: str) -> None:
    """Do as told, until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    if what == "serve":
        ThreadingHTTPServer(("0.0.0.0", int(arguments[0])), Told).serve_forever()
    elif what == "call":
        call(*arguments)
    else:
        signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
