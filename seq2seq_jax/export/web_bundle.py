"""One HTML file that runs a model in the browser, offline.

It is the page of `reports.predict_page`, with the description of the model, its weights in base64,
and the JavaScript program, which runs in a worker. The content security policy of the page admits
the scripts of the file, the worker and the WebAssembly that they start, and no request: no text can
leave the page.
"""

import base64
from pathlib import Path

from seq2seq_jax.export.exported_model import ExportedModel
from seq2seq_jax.export.numpy_package import program_text
from seq2seq_jax.reports.html_page import escape_for_script
from seq2seq_jax.reports.predict_page import inline_page
from seq2seq_jax.utils.atomic_io import atomic_write


def write_web_bundle(exported: ExportedModel, path: Path) -> None:
    """Write the file atomically.

    Args:
      exported: The model.
      path: The .html file to create or replace; its name becomes the title of the page.

    Raises:
      UserError: The file cannot be written.
    """
    elements = {
        "program": program_text("seq2seq_web.js"),
        "config": escape_for_script(exported.config_json.decode()),
        "weights": base64.b64encode(exported.weights).decode(),
    }
    backend = program_text("seq2seq_backend.js")
    page = inline_page(path.stem, backend, elements, script_sources=["blob:", "'wasm-unsafe-eval'"])
    atomic_write(path, page.encode())
