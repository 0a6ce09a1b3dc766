import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_jax.data.batches import TrainBatches, dev_batches, source_batches
from seq2seq_jax.data.buckets import Buckets
from seq2seq_jax.data.corpus import make_corpus
from seq2seq_jax.data.dev_set import make_dev_set
from seq2seq_jax.data.features import FeatureBundle, FeaturesTokenizer, parse_features
from seq2seq_jax.data.readers.input_pipeline import TextExample
from seq2seq_jax.data.report import format_counts
from seq2seq_jax.data.tokenized_cache import tokenize_pairs
from seq2seq_jax.data.tokenizers import DelimiterTokenizer, Tokenizers
from seq2seq_jax.data.vocabulary import Vocabulary

CHARACTERS = DelimiterTokenizer("")
TOKENIZERS = Tokenizers(CHARACTERS, CHARACTERS, FeaturesTokenizer())
EXAMPLES = [
    TextExample("ab", "abe", "V;PST"),
    TextExample("ba", "b", "PST;V;V"),
    TextExample("", "b", "V"),
    TextExample("a", "aab", "N;NOM(1,PL)"),
    TextExample("b", "ab", ""),
    TextExample("b", "ba", "N;NOM(1"),
]


@pytest.fixture
def corpus(tmp_path):
    def make(examples=EXAMPLES, max_len=50):
        text = tokenize_pairs(examples, TOKENIZERS, repr(examples), tmp_path)
        letters, features = Vocabulary("abe"), Vocabulary(["V", "N", "NOM", "NOM(1)"])
        lengths = {"source_max_len": 9, "target_max_len": 9, "features_max_len": max_len}
        return make_corpus(text, letters, letters, features, **lengths)

    return make


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("V;PST", ("PST", "V")),
        ("PST; V ;;", ("PST", "V")),
        ("", ()),
        (" ; ", ()),
        ("N;NOM(1,PL)", ("N", "NOM", "NOM(1)", "NOM(PL)")),
        ("N;NOM(PL;PSS(1,PL))", ("N", "NOM", "NOM(PL)", "NOM(PSS(1))", "NOM(PSS(PL))", "NOM(PSS)")),
        ("non{NOM/ACC};a[b;c]", ("a[b;c]", "non{NOM/ACC}")),
        ("(A)(B)", ("(A)(B)",)),
        ("N;UNK", ("N", "UNK")),
        ("ᠠ;名詞(複数)", ("ᠠ", "名詞", "名詞(複数)")),
    ],
)
def test_features_are_split_at_delimiters_outside_of_brackets(text, symbols):
    assert parse_features(text) == FeatureBundle(symbols)


def test_another_delimiter_separates_features_inside_brackets_too():
    assert parse_features("pos=N,case=GEN,num=SG", ",").symbols == ("case=GEN", "num=SG", "pos=N")
    assert parse_features("A|B(c|d,e)", "|").symbols == ("A", "B", "B(c)", "B(d)", "B(e)")
    assert parse_features("V PST", " ").symbols == ("PST", "V")
    assert parse_features("a;b::c", "::").symbols == ("a;b", "c")


@pytest.mark.parametrize("text", ["N;NOM(1,PL", "N;NOM)1,PL(", "(" * 100_000, "(" * 9 + ")" * 9])
def test_unbalanced_brackets_are_ordinary_characters(text):
    bundle = parse_features(text)
    assert bundle.unbalanced
    assert bundle.symbols == tuple(sorted(text.split(";")))


def test_repeated_features_count_once():
    assert parse_features("V;PST;V;V") == FeatureBundle(("PST", "V"), repeated=2)
    assert parse_features("NOM(1);NOM(PL)") == FeatureBundle(("NOM", "NOM(1)", "NOM(PL)"))


@given(st.text("ABC;,()[]{} |"), st.sampled_from([";", ",", "|", " "]))
def test_the_order_of_features_does_not_matter(text, delimiter):
    bundle = parse_features(text, delimiter)
    assert list(bundle.symbols) == sorted(set(bundle.symbols))
    assert all(symbol == symbol.strip() != "" for symbol in bundle.symbols)
    if not bundle.unbalanced and not set(text) & set("([{"):
        turned = delimiter.join(reversed(text.split(delimiter)))
        assert parse_features(turned, delimiter).symbols == bundle.symbols


def test_features_are_in_every_batch_in_one_width(corpus):
    made = corpus()
    buckets = Buckets(((3, 4), (3, 5)), (2, 2))
    batches = list(TrainBatches(made, buckets, seed=1, num_epochs=1))
    assert {batch["features_ids"].shape for batch in batches} == {(2, 4)}
    (batch, indices), *_ = dev_batches(made, Buckets(((3, 5),), (8,)))
    rows = {
        int(i): ids[:n].tolist()
        for i, ids, n in zip(indices, batch["features_ids"], batch["features_len"], strict=True)
    }
    assert rows == {0: [4, 0], 1: [4, 0], 2: [1, 2, 3, 4], 3: [], 4: [1, 4], -1: []}
    decoded, places = next(source_batches(made.source, 3, features=made.features))
    assert decoded["features_ids"].shape == (3, 4)
    for row, place in enumerate(places):
        assert decoded["features_ids"][row, : decoded["features_len"][row]].tolist() == rows[place]


def test_features_beyond_the_maximum_are_left_out(corpus):
    made = corpus(max_len=2)
    assert made.features.lengths.tolist() == [2, 2, 2, 0, 2]
    assert made.counts.features.truncated == 1


def test_the_report_says_what_is_odd_about_features(corpus):
    counts = corpus().counts
    assert counts.features.unknown == {"PST": 2, "NOM(PL)": 1, "NOM(1": 1}
    lines = format_counts(counts).splitlines()
    assert lines[-2] == (
        "Features           2.0 per pair; 1 pair without any; 1 pair with a repeated one;"
        " 1 pair with unbalanced brackets"
    )
    assert lines[-1] == "  unknown          PST (2 times), NOM(1, NOM(PL)"


def test_features_are_cached_with_the_pairs(corpus, tmp_path):
    first = corpus()
    directory, *others = tmp_path.iterdir()
    assert not others and (directory / "features.tokens").exists()
    again = corpus(EXAMPLES)
    assert again.digest == first.digest
    other = corpus([TextExample("ab", "abe", "V;FUT"), *EXAMPLES[1:]])
    assert other.digest != first.digest
    (directory / "features.ids").write_bytes(b"damaged")
    assert corpus().digest == first.digest


def test_a_source_with_other_features_is_another_source_of_the_dev_set(corpus):
    examples = [
        TextExample("ab", "a", "V;PST"),
        TextExample("ab", "b", "PST;V"),
        TextExample("ab", "e", "V"),
    ]
    made = make_dev_set(corpus(examples), examples, TOKENIZERS)
    assert made.sources == ["ab", "ab"]
    assert made.features == ["V;PST", "V"]
    assert made.references == [["a", "b"], ["e"]]
    plain = make_dev_set(corpus([e[:2] for e in examples]), [e[:2] for e in examples], TOKENIZERS)
    assert (plain.references, plain.features) == ([["a", "b", "e"]], [])
