"""The peer of the admission benchmark: an admission server that looks at nothing and answers one patch to all.

What it adds to the creation of a pod, every injector of a sidecar of that size adds: the call, and the API server's own
work on a larger pod. Arguments: port, certificate, key and a file with the JSON patch. It serves until it is killed.
"""

import asyncio
import base64
import sys
from pathlib import Path

import orjson
import uvloop

from lawflow.webhook.certificate import ServingCertificate
from lawflow.webhook.http import HttpServer, Request, Response
from lawflow.webhook.settings import Limits


async def serve(port: int, certificate: Path, key: Path, patch: bytes) -> None:
    """Serve for ever."""
    constant = {"allowed": True, "patchType": "JSONPatch", "patch": base64.b64encode(patch).decode()}

    def admit(request: Request) -> Response:
        review = orjson.loads(request.body)
        answer = {**review, "request": None, "response": {"uid": review["request"]["uid"], **constant}}
        return Response(body=orjson.dumps(answer))

    http = HttpServer(admit, Limits())
    context = ServingCertificate(certificate, key).context
    server = await asyncio.get_running_loop().create_server(http.connection, "127.0.0.1", port, ssl=context)
    await server.serve_forever()


if __name__ == "__main__":
    files = [Path(name) for name in sys.argv[2:5]]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1]), files[0], files[1], files[2].read_bytes()))
