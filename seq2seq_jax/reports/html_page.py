"""Self-contained HTML pages, which open without a network."""

import html
import json
from importlib import resources
from pathlib import Path

from seq2seq_jax.utils.atomic_io import atomic_replace


def write_page(path: str | Path, kind: str, title: str, data: object) -> Path:
    """Write a page that shows `data` with the script `pages/KIND.js`.

    The title is escaped, and all other text is JSON from which the script creates text nodes, so
    that no token can become markup.

    Args:
      path: The .html file; its directory is created.
      kind: The name of the script.
      title: The title of the page.
      data: The data, as JSON accepts them; numbers must be finite.

    Returns:
      The path of the file.
    """
    parts = {
        "TITLE": html.escape(title),
        "STYLE": page_part("page.css"),
        "DATA": escape_for_script(json.dumps(data, ensure_ascii=False, allow_nan=False)),
        "SCRIPT": page_part("page.js") + page_part(f"{kind}.js"),
    }
    pieces = page_part("page.html").split("@@")  # Alternating text and names of parts.
    page = "".join(parts[piece] if i % 2 else piece for i, piece in enumerate(pieces))
    path = Path(path)
    with atomic_replace(path) as partial:
        # A lone surrogate (half of a character) cannot be encoded.
        partial.write_text(page, encoding="utf-8", errors="replace")
    return path


def page_part(name: str) -> str:
    """Return the text of a file of the directory `pages`.

    Args:
      name: The name of the file.
    """
    return (resources.files("seq2seq_jax.reports") / "pages" / name).read_text(encoding="utf-8")


def finite_or_none(value: float, digits: int = 4) -> float | None:
    """Round a number for JSON; None if it is not finite.

    Args:
      value: The number.
      digits: The number of decimals.
    """
    value = float(value)
    return round(value, digits) if abs(value) < float("inf") else None


def escape_for_script(text: str) -> str:
    """Escape JSON, so that it cannot end its script element.

    Args:
      text: JSON.
    """
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
