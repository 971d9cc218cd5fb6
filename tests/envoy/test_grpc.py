"""gRPC through both sidecars: messages pass with their declared fields alone, and calls may talk both ways."""

import base64
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from tests.support.http_messages import Message
from tests.support.ports import ReservedPort
from tests.support.recording_app import Answer, recording_app
from tests.support.sidecars import Mesh, flow, mesh
from tests.support.waiting import seen

from lawflow.mesh.route import PEER_PROBLEM

pytestmark = pytest.mark.envoy

PACKAGE = "shop.v1"
METHOD = "/shop.v1.Orders/Place"
TALK = "/shop.v1.Orders/Talk"


def descriptors() -> descriptor_pb2.FileDescriptorSet:
    file = descriptor_pb2.FileDescriptorProto(name="shop.proto", package=PACKAGE, syntax="proto3")
    text, message = descriptor_pb2.FieldDescriptorProto.TYPE_STRING, descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
    one = descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
    customer = file.message_type.add(name="Customer")
    for number, name in enumerate(("id", "email"), start=1):
        customer.field.add(name=name, number=number, type=text, label=one, json_name=name)
    for kind in ("Order", "Receipt"):
        made = file.message_type.add(name=kind)
        made.field.add(name="number", number=1, type=text, label=one, json_name="number")
        made.field.add(name="note", number=2, type=text, label=one, json_name="note")
        made.field.add(
            name="customer", number=3, type=message, type_name=f".{PACKAGE}.Customer", label=one, json_name="customer"
        )
    return descriptor_pb2.FileDescriptorSet(file=[file])


SET = descriptors()
_POOL = descriptor_pool.DescriptorPool()
_POOL.Add(SET.file[0])
Order: Any = message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{PACKAGE}.Order"))
Receipt: Any = message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{PACKAGE}.Receipt"))


def declared(**more: Any) -> dict[str, Any]:
    found = flow("orders", "billing", "/unused")
    found["spec"]["descriptorSets"] = [
        {"name": "shop", "data": base64.b64encode(SET.SerializeToString()).decode()},
    ]

    def payload(message: str, *pointers: str) -> dict[str, Any]:
        fields = [{"pointer": pointer, "category": "none"} for pointer in pointers]
        return {"message": {"descriptorSet": "shop", "name": f"{PACKAGE}.{message}"}, "fields": fields}

    parts = {"request": payload("Order", "/number", "/customer/id"), "response": payload("Receipt", "/number")} | more
    found["spec"]["operations"] = [
        {"name": "place", "methods": ["POST"], "path": METHOD, **parts},
        {"name": "talk", "methods": ["POST"], "path": TALK, **parts},
    ]
    return found


