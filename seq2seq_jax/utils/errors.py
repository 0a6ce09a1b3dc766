"""Errors that the user can fix: one line each, raised before anything is compiled."""


class UserError(Exception):
    """An error in something that the user wrote: a configuration, a file or a flag.

    Attributes:
      where: A dotted configuration key, a file, or FILE:LINE.
      what: The rule, the value that breaks it, and a remedy ("use ..."); one line.

    Example:
      >>> print(UserError("batch_size", "must be at least 1; got 0"))
      batch_size: must be at least 1; got 0
    """

    def __init__(self, where: str, what: str) -> None:
        self.where = _one_line(where)
        self.what = _one_line(what)
        super().__init__(f"{self.where}: {self.what}")


def quantity(number: int, noun: str) -> str:
    """Return a number with a noun, which is in the plural unless the number is 1.

    Args:
      number: The number.
      noun: A noun whose plural ends in s.

    Example:
      >>> quantity(1, "step"), quantity(1200, "step")
      ('1 step', '1,200 steps')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _one_line(text: str) -> str:
    """Escape what is not printable, such as line feeds, and shorten a very long text."""
    if not text.isprintable():
        escaped = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
        text = "".join(escaped)
    if len(text) <= _MAX_LENGTH:
        return text
    return f"{text[: _MAX_LENGTH // 2]} ... {text[-_MAX_LENGTH // 4 :]} ({len(text)} characters)"


_MAX_LENGTH = 1200
