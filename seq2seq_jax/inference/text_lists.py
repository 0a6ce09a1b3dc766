"""Texts that a caller passes in any ordered collection, as lists."""

from collections.abc import Iterable, Mapping, Set

from seq2seq_jax.data.tokenizers import Tokenizer


def to_list(name: str, items: object) -> list[object]:
    """Return the items of a list, tuple, generator, NumPy array or pandas Series, in their order.

    Args:
      name: The name of the argument, for errors.
      items: The collection.

    Raises:
      TypeError: It is a single text, has no order, or is a table.

    Example:
      >>> to_list("texts", (text for text in ("a", "b")))
      ['a', 'b']
    """
    kind = type(items).__name__
    if isinstance(items, str | bytes):
        raise TypeError(f"{name} must be a list with an item for each text; got a {kind}. Use [x].")
    if not isinstance(items, Iterable) or isinstance(items, Mapping | Set):
        raise TypeError(f"{name} must be a list with an item for each text; got a {kind}.")
    if getattr(items, "ndim", 1) != 1:
        raise TypeError(f"{name} must be a list or one column; got a {kind} of several dimensions.")
    return list(items)


def to_texts(name: str, texts: object) -> list[str]:
    """Return the texts of an ordered collection.

    Args:
      name: The name of the argument, for errors.
      texts: As for `to_list`.

    Raises:
      TypeError: As `to_list`; also, an item is no text: None, NaN, bytes or a number. The error
        states its position.

    Example:
      >>> to_texts("texts", ["a", None])
      Traceback (most recent call last):
      TypeError: texts must hold texts only; item 1 is None.
    """
    return [_check_text(name, index, text) for index, text in enumerate(to_list(name, texts))]


def to_feature_texts(name: str, features: object, tokenizer: Tokenizer) -> list[str]:
    """Return the features of an ordered collection as texts.

    Args:
      name: The name of the argument, for errors.
      features: As for `to_list`. An item is a text, or a collection of features; None: no features.
      tokenizer: Joins features.

    Raises:
      TypeError: As `to_texts`.
    """
    items = to_list(name, features)
    return [
        _check_text(name, index, item)
        if isinstance(item, str)
        else tokenizer.join(() if item is None else to_texts(f"{name}[{index}]", _sorted(item)))
        for index, item in enumerate(items)
    ]


def to_optional_texts(name: str, texts: object) -> list[str | None] | None:
    """Return the texts of an ordered collection in which None stands for no text.

    Args:
      name: The name of the argument, for errors.
      texts: As for `to_list`; None: the result is None.

    Raises:
      TypeError: As `to_texts`, except for None.
    """
    if texts is None:
        return None
    return [
        None if text is None else _check_text(name, index, text)
        for index, text in enumerate(to_list(name, texts))
    ]


def to_token_lists(name: str, token_lists: object) -> list[list[str] | None] | None:
    """Return the lists of tokens of an ordered collection in which None stands for no list.

    Args:
      name: The name of the argument, for errors.
      token_lists: As for `to_list`, but the items may be sets; None: the result is None.

    Raises:
      TypeError: As `to_texts`; also, an item is a single text instead of a list of tokens.
    """
    if token_lists is None:
        return None
    lists: list[list[str] | None] = []
    for index, tokens in enumerate(to_list(name, token_lists)):
        if tokens is None:
            lists.append(None)
            continue
        lists.append(to_texts(f"{name}[{index}]", _sorted(tokens)))
    return lists


def _sorted(items: object) -> object:
    """Return the items of a set in an order; other objects as they are."""
    return sorted(items, key=str) if isinstance(items, Set) else items


def _check_text(name: str, index: int, text: object) -> str:
    if isinstance(text, str):
        return str(text)  # NumPy has a subclass.
    kind = "" if text is None else f", a {type(text).__name__}"
    raise TypeError(f"{name} must hold texts only; item {index} is {repr(text)[:50]}{kind}.")