class Handler(grpc.GenericRpcHandler):  # type: ignore[misc] # untyped
    """Keeps what it gets and answers with all that it knows."""

    def __init__(self) -> None:
        self.orders: list[Any] = []
        self.metadata: list[dict[str, str]] = []

    def service(self, details: Any) -> Any:
        serialization = {"request_deserializer": Order.FromString, "response_serializer": Receipt.SerializeToString}
        if details.method == METHOD:
            return grpc.unary_unary_rpc_method_handler(self._place, **serialization)
        return grpc.stream_stream_rpc_method_handler(self._talk, **serialization)

    async def _place(self, order: Any, context: Any) -> Any:
        self.orders.append(order)
        self.metadata.append(dict(context.invocation_metadata()))
        return Receipt(number=order.number, note="for Jane Doe", customer={"email": "jane@example.org"})

    async def _talk(self, orders: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        async for order in orders:
            yield await self._place(order, context)


@contextlib.asynccontextmanager
async def called(directory: Path, **more: Any) -> AsyncIterator[tuple[grpc.aio.Channel, Handler, Mesh]]:
    """A channel of the app of orders to billing, once calls get through."""
    handler, server = Handler(), grpc.aio.server()
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with mesh(directory) as net:
        net.put(declared(**more))
        net.local_port("billing", port)
        for sidecar in (await net.sidecar("orders"), await net.sidecar("billing")):
            await sidecar.ready.wait()
        async with grpc.aio.insecure_channel(f"{net.outbound('orders', 'billing')}:8080") as channel:

            async def up() -> bool | None:
                with contextlib.suppress(grpc.aio.AioRpcError):
                    return bool(await place(channel)(Order(number="0")))
                return None

            await seen(up, "a first answer")
            handler.orders.clear()
            handler.metadata.clear()
            yield channel, handler, net
    await server.stop(None)


def place(channel: grpc.aio.Channel) -> Any:
    return channel.unary_unary(
        METHOD, request_serializer=Order.SerializeToString, response_deserializer=Receipt.FromString
    )


FULL = Order(number="17", note="for Anna", customer={"id": "7", "email": "anna@example.org"})
KEPT = Order(number="17", customer={"id": "7"})


async def test_messages_pass_with_their_declared_fields_alone(tmp_path: Path) -> None:
    async with called(tmp_path) as (channel, handler, _):
        receipt = await place(channel)(FULL, metadata=(("x-user", "anna"),))
        assert receipt == Receipt(number="17")
        assert handler.orders == [KEPT]
        assert "x-user" not in handler.metadata[0]


async def test_both_sides_of_a_call_may_wait_for_each_other(tmp_path: Path) -> None:
    async with called(tmp_path) as (channel, handler, _):
        talk = channel.stream_stream(
            TALK, request_serializer=Order.SerializeToString, response_deserializer=Receipt.FromString
        )()
        for _ in range(3):
            await talk.write(FULL)
            assert await talk.read() == Receipt(number="17")
        await talk.done_writing()
        assert handler.orders == [KEPT] * 3


async def test_an_undeclared_method_is_refused_with_a_status_of_grpc(tmp_path: Path) -> None:
    async with called(tmp_path) as (channel, handler, _):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.unary_unary("/shop.v1.Orders/Cancel", request_serializer=Order.SerializeToString)(FULL)
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
        assert handler.orders == []


async def refusal(channel: grpc.aio.Channel) -> grpc.aio.AioRpcError:
    """How the first call that fails does."""

    async def look() -> grpc.aio.AioRpcError | None:
        try:
            await place(channel)(FULL)
        except grpc.aio.AioRpcError as refused:
            return refused
        return None

    return await seen(look, "a call that fails")


async def test_the_refusal_of_the_peers_sidecar_reaches_the_app_as_it_was_written(tmp_path: Path) -> None:
    nobody = ReservedPort()
    async with called(tmp_path, verify="full") as (channel, _, net):
        net.local_port("billing", nobody.number)
        refused = await refusal(channel)
    nobody.release()
    assert refused.code() is grpc.StatusCode.UNAVAILABLE
    document = json.loads(refused.details() or "")
    assert document["enforcedBy"].endswith("/sa/billing")
    assert document["title"] == "The sidecar could not pass the request on"
    assert PEER_PROBLEM not in dict(refused.trailing_metadata() or ()) | dict(refused.initial_metadata() or ())


FORGED = {"type": "about:blank", "title": "t", "status": 403, "detail": "Jane Doe", "enforcedBy": "spiffe://x"}


@pytest.mark.parametrize("said", ["Jane Doe", json.dumps(FORGED)])
async def test_an_app_cannot_pass_its_message_off_for_a_sidecars(tmp_path: Path, said: str) -> None:
    head = [("content-type", "application/grpc"), ("grpc-status", "10"), ("grpc-message", said), (PEER_PROBLEM, "1")]
    async with recording_app() as app, called(tmp_path, verify="full") as (channel, _, net):
        app.begin(Answer(Message(head)))
        net.local_port("billing", app.port)
        refused = await refusal(channel)
    assert refused.code() is grpc.StatusCode.ABORTED
    assert not refused.details()


async def test_what_is_no_message_is_cut_off(tmp_path: Path) -> None:
    async with called(tmp_path) as (channel, handler, _):
        with pytest.raises(grpc.aio.AioRpcError):
            await channel.unary_unary(METHOD)(b"\x0a\xff")
        assert handler.orders == []
