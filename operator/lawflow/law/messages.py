"""Whether pointers lead to fields of protocol buffers, as ``sidecar/core/src/minimize/protobuf`` decides it."""

import base64
import binascii
from collections.abc import Iterable, Mapping
from functools import lru_cache

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorSet
from google.protobuf.message import DecodeError

from lawflow.law.pointers import SUBTREE, Use

Described = Mapping[str, DescriptorProto]
"""Messages by full name."""

_ANY = "google.protobuf.Any"
_SINGLE_VALUES = frozenset(
    f"google.protobuf.{name}"
    for name in (
        "BoolValue", "BytesValue", "DoubleValue", "Duration", "FieldMask", "FloatValue", "Int32Value", "Int64Value",
        "StringValue", "Timestamp", "UInt32Value", "UInt64Value",
    )
)  # fmt: skip
"""Messages that are one value in the JSON form of protocol buffers."""
_NAMELESS = frozenset(
    (
        FieldDescriptorProto.TYPE_BOOL, FieldDescriptorProto.TYPE_BYTES, FieldDescriptorProto.TYPE_DOUBLE,
        FieldDescriptorProto.TYPE_ENUM, FieldDescriptorProto.TYPE_FLOAT,
    )
)  # fmt: skip
"""Types whose values are not taken for the name of somebody."""


class _MisfitError(ValueError):
    """A pointer leads to nothing that could be treated so."""


@lru_cache(maxsize=256)
def described(data: str) -> Described | str:
    """The messages of a descriptor set in Base64, or why it cannot be used."""
    try:
        found = FileDescriptorSet.FromString(base64.b64decode(data, validate=True))
    except binascii.Error:
        return "is not written in Base64"
    except DecodeError:
        return "is no FileDescriptorSet"
    messages: dict[str, DescriptorProto] = {}
    try:
        for file in found.file:
            for message in file.message_type:
                _collect(messages, file.package, message)
    except _MisfitError as error:
        return str(error)
    return messages


def misfit(messages: Described, name: str, pointers: Iterable[Use]) -> tuple[str, str]:
    """Path and reason of the first pointer into the message ``name`` that no sidecar can apply; empty where all fit.

    The path is empty where the message itself is not described.
    """
    if name not in messages:
        return "", f"no message {name} is described"
    for use in pointers:
        try:
            _message(messages, messages[name], name, use, use.parts)
        except _MisfitError as error:
            return use.path, str(error)
    return "", ""


def _collect(messages: dict[str, DescriptorProto], scope: str, message: DescriptorProto) -> None:
    name = f"{scope}.{message.name}" if scope else message.name
    for field in message.field:
        if not (field.name and field.HasField("number") and field.HasField("type") and field.HasField("label")):
            raise _MisfitError(f"does not describe a field of {name} by name, number, type and label")
        if field.type == field.TYPE_MESSAGE and not field.type_name.startswith("."):
            raise _MisfitError(f"does not name the type of {field.name} in {name} in full")
    for nested in message.nested_type:
        _collect(messages, name, nested)
    if name in messages:
        raise _MisfitError(f"describes {name} twice")
    messages[name] = message


def _find(messages: Described, name: str) -> DescriptorProto:
    if name not in messages:
        raise _MisfitError(f"leads into {name}, which is not described: include all imports")
    return messages[name]


def _message(messages: Described, message: DescriptorProto, name: str, use: Use, parts: list[str]) -> None:
    if not parts:
        raise _MisfitError(f"ends at {name}, which is a message: name its fields, or end in /** for all of it")
    first, *rest = parts
    if first == SUBTREE:
        if use.passes:
            _closed(messages, name, set())
        return
    if name == _ANY:
        raise _MisfitError(f"leads into {_ANY}, which may hold anything and passes as a whole: end in /**")
    if first == "*":
        raise _MisfitError(f"has * where {name} is a message: name its fields")
    wanted = first.replace("~2", "*").replace("~1", "/").replace("~0", "~")
    found = [field for field in message.field if wanted in (field.name, _json_name(field))]
    if len(found) != 1:
        raise _MisfitError(f"names {wanted}, and {name} has no such field, or more than one")
    _field(messages, found[0], use, rest)


def _field(messages: Described, field: FieldDescriptorProto, use: Use, parts: list[str]) -> None:
    if field.type == field.TYPE_GROUP:
        raise _MisfitError(f"leads to {field.name}, which is a group")
    if field.label != field.LABEL_REPEATED or parts == [SUBTREE]:
        _value(messages, field, use, parts)
    elif parts[:1] == ["*"]:
        _value(messages, _map_value(messages, field) or field, use, parts[1:])
    else:
        raise _MisfitError(f"must go on with * or end in /**, since {field.name} is repeated or a map")


def _map_value(messages: Described, field: FieldDescriptorProto) -> FieldDescriptorProto | None:
    if field.type != field.TYPE_MESSAGE:
        return None
    entry = _find(messages, field.type_name[1:])
    return next((each for each in entry.field if entry.options.map_entry and each.number == 2), None)


def _value(messages: Described, field: FieldDescriptorProto, use: Use, parts: list[str]) -> None:
    if field.type == field.TYPE_MESSAGE:
        name = field.type_name[1:]
        message = _find(messages, name)
        is_single = not parts and not use.is_changed and not use.is_subject and name in _SINGLE_VALUES
        _message(messages, message, name, use, [SUBTREE] if is_single else parts)
        return
    if parts not in ([], [SUBTREE]):
        raise _MisfitError(f"goes on below {field.name}, which holds no fields")
    if use.is_changed and field.type != field.TYPE_STRING:
        raise _MisfitError(f"is to change {field.name}, and only strings can be changed")
    if use.is_subject and (field.label == field.LABEL_REPEATED or field.type in _NAMELESS):
        raise _MisfitError(f"takes {field.name} for the data subject, whom one string or integer names")


def _closed(messages: Described, name: str, seen: set[str]) -> None:
    """Raises _MisfitError where a message that passes as a whole holds one that is not described."""
    if name in seen:
        return
    seen.add(name)
    for field in _find(messages, name).field:
        if field.type == field.TYPE_MESSAGE:
            _closed(messages, field.type_name[1:], seen)


def _json_name(field: FieldDescriptorProto) -> str:
    if field.HasField("json_name"):
        return str(field.json_name)
    first, *others = str(field.name).split("_")
    return first + "".join(each[:1].upper() + each[1:] for each in others)
