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
        super().__init__(f"{where}: {what}")
        self.where = where
        self.what = what
