"""The page on which people try a model: as files for a server, or as one self-contained file.

`pages/predict_page.js` defines what the page needs from the program that runs the model: an object
with the functions `describe` and `predict`, its backend.
"""

import base64
import hashlib
import html
import re
from collections.abc import Mapping, Sequence

from seq2seq_jax.reports.html_page import page_part

STYLE = ("page.css", "predict_page.css")
SCRIPT = ("page.js", "beam_tree.js", "predict_page.js")

SERVER_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src blob: data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The content security policy of the page that a server sends: nothing comes from elsewhere."""


def server_page(title: str) -> dict[str, tuple[str, str]]:
    """Return the files of the page that asks the server from which it came.

    Args:
      title: The title until the model is known.

    Returns:
      The media type and the text of each file by its path; the path of the page itself is empty.
    """
    head = '<link rel="icon" href="data:,"><link rel="stylesheet" href="page.css">'
    page = _fill(title, head, '<script src="page.js"></script>')
    scripts = [*map(page_part, SCRIPT), page_part("http_backend.js")]
    return {
        "": ("text/html", page),
        "page.css": ("text/css", "".join(map(page_part, STYLE))),
        "page.js": ("text/javascript", _join(scripts)),
    }


def inline_page(
    title: str,
    backend: str,
    elements: Mapping[str, str] | None = None,
    *,
    script_sources: Sequence[str] = (),
) -> str:
    """Return the page as one file that needs no server and makes no request.

    Its content security policy admits only the scripts and the style that the file contains, by
    their hashes.

    Args:
      title: The title.
      backend: A script that ends with `startPage(...)`, as `pages/predict_page.js` describes it.
      elements: Text that the script reads, such as base64, by the `id` of its element:
        `document.getElementById(id).textContent`. The id must not be `data`.
      script_sources: More sources for the policy, such as `'wasm-unsafe-eval'`.

    Returns:
      The page.

    Raises:
      ValueError: A script or an element contains the end of its HTML element.
    """
    style = "".join(map(page_part, STYLE))
    script = _join([*map(page_part, SCRIPT), backend])
    policy = (
        "default-src 'none'; img-src blob: data:; base-uri 'none'; form-action 'none';"
        f" style-src {_hash(style)}; script-src {' '.join([_hash(script), *script_sources])}"
    )
    held = "".join(
        f'<script type="text/plain" id="{html.escape(name)}">{_checked(text)}</script>\n'
        for name, text in (elements or {}).items()
    )
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    head += f'\n<link rel="icon" href="data:,">\n<style>{_checked(style)}</style>'
    return _fill(title, head, f"{held}<script>{_checked(script)}</script>")


def _join(scripts: Sequence[str]) -> str:
    return '"use strict";\n' + "".join(scripts)


def _fill(title: str, head: str, scripts: str) -> str:
    parts = {"TITLE": html.escape(title), "HEAD": head, "SCRIPTS": scripts}
    pieces = page_part("predict_page.html").split("@@")  # Alternating text and names of parts.
    return "".join(parts[piece] if i % 2 else piece for i, piece in enumerate(pieces))


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _checked(text: str) -> str:
    """Return the content of a script or style element, in which HTML cannot be escaped."""
    if re.search(r"</(?:script|style)|<!--", text, re.IGNORECASE):
        raise ValueError("A script or style must not contain '</script', '</style' or '<!--'.")
    return text
