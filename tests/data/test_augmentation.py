from collections import Counter

import pytest

from seq2seq_jax.data.augmentation import AugmentationConfig, AugmentedPairs, Augmenter
from seq2seq_jax.data.readers.input_pipeline import TextExample, TextPair
from seq2seq_jax.data.tokenizers import DelimiterTokenizer
from seq2seq_jax.utils.errors import UserError

CHARACTERS = DelimiterTokenizer("")
PAIRS = [("walk", "walked"), ("go", "went"), ("ausgehen", "ausgegangen"), ("sing", "gesungen")]


def augmenter(pairs=PAIRS, source=CHARACTERS, target=CHARACTERS):
    return Augmenter(pairs, source, target, "train.tsv")


def test_letters_of_stems_change_on_both_sides_and_affixes_stay():
    made = augmenter([("walk", "walked")]).hallucinate(50, seed=1)

    assert all(target == source + "ed" and len(source) == 4 for _, source, target in made)
    assert all(source != "walk" and set(source) <= set("walk") for _, source, _ in made)
    assert len({source for _, source, _ in made}) > 10


def test_only_pairs_with_a_stem_are_origins_and_each_of_them_is_drawn():
    origins = Counter(pair.origin for pair in augmenter().hallucinate(300, seed=0))

    assert set(origins) == {0, 2}
    assert min(origins.values()) > 100


def test_the_first_and_the_last_letter_of_a_long_stem_stay():
    for _, source, target in augmenter([("internat", "internats")]).hallucinate(30, seed=2):
        assert source[0] == "i" and source[-1] == "t" and target == source + "s"


def test_new_letters_have_the_case_of_the_old_ones_and_come_from_the_same_language():
    pairs = [("<deu> Haus", "Hausen"), ("<deu> Mann", "Mannen"), ("<rus> дом", "дома")]

    for origin, source, target in augmenter(pairs).hallucinate(100, seed=3):
        language, word = source.split()
        assert language == ("<deu>" if origin < 2 else "<rus>")
        assert word.istitle() == (origin < 2) and target.startswith(word)
        assert all((letter > "\u0400") == (origin == 2) for letter in word)


def test_letters_with_marks_are_replaced_as_a_whole_and_blanks_stay():
    pairs = [("ne\u0301ga a\u0301lo", "ne\u0301ga a\u0301los")]

    for _, source, target in augmenter(pairs).hallucinate(40, seed=4):
        assert source[source.index(" ")] == " " and len(source.split(" ")) == 2
        assert not source.startswith("\u0301") and " \u0301" not in source
        assert target == source + "s"


def test_letters_may_stand_between_delimiters():
    blanks = DelimiterTokenizer(" ")
    (made,) = augmenter([("w a l k", "w a l k e d")], blanks, blanks).hallucinate(1, seed=0)

    assert made.target == made.source + " e d" and len(made.source) == 7


def test_the_same_seed_makes_the_same_pairs():
    first = augmenter().hallucinate(20, seed=5)

    assert augmenter().hallucinate(20, seed=5) == first
    assert augmenter().hallucinate(20, seed=6) != first
    assert augmenter().hallucinate(10, seed=5) == first[:10]


def test_pairs_without_stems_are_reported():
    with pytest.raises(UserError, match=r"train\.tsv: no source shares 3 letters in a row"):
        augmenter([("go", "went")]).hallucinate(1, seed=0)
    assert augmenter([("go", "went")]).hallucinate(0, seed=0) == []


def test_targets_are_copied_equally_often_and_keep_their_language():
    pairs = [("<a> x", "one"), ("<b> y", "two"), ("<b> z", "two"), ("<a> w", "")]

    made = augmenter(pairs).copy(5, seed=0)

    counts = Counter(pair.source for pair in made)
    assert set(counts) == {"<a> one", "<b> two"} and sorted(counts.values()) == [2, 3]
    assert all(pair.source.endswith(pair.target) for pair in made)


def test_copies_of_phones_are_written_as_sources_are():
    (made,) = augmenter([("cat", "k æ t")], CHARACTERS, DelimiterTokenizer(" ")).copy(1, seed=0)
    assert made[1:] == ("kæt", "k æ t")


def test_an_augmented_pipeline_yields_its_pairs_and_then_artificial_ones_with_features():
    pairs = [TextExample("walk", "walked", "V;PST"), TextExample("talk", "talks", "V;PRS")]
    config = AugmentationConfig(hallucinated_pairs=3, copied_targets=2, seed=1)

    found = list(AugmentedPairs(pairs, config, CHARACTERS, CHARACTERS, "digest"))

    assert found[:2] == pairs and len(found) == 7
    endings = {"V;PST": "ed", "V;PRS": "s"}
    assert all(new.target == new.source + endings[new.features] for new in found[2:5])
    assert {(new.source, new.features) for new in found[5:]} == {
        ("walked", "COPY"),
        ("talks", "COPY"),
    }


def test_pairs_without_features_stay_so():
    pairs = [TextPair("walk", "walked")]
    config = AugmentationConfig(copied_targets=1)
    assert list(AugmentedPairs(pairs, config, CHARACTERS, CHARACTERS, ""))[1] == (
        "walked",
        "walked",
    )


def test_augmentations_have_different_digests():
    digests = {
        AugmentedPairs([], config, CHARACTERS, CHARACTERS, content).content_digest()
        for content in ("a", "b")
        for config in (AugmentationConfig(1), AugmentationConfig(1, seed=2), AugmentationConfig(2))
    }
    assert len(digests) == 6
