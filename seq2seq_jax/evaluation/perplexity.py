"""Perplexity, and how results are printed."""

import math

_MAX_LOG_PERPLEXITY = 700.0  # e^709 is the largest power of e that a float can hold.


def perplexity(log_perplexity: float) -> float:
    """Return e to a mean negative log probability; above e^700, e^700.

    Args:
      log_perplexity: In nats per token.

    Example:
      >>> perplexity(0.0), perplexity(1e30) == perplexity(700.0)
      (1.0, True)
    """
    return math.exp(min(log_perplexity, _MAX_LOG_PERPLEXITY))


def format_result(value: float) -> str:
    """Return a result with four decimals; a very large one with four digits and an exponent.

    Args:
      value: The result of a metric.

    Example:
      >>> format_result(12.5), format_result(perplexity(700.0))
      ('12.5000', '1.014e+304')
    """
    return format(value, ".4f" if abs(value) < 1e9 else ".4g")
