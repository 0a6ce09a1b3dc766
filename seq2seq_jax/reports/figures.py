"""Figures of matplotlib without pyplot: no global state, and no display is looked for."""

from pathlib import Path
from typing import Any

from seq2seq_jax.utils.atomic_io import atomic_replace
from seq2seq_jax.utils.errors import UserError


def new_figure(width: float, height: float, fitted: bool = True) -> Any:
    """An empty `matplotlib.figure.Figure`.

    Args:
      width, height: inches.
      fitted: whether axes are moved until their labels have room; without, they stay where put.
    """
    # Slow to import, and needed for pictures alone.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained" if fitted else None)
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Any, path: str | Path, cropped: bool = False) -> Path:
    """Writes a PNG or an SVG, whole or not at all; the same figure gives the same bytes.

    Args:
      path: ends in .png or .svg; its folder is made.
      cropped: whether the picture ends where its content does, outside the figure or inside.

    Raises:
      UserError: it ends otherwise.
    """
    import matplotlib

    path = Path(path)
    kind = path.suffix.lower().removeprefix(".")
    if kind not in ("png", "svg"):
        raise UserError(str(path), "pictures are .png or .svg")
    with (
        matplotlib.rc_context({"svg.hashsalt": "seq2seq-jax"}),
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
