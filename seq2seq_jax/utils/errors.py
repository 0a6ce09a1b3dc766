"""Errors that are the user's to mend: one line each, raised before anything is compiled."""


class UserError(Exception):
    """Something that the user gave is wrong.

    Args:
      where: a dotted configuration key, `FILE:LINE`, or a file.
      what: the rule, the value that breaks it, and what would do; one line.
    """

    def __init__(self, where: str, what: str):
        super().__init__(f"{where}: {what}")
        self.where = where
        self.what = what
