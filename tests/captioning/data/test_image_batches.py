import json
from itertools import islice

import numpy as np
import pytest

from seq2seq_jax.captioning.data.caption_corpus import (
    CaptionCorpus,
    check_images,
    make_caption_corpus,
)
from seq2seq_jax.captioning.data.decoded_images import DecodedImages
from seq2seq_jax.captioning.data.image_batches import (
    ImageTrainBatches,
    caption_dev_batches,
    choose_target_widths,
    image_batches,
)
from seq2seq_jax.captioning.data.image_variants import ImageVariants
from seq2seq_jax.data.batches import Shard
from seq2seq_jax.data.prefetch import prefetch
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.utils.errors import UserError
from tests.captioning.data.encoded_images import grey, truncated

SIZE = (5, 6)


def corpus_of(examples, words: int = 9) -> CaptionCorpus:
    vocabulary = Vocabulary([f"w{i}" for i in range(words)])
    return make_caption_corpus(check_images(examples), str.split, vocabulary, max_len=50)


def captions(number: int) -> list[str]:
    """Of image i: one to three captions, which say i and are of different lengths."""
    return [" ".join([f"w{number}"] * (1 + 2 * j)) for j in range(1 + number % 3)]


CORPUS = corpus_of([grey(i, *captions(i)) for i in range(9)])
WIDTHS = (3, 5, 7)


def decoded(corpus=CORPUS, **options) -> DecodedImages:
    return DecodedImages(corpus.images, *SIZE, **options)


def train_batches(batch_size: int = 4, seed: int = 1, **options) -> ImageTrainBatches:
    return ImageTrainBatches(CORPUS, decoded(), WIDTHS, batch_size, seed=seed, **options)


def pairs(batches) -> list[tuple[int, int]]:
    """(grey level, length) of each row that is none that only fills up."""
    return [
        (int(image[0, 0, 0]), int(length))
        for batch in batches
        for image, length in zip(batch["image"], batch["target_len"], strict=True)
        if length
    ]


def same(batches, others) -> bool:
    return all(
        a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)
        for a, b in zip(batches, others, strict=True)
    )


@pytest.mark.parametrize("shuffle", [True, False])
def test_every_epoch_has_each_caption_once_beside_its_image(shuffle):
    batches = train_batches(shuffle=shuffle)
    wanted = sorted((i, len(text.split()) + 2) for i in range(9) for text in captions(i))
    for epoch in range(2):
        assert batches.epoch == epoch
        assert sorted(pairs(islice(batches, batches.batches_per_epoch))) == wanted


def test_batches_have_few_shapes_and_say_what_fills_up():
    for batch in islice(train_batches(), 8):
        assert batch["image"].shape == (4, *SIZE, 3) and batch["image"].dtype == np.uint8
        assert batch["target_ids"].shape in [(4, width) for width in WIDTHS]
        assert batch["target_ids"].dtype == batch["target_len"].dtype == np.int32
        np.testing.assert_array_equal(batch["source_len"], batch["target_len"] > 0)
        names = ("image", "target_ids", "target_len")
        for image, ids, length in zip(*(batch[name] for name in names), strict=True):
            assert (image == image[0, 0, 0]).all() and not ids[length:].any()
            if length:
                assert ids[1] == image[0, 0, 0]
            else:
                assert not image.any()


def test_the_order_is_the_seed_s_and_the_epoch_s_alone():
    one, other = (list(islice(train_batches(num_threads=n), 12)) for n in (1, 7))
    assert same(one, other)
    assert not same(one, islice(train_batches(seed=2), 12))
    assert pairs(one[:6]) != pairs(one[6:])


def test_a_restored_iterator_goes_on_with_the_very_same_batches():
    whole = list(islice(train_batches(), 20))
    for stop in (0, 3, 6, 17):
        batches = train_batches()
        assert same(islice(batches, stop), whole[:stop])
        resumed = train_batches()
        next(resumed)
        resumed.restore(json.loads(json.dumps(batches.state())))
        assert resumed.epoch == batches.epoch
        assert same(islice(resumed, 20 - stop), whole[stop:])


def test_another_run_s_state_is_refused():
    state = train_batches().state()
    other_size = ImageTrainBatches(CORPUS, DecodedImages(CORPUS.images, 9, 9), WIDTHS, 4, seed=1)
    for other in (train_batches(seed=2), train_batches(batch_size=3), other_size):
        with pytest.raises(UserError, match="differ from those of the run to resume"):
            other.restore(state)


def test_the_number_of_epochs_can_be_limited():
    assert len(list(train_batches(num_epochs=2))) == 2 * train_batches().batches_per_epoch


