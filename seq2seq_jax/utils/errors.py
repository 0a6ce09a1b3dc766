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
        super().__init__(f"{where}: {what}".replace("\r", "\\r").replace("\n", "\\n"))
        self.where = where
        self.what = what


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
