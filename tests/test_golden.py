"""What google/seq2seq computed, we compute: file by file of arrays that came from running it.

`--golden-dir DIR` walks another directory of such files. A file is compared, or it is of a class that
`NOT_COMPARED` names with its reason; sizes and settings are those of the file.
"""

import re

import pytest
from tests.golden_cases.decoding import compare_decoder, compare_inference
from tests.golden_cases.golden_file import GoldenFile
from tests.golden_cases.recurrent import (
    compare_attention,
    compare_bridge,
    compare_cell,
    compare_encoder,
)

# By a pattern of what the file says of itself; the first that fits counts.
COMPARISONS = (
    (r"rnn cell one step: ", compare_cell),
    (r"\w+Encoder$", compare_encoder),
    (r"AttentionLayer", compare_attention),
    (r"\w+Bridge$", compare_bridge),
    (r"\w+Decoder$", compare_decoder),
    (r"\w+Seq2Seq (greedy|beam) ", compare_inference),
)
NOT_COMPARED = ()


def pytest_generate_tests(metafunc):
    files = sorted(metafunc.config.getoption("--golden-dir").glob("*.npz"))
    metafunc.parametrize("path", files, ids=[file.stem for file in files])


def test_google_seq2seq_computes_the_same(path, record_property):
    golden = GoldenFile(path)
    for pattern, compare in COMPARISONS:
        if re.match(pattern, golden.kind):
            compare(golden)
            record_property("largest_difference", golden.largest_difference)
            return
    pytest.fail("nothing")
