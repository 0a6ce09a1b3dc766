import numpy as np
import pytest

from experiments.emoji.nearest_neighbour import (
    caption_scores,
    nearest,
    nearest_neighbour_captions,
)
from seq2seq_jax.captioning.data.decoded_images import DecodedImages
from tests.captioning.data.tiny_images import grey


def test_the_nearest_row_is_the_one_by_euclid():
    random = np.random.default_rng(0)
    queries, gallery = random.normal(size=(23, 5)), random.normal(size=(11, 5))
    distances = np.linalg.norm(queries[:, None] - gallery[None], axis=2)
    for rows in (4, 100):
        assert nearest(queries, gallery, rows=rows).tolist() == distances.argmin(1).tolist()


def test_each_picture_is_called_what_the_nearest_one_is_called():
    gallery = [grey(10, "dark"), grey(200, "light grey"), grey(250, "white", "snow")]
    queries = [grey(20, "dark"), grey(190, "bright grey"), grey(255, "snow", "white")]
    captions = nearest_neighbour_captions(
        DecodedImages(queries, 3, 3), DecodedImages(gallery, 3, 3), gallery
    )
    assert captions == ["dark", "light grey", "white"]
    scores = caption_scores(captions, queries)
    assert scores["sequence_accuracy"] == pytest.approx(200 / 3)
    assert scores["bleu_1"] == pytest.approx(75)
    assert 60 < scores["chrf"] < 100


def test_of_features_the_direction_alone_can_be_compared():
    gallery = [grey(10, "dark"), grey(250, "white")]
    images = DecodedImages([grey(9, "a"), grey(251, "b")], 2, 2)
    captions = nearest_neighbour_captions(
        images, DecodedImages(gallery, 2, 2), gallery, unit_length=True
    )
    assert captions == ["dark", "dark"]  # greys all point one way
