"""The log of a service: a JSON object on each line, or plain text at a terminal."""

import json
import logging
import sys
from datetime import UTC, datetime

LOGGERS = ("seq2seq_jax", "uvicorn", "py.warnings")


def set_up_service_log(*, as_json: bool, with_texts: bool) -> None:
    """Send the log of the service to stderr.

    Args:
      as_json: Write JSON objects.
      with_texts: Also write what can contain texts of users.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if as_json else _TextFormatter())
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.WARNING if name == "uvicorn" else logging.INFO)
    if not with_texts:  # Its warnings quote tokens of the input.
        logging.getLogger("seq2seq_jax.inference.encoded_texts").setLevel(logging.ERROR)
    logging.captureWarnings(True)


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        values = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        return json.dumps(values)  # ASCII: no text can break a line or a terminal.


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.levelno >= logging.WARNING:
            text = f"{record.levelname.lower()}: {text}"
        fields = getattr(record, "fields", {})
        return " ".join([text, *(f"{name}={json.dumps(value)}" for name, value in fields.items())])
