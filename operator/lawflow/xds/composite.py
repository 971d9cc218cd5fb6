"""Envoy's ``ClusterConfig`` of composite clusters, a message that the package of its other messages lacks.

The fields as in envoy/extensions/clusters/composite/v3/cluster.proto of Envoy 1.40.
"""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_FILE = "envoy/extensions/clusters/composite/v3/cluster.proto"
_PACKAGE = "envoy.extensions.clusters.composite.v3"


def _declare() -> None:
    file = descriptor_pb2.FileDescriptorProto(name=_FILE, package=_PACKAGE, syntax="proto3")
    field = descriptor_pb2.FieldDescriptorProto
    config = file.message_type.add(name="ClusterConfig")
    entry = config.nested_type.add(name="ClusterEntry")
    entry.field.add(name="name", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    config.field.add(
        name="clusters", number=1, type=field.TYPE_MESSAGE, label=field.LABEL_REPEATED,
        type_name=f".{_PACKAGE}.ClusterConfig.ClusterEntry",
    )  # fmt: skip
    pool = descriptor_pool.Default()
    pool.Add(file)
    message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.ClusterConfig"))


_declare()
