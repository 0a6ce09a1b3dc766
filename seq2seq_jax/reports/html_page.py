"""Pages for a browser: one file that holds all it needs and opens without network."""

import html
import json
from importlib import resources
from pathlib import Path
from typing import Any

from seq2seq_jax.utils.atomic_io import atomic_replace


def write_page(path: str | Path, kind: str, title: str, data: Any) -> Path:
    """Writes a page that draws `data` with the script `pages/KIND.js`.

    Text gets into the page in two ways: the title escaped, everything else as JSON that the script
    makes text nodes of. So no token can become markup.

    Args:
      path: the .html file; its folder is made.
      data: what JSON can hold; numbers finite.
    """
    parts = {
        "TITLE": html.escape(title),
        "STYLE": _part("page.css"),
        "DATA": _in_a_script(json.dumps(data, ensure_ascii=False, allow_nan=False)),
        "SCRIPT": _part("page.js") + _part(f"{kind}.js"),
    }
    pieces = _part("page.html").split("@@")  # text and names of parts by turns
    page = "".join(parts[piece] if i % 2 else piece for i, piece in enumerate(pieces))
    path = Path(path)
    with atomic_replace(path) as partial:
        # A lone surrogate, half of a character cut in two, cannot be encoded.
        partial.write_text(page, encoding="utf-8", errors="replace")
    return path


def finite(value: float, digits: int = 4) -> float | None:
    """A number as JSON holds it, rounded; None for what is not finite."""
    value = float(value)
    return round(value, digits) if abs(value) < float("inf") else None


def _part(name: str) -> str:
    return (resources.files("seq2seq_jax.reports") / "pages" / name).read_text(encoding="utf-8")


def _in_a_script(text: str) -> str:
    """JSON in which nothing can end the element that it stands in."""
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
