"""Heat maps; a warning of a glyph that no font has would fail these tests."""

import numpy as np
import pytest

from seq2seq_jax.reports import fonts
from seq2seq_jax.reports.attention_plot import plot_attention
from seq2seq_jax.reports.fonts import choose_fonts
from seq2seq_jax.utils.errors import UserError

ATTENTION = np.array([[0.9, 0.1, 0.0], [0.2, 0.3, 0.5]])


@pytest.fixture
def no_fonts(monkeypatch):
    """A system with no font but matplotlib's own, and nothing warned of yet."""
    monkeypatch.setattr(fonts, "_installed_fonts", list)
    monkeypatch.setattr(fonts, "_warned", set())


@pytest.mark.parametrize(("suffix", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_the_same_attention_gives_the_same_bytes(suffix, start, tmp_path):
    one, two = (
        plot_attention(ATTENTION, ["die", "katze", "$x$"], ["the", "cat"], tmp_path / name)
        for name in (f"one.{suffix}", f"two.{suffix}")
    )
    assert one.read_bytes() == two.read_bytes()
    assert one.read_bytes().startswith(start)


def test_one_source_and_one_target_token_can_be_plotted(tmp_path):
    assert plot_attention(np.ones([1, 1]), ["hallo"], ["hello"], tmp_path / "a.png").exists()


def test_scripts_without_a_font_are_logged_once_and_drawn_as_boxes(no_fonts, tmp_path, caplog):
    for name in ("one.png", "two.png"):
        plot_attention(ATTENTION, ["我们", "मैं", "👩‍👧"], ["نحن", "we"], tmp_path / name)
    (warning,) = caplog.messages
    assert "No installed font has Devanagari, Han, symbols;" in warning
    chosen = choose_fonts(["我们 a"])
    assert chosen.label("我们 a") == "□□ a"


def test_white_space_is_visible():
    assert choose_fonts([" "]).label(" ") == "␣"


def test_attention_of_another_shape_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"\(2, 3\); there are \(3, 3\) tokens"):
        plot_attention(ATTENTION, ["a", "b", "c"], ["a", "b", "c"], tmp_path / "a.png")


def test_another_image_format_is_refused_in_one_line(tmp_path):
    with pytest.raises(UserError, match=r"a\.gif: must end in \.png or \.svg"):
        plot_attention(ATTENTION, ["a", "b", "c"], ["a", "b"], tmp_path / "a.gif")
