import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_jax.data.ragged import Ragged

rows_of_ids = st.lists(st.lists(st.integers(0, 99), max_size=5), max_size=8)


@given(rows_of_ids)
def test_rows_are_stored_unchanged(rows):
    ragged = Ragged.from_rows(rows)
    assert [ragged[i].tolist() for i in range(len(ragged))] == rows
    assert ragged.lengths.tolist() == [len(row) for row in rows]
    assert (ragged.ids.dtype, ragged.offsets.dtype) == (np.int32, np.int64)


@settings(deadline=None)
@given(rows_of_ids, st.data())
def test_a_padded_matrix_equals_padding_row_by_row(rows, data):
    picked = data.draw(st.lists(st.integers(0, len(rows) - 1))) if rows else []
    width = max((len(rows[i]) for i in picked), default=0) + data.draw(st.integers(0, 2))
    ids, lengths = Ragged.from_rows(rows).padded(
        np.array(picked, int), width, num_rows=len(picked) + 2
    )
    assert (
        ids.tolist() == [rows[i] + [0] * (width - len(rows[i])) for i in picked] + [[0] * width] * 2
    )
    assert lengths.tolist() == [len(rows[i]) for i in picked] + [0, 0]
    assert ids.dtype == lengths.dtype == np.int32


def test_rows_before_the_first_and_after_the_last_are_an_error():
    ragged = Ragged.from_rows([[1], [2, 3]])
    for row in (-1, 2):
        with pytest.raises(IndexError):
            ragged[row]
