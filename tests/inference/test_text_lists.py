"""Collections of texts that callers pass."""

import math

import numpy as np
import pytest

from seq2seq_jax.inference.text_lists import to_optional_texts, to_texts, to_token_lists

TEXTS = ["b", "a", "c"]


class Series:
    """Stands in for a pandas Series whose index is not 0, 1, ...: `[0]` is not its first item."""

    ndim = 1

    def __init__(self, texts, index):
        self._texts, self._index = texts, index

    def __len__(self):
        return len(self._texts)

    def __iter__(self):
        return iter(self._texts)

    def __getitem__(self, label):
        return self._texts[self._index.index(label)]


@pytest.mark.parametrize(
    "texts",
    [
        TEXTS,
        tuple(TEXTS),
        (text for text in TEXTS),
        np.array(TEXTS),
        np.array(TEXTS, object),
        iter(TEXTS),
        Series(TEXTS, [2, 1, 0]),
        Series(TEXTS, [0, 2, 7]),
    ],
    ids=["list", "tuple", "generator", "array", "objects", "iterator", "reversed", "filtered"],
)
def test_texts_are_read_in_order(texts):
    found = to_texts("texts", texts)
    assert found == TEXTS
    assert {type(text) for text in found} == {str}


def test_a_pandas_series_is_read_in_order():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"text": ["s1 s2", "s3", "s4"]})
    ordered = table.sort_values("text", ascending=False)
    assert to_texts("texts", ordered.text) == ["s4", "s3", "s1 s2"]
    assert to_texts("texts", table[table.index != 1].text) == ["s1 s2", "s4"]
    with pytest.raises(TypeError, match="of several dimensions"):
        to_texts("texts", table)


@pytest.mark.parametrize(
    ("item", "shown"),
    [
        (None, "None"),
        (math.nan, "nan, a float"),
        (b"a", "b'a', a bytes"),
        (3, "3, a int"),
        (["a"], r"\['a'\], a list"),
    ],
)
def test_an_item_that_is_no_text_is_refused_with_its_position(item, shown):
    with pytest.raises(TypeError, match=rf"^texts must hold texts only; item 2 is {shown}\.$"):
        to_texts("texts", ["a", "b", item])


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("a b", r"^texts must be a list with an item for each text; got a str\. Use \[x\]\.$"),
        (b"a", r"got a bytes"),
        (None, r"got a NoneType\.$"),
        (3, r"got a int\.$"),
        ({"a": 1}, r"got a dict\.$"),
        ({"a"}, r"got a set\.$"),
        (np.array([["a"]]), r"got a ndarray of several dimensions\.$"),
    ],
)
def test_what_is_no_ordered_collection_is_refused(texts, message):
    with pytest.raises(TypeError, match=message):
        to_texts("texts", texts)


def test_none_stands_for_no_prefix_and_for_all_tokens():
    assert to_optional_texts("prefixes", Series(["a", None], [1, 0])) == ["a", None]
    assert to_optional_texts("prefixes", None) is to_token_lists("allowed_tokens", None) is None
    assert to_token_lists("allowed_tokens", [{"b", "a"}, None, ()]) == [["a", "b"], None, []]
    with pytest.raises(TypeError, match=r"^allowed_tokens\[1\] must be a list .* got a str"):
        to_token_lists("allowed_tokens", [["a"], "ab"])
    with pytest.raises(TypeError, match=r"^allowed_tokens\[0\] must hold texts only; item 1 is 3"):
        to_token_lists("allowed_tokens", [["a", 3]])
