"""`tf.train.Example` and `tf.train.SequenceExample`: what TFRecord files mostly hold.

    Example          features: a name to a list of bytes, floats (32 bits) or integers (64 bits)
    SequenceExample  context: features as above; feature_lists: a name to a list of such lists

Both are protocol buffers. Their definition, which TensorFlow has as tensorflow/core/example/
example.proto and feature.proto, is built here by the protobuf library.
"""

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, TypeVar

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

from seq2seq_jax.utils.errors import UserError

Feature = list[bytes] | list[float] | list[int]
"""Empty where the feature has no values; what their type would have been is lost."""

GivenFeature = Sequence[bytes] | Sequence[float] | Sequence[int]

Value = TypeVar("Value", bytes, int)


def parse_example(data: bytes, where: str = "record") -> dict[str, Feature]:
    """The features of an Example, sorted by name.

    Args:
      data: a serialized message. A SequenceExample gives its context.
      where: names it in errors, `FILE record N` say.

    Raises:
      UserError: it is no such message.
    """
    return _features(_parsed(_EXAMPLE, data, where).features)


def parse_sequence_example(
    data: bytes, where: str = "record"
) -> tuple[dict[str, Feature], dict[str, list[Feature]]]:
    """The context and the feature lists of a SequenceExample, each sorted by name.

    Arguments and errors as `parse_example`. An Example gives its features as the context.
    """
    parsed = _parsed(_SEQUENCE_EXAMPLE, data, where)
    lists = parsed.feature_lists.feature_list
    return _features(parsed.context), {
        name: [_values(feature) for feature in steps.feature]
        for name, steps in sorted(lists.items())
    }


def serialize_example(features: Mapping[str, GivenFeature]) -> bytes:
    """An Example of these features; equal features make equal bytes.

    Raises:
      TypeError: a list is of several types, or of others than bytes and numbers.
    """
    example = _EXAMPLE()
    _set_features(example.features, features)
    return example.SerializeToString(deterministic=True)


def serialize_sequence_example(
    context: Mapping[str, GivenFeature],
    feature_lists: Mapping[str, Iterable[GivenFeature]],
) -> bytes:
    """A SequenceExample; otherwise as `serialize_example`."""
    example = _SEQUENCE_EXAMPLE()
    _set_features(example.context, context)
    for name, steps in feature_lists.items():
        # Named even if there are no steps.
        feature_list = example.feature_lists.feature_list[name]
        for step in steps:
            _set_values(feature_list.feature.add(), step)
    return example.SerializeToString(deterministic=True)


def values_of(
    features: Mapping[str, Feature], name: str, kind: type[Value], where: str
) -> list[Value]:
    """The values of a feature that must be there and must be of a kind.

    Args:
      kind: bytes or int.
      where: `FILE record N`, for errors.

    Raises:
      UserError: there is no such feature, or it is of another kind.
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


def texts_of(features: Mapping[str, Feature], name: str, where: str) -> list[str]:
    """The values of a feature, as `values_of`, which are UTF-8 moreover."""
    try:
        return [value.decode("utf-8") for value in values_of(features, name, bytes, where)]
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
        return "it has none at all: is it a tf.train.Example or SequenceExample?"
    names = sorted(features)
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return f"it has {', '.join(map(repr, names[:_NAMES_SHOWN]))}{more}"


def _parsed(message_class: Any, data: bytes, where: str) -> Any:
    try:
        return message_class.FromString(data)
    except message.DecodeError as error:
        raise UserError(
            where, f"is no tf.train.{message_class.DESCRIPTOR.name}: its bytes are of another kind"
        ) from error


def _features(features: Any) -> dict[str, Feature]:
    return {name: _values(feature) for name, feature in sorted(features.feature.items())}


def _values(feature: Any) -> Feature:
    kind = feature.WhichOneof("kind")
    return list(getattr(feature, kind).value) if kind else []


def _set_features(message: Any, features: Mapping[str, GivenFeature]) -> None:
    for name, values in features.items():
        _set_values(message.feature[name], values)


def _set_values(feature: Any, values: GivenFeature) -> None:
    if not len(values):
        return
    for kind, types in (
        ("bytes_list", bytes),
        ("int64_list", Integral),
        ("float_list", Real),
    ):
        if all(isinstance(value, types) for value in values):
            getattr(feature, kind).value.extend(values)
            return
    found = ", ".join(sorted({type(value).__name__ for value in values}))
    raise TypeError(f"a feature is a list of bytes, of floats or of integers; got {found}")


def _message_classes() -> tuple[Any, Any]:
    """Of Example and SequenceExample.

    They are kept in a pool of their own: TensorFlow, if the process has it, has its own.
    """
    field_type = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="example.proto", package="tensorflow", syntax="proto3"
    )

    def define(name: str, holder: Any = file.message_type) -> Any:
        return holder.add(name=name)

    def field(message: Any, name: str, number: int, kind: str, *, repeated: bool = False) -> Any:
        new = message.field.add(name=name, number=number)
        new.label = field_type.LABEL_REPEATED if repeated else field_type.LABEL_OPTIONAL
        scalar = _SCALARS.get(kind)
        new.type = getattr(field_type, scalar or "TYPE_MESSAGE")
        if scalar is None:
            new.type_name = f".tensorflow.{kind}"
        return new

    def map_field(message: Any, name: str, kind: str) -> None:
        entry = define(name.title().replace("_", "") + "Entry", message.nested_type)
        entry.options.map_entry = True
        field(entry, "key", 1, "string")
        field(entry, "value", 2, kind)
        field(message, name, 1, f"{message.name}.{entry.name}", repeated=True)

    for name, kind in (("BytesList", "bytes"), ("FloatList", "float"), ("Int64List", "int64")):
        field(define(name), "value", 1, kind, repeated=True)
    feature = define("Feature")
    feature.oneof_decl.add(name="kind")
    for number, kind in enumerate(("BytesList", "FloatList", "Int64List"), start=1):
        new = field(feature, kind.replace("List", "_list").lower(), number, kind)
        new.oneof_index = 0
    map_field(define("Features"), "feature", "Feature")
    field(define("FeatureList"), "feature", 1, "Feature", repeated=True)
    map_field(define("FeatureLists"), "feature_list", "FeatureList")
    field(define("Example"), "features", 1, "Features")
    sequence_example = define("SequenceExample")
    field(sequence_example, "context", 1, "Features")
    field(sequence_example, "feature_lists", 2, "FeatureLists")

    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return tuple(
        message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tensorflow.{name}"))
        for name in ("Example", "SequenceExample")
    )


_SCALARS = {
    "bytes": "TYPE_BYTES",
    "float": "TYPE_FLOAT",
    "int64": "TYPE_INT64",
    "string": "TYPE_STRING",
}
_EXAMPLE, _SEQUENCE_EXAMPLE = _message_classes()
