"""matplotlib figures without pyplot, which has global state and searches for a display."""

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seq2seq_jax.utils.atomic_io import atomic_replace
from seq2seq_jax.utils.errors import UserError


def new_figure(width: float, height: float, fitted: bool = True) -> Any:
    """Create an empty `matplotlib.figure.Figure`.

    Args:
      width: The width in inches.
      height: The height in inches.
      fitted: Whether the axes are laid out so that their labels fit.
    """
    # matplotlib is slow to import.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained" if fitted else None)
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Any, path: str | Path, cropped: bool = False) -> Path:
    """Write a figure atomically as PNG or SVG; the same figure gives the same bytes.

    Args:
      figure: The figure.
      path: The file, .png or .svg; its directory is created.
      cropped: Whether the image is cropped or extended to its content.

    Returns:
      The path of the file.

    Raises:
      UserError: The file has another suffix.
    """
    import matplotlib

    path = Path(path)
    kind = path.suffix.lower().removeprefix(".")
    if kind not in ("png", "svg"):
        raise UserError(str(path), "must end in .png or .svg")
    with (
        matplotlib.rc_context(_REPRODUCIBLE),
        atomic_replace(path) as partial,
    ):
        figure.savefig(
            partial,
            format=kind,
            dpi=120,
            bbox_inches="tight" if cropped else None,
            metadata={"Date": None} if kind == "svg" else None,
        )
    return path


def draw_themes(draw: Callable[[], Any]) -> dict[str, str]:
    """Draw a figure for a light and for a dark page, with transparent backgrounds.

    Args:
      draw: Draws and returns the figure.

    Returns:
      The data URIs of two SVG images, by "light" and "dark".
    """
    import matplotlib

    uris = {}
    for theme, color in (("light", "#1c2128"), ("dark", "#e4e8ec")):
        colors: Any = {
            f"{part}color": color
            for part in ("text.", "axes.edge", "axes.label", "xtick.", "ytick.")
        }
        with matplotlib.rc_context({**colors, "legend.framealpha": 0, **_REPRODUCIBLE}):
            file = io.BytesIO()
            figure = draw()
            figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
        encoded = base64.b64encode(file.getvalue()).decode("ascii")
        uris[theme] = f"data:image/svg+xml;base64,{encoded}"
    return uris


_REPRODUCIBLE: Any = {"svg.hashsalt": "seq2seq-jax"}
