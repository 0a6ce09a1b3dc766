"""Pages that hold all they need."""

import re

import pytest

from seq2seq_jax.reports.html_page import finite_or_none, write_page

HOSTILE = ["</script><script>alert(1)</script>", "<!--", "&lt;", '"', "@@SCRIPT@@", "الولد", "我们"]
KINDS = ["beam_tree", "caption_page", "error_report", "learning_curve"]


@pytest.mark.parametrize("kind", KINDS)
def test_no_token_can_become_markup(kind, tmp_path, data_of):
    tame = write_page(tmp_path / "tame.html", kind, "A page", [""])
    hostile = write_page(tmp_path / "hostile.html", kind, "A page", HOSTILE)
    assert data_of(hostile) == HOSTILE
    tags = [re.findall(r"<[/!a-z][^>]*", page.read_text("utf-8")) for page in (tame, hostile)]
    assert tags[0] == tags[1]


def test_a_title_is_escaped(tmp_path):
    page = write_page(tmp_path / "page.html", "beam_tree", "<b> & more", {}).read_text("utf-8")
    assert page.count("&lt;b&gt; &amp; more") == 2
    assert "<b>" not in page


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_loads_nothing_from_the_network(kind, tmp_path):
    page = write_page(tmp_path / "page.html", kind, "A page", []).read_text("utf-8")
    assert set(re.findall(r"https?://[^\"' ]*", page)) <= {"http://www.w3.org/2000/svg"}
    assert "default-src 'none'" in page
    assert not re.search(r"\binnerHTML|insertAdjacentHTML|document\.write|\beval\(", page)


def test_a_page_is_written_atomically(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_page(tmp_path / "page.html", "beam_tree", "A page", float("nan"))
    assert list(tmp_path.iterdir()) == []


def test_a_number_that_is_not_finite_is_null():
    assert [finite_or_none(x) for x in (1.23456, float("nan"), float("-inf"))] == [
        1.2346,
        None,
        None,
    ]
