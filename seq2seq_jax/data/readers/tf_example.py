"""`tf.train.Example` and `tf.train.SequenceExample`, the usual content of TFRecord files.

    Example          features: maps a name to a list of bytes, floats (32 bit) or integers (64 bit)
    SequenceExample  context: features as above; feature_lists: maps a name to a list of such lists

Both are protocol buffers. TensorFlow defines them in tensorflow/core/example/example.proto and
feature.proto; here the protobuf library builds the same definition without TensorFlow.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

from seq2seq_jax.utils.errors import UserError

Feature = list[bytes] | list[float] | list[int]
"""The values of a feature. If there are none, their type is not known."""

Value = TypeVar("Value", bytes, int)


def parse_example(data: bytes, where: str = "record") -> dict[str, Feature]:
    """Parse an Example.

    Args:
      data: A serialized Example, or a SequenceExample, of which the context is returned.
      where: The location of the data for error messages, such as `FILE record N`.

    Returns:
      The features, sorted by name.

    Raises:
      UserError: The data are not such a message.
    """
    return _features(_parse(Example, data, where).features)


def parse_sequence_example(
    data: bytes, where: str = "record"
) -> tuple[dict[str, Feature], dict[str, list[Feature]]]:
    """Parse a SequenceExample.

    Args:
      data: A serialized SequenceExample, or an Example, whose features are returned as the context.
      where: The location of the data for error messages, such as `FILE record N`.

    Returns:
      The context and the feature lists, each sorted by name.

    Raises:
      UserError: The data are not such a message.
    """
    parsed = _parse(SequenceExample, data, where)
    lists = parsed.feature_lists.feature_list
    return _features(parsed.context), {
        name: [_values(feature) for feature in steps.feature]
        for name, steps in sorted(lists.items())
    }


def feature_values(
    features: Mapping[str, Feature], name: str, kind: type[Value], where: str
) -> list[Value]:
    """Return the values of a feature.

    Args:
      features: The features of a record.
      name: The name of the feature.
      kind: The type that its values must have: bytes or int.
      where: The location of the record for error messages, such as `FILE record N`.

    Returns:
      The values.

    Raises:
      UserError: There is no such feature, or its values have another type.
    """
    if name not in features:
        raise UserError(where, f"has no feature {name!r}; {_names(features)}")
    values = [value for value in features[name] if isinstance(value, kind)]
    if len(values) != len(features[name]):
        held = type(features[name][0])
        raise UserError(
            where, f"feature {name!r} must hold {_KINDS[kind]}, but holds {_KINDS[held]}"
        )
    return values


def feature_texts(features: Mapping[str, Feature], name: str, where: str) -> list[str]:
    """Return the values of a feature that holds UTF-8 texts.

    Args:
      features: The features of a record.
      name: The name of the feature.
      where: The location of the record for error messages, such as `FILE record N`.

    Returns:
      The texts.

    Raises:
      UserError: There is no such feature, or its values are not UTF-8 texts.
    """
    try:
        return [value.decode("utf-8") for value in feature_values(features, name, bytes, where)]
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise UserError(
            where,
            f"feature {name!r} is not UTF-8 (byte 0x{byte:02x} at column {error.start + 1})",
        ) from error


_KINDS = {bytes: "bytes", float: "floats", int: "integers"}
_NAMES_SHOWN = 20


def _names(features: Mapping[str, Feature]) -> str:
    if not features:
        return "it has none; it may not be a tf.train.Example or SequenceExample"
    names = sorted(features)
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return f"it has {', '.join(map(repr, names[:_NAMES_SHOWN]))}{more}"


def _parse(message_class: Any, data: bytes, where: str) -> Any:
    try:
        return message_class.FromString(data)
    except message.DecodeError as error:
        raise UserError(where, f"is not a tf.train.{message_class.DESCRIPTOR.name}") from error


def _features(features: Any) -> dict[str, Feature]:
    return {name: _values(feature) for name, feature in sorted(features.feature.items())}


def _values(feature: Any) -> Feature:
    kind = feature.WhichOneof("kind")
    return list(getattr(feature, kind).value) if kind else []


def _message_classes() -> tuple[Any, Any]:
    """Return the classes Example and SequenceExample.

    They are in a separate descriptor pool, because TensorFlow may define them in the default
    pool of the same process.
    """
    file = descriptor_pb2.FileDescriptorProto(
        name="example.proto", package="tensorflow", syntax="proto3"
    )
    for name, declarations in _MESSAGES.items():
        message = file.message_type.add(name=name)
        if any(declaration.startswith("oneof") for declaration in declarations):
            message.oneof_decl.add(name="kind")
        for number, declaration in enumerate(declarations, start=1):
            label, kind, field = declaration.split()
            if label == "map":
                entry = message.nested_type.add(name=field.title().replace("_", "") + "Entry")
                entry.options.map_entry = True
                _add_field(entry, 1, "optional", "string", "key")
                _add_field(entry, 2, "optional", kind, "value")
                label, kind = "repeated", f"{name}.{entry.name}"
            _add_field(message, number, label, kind, field)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return tuple(
        message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tensorflow.{name}"))
        for name in ("Example", "SequenceExample")
    )


def _add_field(
    message: descriptor_pb2.DescriptorProto, number: int, label: str, kind: str, name: str
) -> None:
    field_type = descriptor_pb2.FieldDescriptorProto
    field = message.field.add(name=name, number=number)
    field.label = field_type.LABEL_REPEATED if label == "repeated" else field_type.LABEL_OPTIONAL
    if label == "oneof":
        field.oneof_index = 0
    if kind.islower():
        field.type = getattr(field_type, f"TYPE_{kind.upper()}")
    else:
        field.type, field.type_name = field_type.TYPE_MESSAGE, f".tensorflow.{kind}"


_MESSAGES = {
    "BytesList": ["repeated bytes value"],
    "FloatList": ["repeated float value"],
    "Int64List": ["repeated int64 value"],
    "Feature": [
        "oneof BytesList bytes_list",
        "oneof FloatList float_list",
        "oneof Int64List int64_list",
    ],
    "Features": ["map Feature feature"],
    "FeatureList": ["repeated Feature feature"],
    "FeatureLists": ["map FeatureList feature_list"],
    "Example": ["optional Features features"],
    "SequenceExample": ["optional Features context", "optional FeatureLists feature_lists"],
}
Example, SequenceExample = _message_classes()
