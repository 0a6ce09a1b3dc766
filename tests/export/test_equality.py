"""The programs give the texts and scores of `Predictor`, for models of all kinds."""

import json
import random
import shutil
import subprocess

import pytest

from seq2seq_jax.data.bpe import BPECodes, learn_bpe
from seq2seq_jax.data.tokenizers import BPETokenizer, DelimiterTokenizer
from seq2seq_jax.export import seq2seq_numpy
from seq2seq_jax.inference.predictor import Predictor
from tests.tiny_exports import (
    MODELS,
    PROGRAM,
    TEXTS,
    assert_equal,
    bpe_run,
    exported,
    in_node,
    in_numpy,
    tiny,
)

needs_node = pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
SUBWORD_TEXTS = ["abab cd", "efef  abcd abab", "xyz abx", "@@ UNK b@@", "UNK", "ab" * 30]


@pytest.fixture(scope="module", params=[*MODELS, "BPE"])
def case(request, tmp_path_factory):
    """Return an exported model, texts, and the predictions of `Predictor`."""
    path = tmp_path_factory.mktemp("run") / "run"
    is_bpe = request.param == "BPE"
    run, texts = (bpe_run(path), SUBWORD_TEXTS) if is_bpe else (tiny(path, request.param), TEXTS)
    predictor = Predictor.from_workdir(run.path)
    expected = predictor.predict(texts, return_attention=predictor.has_attention)
    assert len({p.score for p in expected}) > 2
    if is_bpe:
        assert any(token.endswith("@@") for p in expected for token in p.source_tokens)
    return exported(run), texts, expected


def test_numpy_gives_the_texts_scores_and_attention_of_predictor(case):
    model, texts, expected = case
    assert_equal(in_numpy(model).predict(texts), expected)


@needs_node
@pytest.mark.parametrize("wasm", [True, False], ids=["WebAssembly", "no WebAssembly"])
def test_javascript_gives_the_texts_scores_and_attention_of_predictor(case, wasm, tmp_path):
    model, texts, expected = case
    assert_equal(in_node(model, tmp_path, wasm=wasm)(texts), expected)


CODES = learn_bpe({"low": 9, "lowest": 7, "new": 6, "newer": 5, "wide": 3, "@@": 4, "İo": 3}, 30)
TOKENIZERS = {
    "words": DelimiterTokenizer(" ", lowercase=True),
    "characters": DelimiterTokenizer(""),
    "other delimiter": DelimiterTokenizer("||"),
    "NFC": DelimiterTokenizer(" ", lowercase=True, normalization="NFC"),
    "NFD": DelimiterTokenizer("", normalization="NFD"),
    "NFKC": BPETokenizer(DelimiterTokenizer(" ", normalization="NFKC"), CODES),
    "NFKD": DelimiterTokenizer("", lowercase=True, normalization="NFKD"),
    "BPE": BPETokenizer(DelimiterTokenizer(" ", lowercase=True), CODES),
    "BPE 0.1": BPETokenizer(DelimiterTokenizer(" "), BPECodes((("l", "o"), ("w", "</w>")), "0.1")),
}
JOIN = """
const Seq2Seq = require(PROGRAM);
const { side, texts, tokens } = JSON.parse(require("fs").readFileSync(0, "utf-8"));
const text = new Seq2Seq.Text(side);
const split = texts.map((one) => text.split(one));
console.log(JSON.stringify([split, tokens.map((one) => text.join(one))]));
""".replace("PROGRAM", json.dumps(str(PROGRAM)))


@needs_node
@pytest.mark.parametrize("name", TOKENIZERS)
def test_texts_are_split_and_joined_as_by_the_tokenizer(name):
    tokenizer = TOKENIZERS[name]
    words = getattr(tokenizer, "words", tokenizer)
    codes = getattr(tokenizer, "codes", None)
    side = {
        "tokens": [],
        "max_seq_len": 9,
        "delimiter": words.delimiter,
        "lowercase": words.lowercase,
        "normalization": words.normalization or None,
        "bpe": codes and {"version": codes.version, "merges": [" ".join(p) for p in codes.merges]},
    }
    draw = random.Random(0)
    pieces = [
        "low",
        "est",
        "new",
        "er",
        "wide",
        "@@",
        "@",
        " ",
        " ",
        "||",
        "UNK",
        "ΑΣ",
        "İo",
        "ﬁ",
        "😀",
    ]
    texts = ["".join(draw.choices(pieces, k=draw.randrange(9))) for _ in range(300)]
    tokens = [tokenizer.split(text) for text in texts]
    halves = [one[: len(one) // 2] for one in tokens]  # An output can end inside of a word.
    expected = [tokens, [tokenizer.join(one) for one in halves]]
    check_text(side, texts, halves, expected)


def check_text(side, texts, tokens, expected):
    """Compare the tokens of texts, and the texts of tokens, of both programs."""
    in_numpy = seq2seq_numpy.Text(side)
    assert [list(map(in_numpy.split, texts)), list(map(in_numpy.join, tokens))] == expected
    given = json.dumps({"side": side, "texts": texts, "tokens": tokens})
    command = ["node", "-e", JOIN]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == expected