def test_the_shards_of_several_processes_make_up_the_batches_of_one():
    shards = [train_batches(shard=Shard(i, 2)) for i in range(2)]
    for whole in islice(train_batches(), 8):
        parts = [next(shard) for shard in shards]
        assert same([whole], [{k: np.concatenate([p[k] for p in parts]) for k in whole}])


def test_an_image_comes_in_another_variant_in_each_epoch():
    variants = ImageVariants(decoded(), 3)
    assert len(variants) == 4 * len(CORPUS.images)
    batches = ImageTrainBatches(CORPUS, variants, [7], 99, seed=1, variants=3)
    seen = [
        {
            (int(ids[1]), image.tobytes())
            for image, ids in zip(b["image"], b["target_ids"], strict=True)
        }
        for b in islice(batches, 40)
    ]
    assert seen[0] != seen[1]
    images = set.union(*seen)
    for level in range(9):
        drawn = {image for word, image in images if word == level}
        assert drawn == {variants.get(4 * level + j).tobytes() for j in range(4)}


def test_a_broken_image_is_one_line_or_its_row_is_empty(caplog):
    examples = [grey(1, "w1"), truncated(2, "w2"), grey(3, "w3")]
    corpus = corpus_of(examples)
    with pytest.raises(UserError, match=r"2\.png: the image is broken"):
        list(ImageTrainBatches(corpus, decoded(corpus), [3], 4, seed=1, num_epochs=1))
    images = decoded(corpus, on_error="skip")
    batches = list(ImageTrainBatches(corpus, images, [3], 4, seed=1, num_epochs=2))
    assert [sorted(pairs([batch])) for batch in batches] == [[(1, 3), (3, 3)]] * 2
    assert images.broken == {1}
    assert len([line for line in caplog.messages if "2.png" in line]) == 1
    assert [indices.tolist() for _, indices in image_batches(images, 2)] == [[0, -1], [2, -1]]


def test_dev_batches_are_in_order_and_say_which_caption_each_row_is():
    rows = [
        (int(index), int(image[0, 0, 0]), ids[:length].tolist())
        for batch, indices in caption_dev_batches(CORPUS, decoded(), [4], 4)
        for index, image, ids, length in zip(
            indices, batch["image"], batch["target_ids"], batch["target_len"], strict=True
        )
        if index >= 0
    ]
    assert [index for index, _, _ in rows] == sorted(
        range(len(CORPUS)), key=lambda i: (len(CORPUS.targets[i]) > 4, i)
    )
    for index, level, ids in rows:
        assert level == CORPUS.image_of[index] and ids == CORPUS.targets[index].tolist()


def test_images_alone_come_each_once_and_in_order():
    batches = list(image_batches(decoded(), 4))
    assert [indices.tolist() for _, indices in batches] == [
        [0, 1, 2, 3], [4, 5, 6, 7], [8, -1, -1, -1],
    ]  # fmt: skip
    levels = np.concatenate([batch["image"][:, 0, 0, 0] for batch, _ in batches])
    assert levels.tolist() == [*range(9), 0, 0, 0]


@pytest.mark.parametrize(("room", "times"), [(0, 9), (-1, 36)])
def test_small_sets_are_decoded_once_and_large_ones_are_not_kept(room, times):
    reads = []

    def counted(example):
        def read():
            reads.append(example)
            return example.read()

        return example._replace(read=read)

    needed = 9 * 5 * 6 * 3
    images = DecodedImages([*map(counted, CORPUS.images)], *SIZE, keep_bytes=needed + room)
    for _ in range(4):
        list(image_batches(images, 9, num_threads=1))
    assert len(reads) == times


def test_few_widths_hold_all_captions():
    lengths = np.random.default_rng(0).poisson(9, 5000) + 3
    widths = choose_target_widths(lengths, 32)
    assert max(widths) == lengths.max() and len(widths) <= 3
    assert choose_target_widths(np.array([5, 5]), 2) == (5,)
    with pytest.raises(ValueError, match="a caption of 7 ids is wider than 5"):
        ImageTrainBatches(CORPUS, decoded(), [3, 5], 4, seed=1)


def test_looking_ahead_keeps_order_is_bounded_and_raises_in_its_place():
    started = []

    def work(item: int) -> int:
        started.append(item)
        if item == 5:
            raise UserError("item", "is bad")
        return item * item

    results = prefetch(work, iter(range(10**9)), num_threads=3, buffer_size=2)
    assert not started
    assert [next(results) for _ in range(5)] == [0, 1, 4, 9, 16]
    assert max(started) <= 4 + 2
    with pytest.raises(UserError, match="is bad"):
        next(results)
