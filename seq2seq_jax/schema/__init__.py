"""How classes declare their parameters: fields with a default, a rule and a meaning.

This package exports what a custom class needs for that; see `schema.parameters`.
"""

from seq2seq_jax.schema.parameters import Aliases, Choice, ClassOf, ParamsOf
from seq2seq_jax.schema.rules import Rule, above, at_least, between, function_name, one_of

__all__ = [
    "Aliases",
    "Choice",
    "ClassOf",
    "ParamsOf",
    "Rule",
    "above",
    "at_least",
    "between",
    "function_name",
    "one_of",
]
