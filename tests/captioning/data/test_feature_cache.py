import numpy as np
import pytest

from seq2seq_jax.captioning.data.decoded_images import DecodedImages
from seq2seq_jax.captioning.data.feature_cache import cached_features
from seq2seq_jax.captioning.data.image_batches import image_batches
from seq2seq_jax.utils.errors import UserError
from tests.captioning.data.encoded_images import grey, truncated


class Network:
    """Counts its calls; two cells, the first the mean of the image, the second its height."""

    calls = 0

    def __call__(self, images: np.ndarray) -> np.ndarray:
        self.calls += 1
        means = images.mean((1, 2, 3))
        return np.stack([means, np.full_like(means, images.shape[1])], 1)[:, :, None]


def features_of(examples, compute, directory, on_error="fail", height=4, **changed):
    settings = {"images_digest": "i", "weights_digest": "w", "network": "b", "batch_size": 2}
    images = DecodedImages(examples, height, 4, on_error=on_error)
    return cached_features(compute, images, directory=directory, **{**settings, **changed})


def test_features_are_computed_once_and_are_the_network_s(tmp_path):
    examples, network = [grey(i, "a") for i in range(5)], Network()
    features = features_of(examples, network, tmp_path / "new")
    assert features.features.tolist() == [[[i], [4]] for i in range(5)]
    assert (features.shape, features.dtype, len(features)) == ((2, 1), np.float32, 5)
    assert network.calls == 3
    again = features_of(examples, network, tmp_path / "new")
    assert network.calls == 3 and isinstance(again.features, np.memmap)
    np.testing.assert_array_equal(again.features, features.features)


def test_whatever_they_depend_on_makes_them_anew(tmp_path):
    examples, network = [grey(i, "a") for i in range(2)], Network()
    digests = {features_of(examples, network, tmp_path).digest}
    for changed in (
        {"images_digest": "x"}, {"weights_digest": "x"}, {"network": "x"}, {"dtype": "float16"},
        {"height": 5},
    ):  # fmt: skip
        digests.add(features_of(examples, network, tmp_path, **changed).digest)
    assert network.calls == len(digests) == 6


def test_they_make_batches_as_images_do(tmp_path):
    features = features_of([grey(i, "a") for i in range(3)], Network(), tmp_path)
    (batch, indices), (last, _) = image_batches(features, 2)
    assert list(batch) == ["image_features", "source_len"] and indices.tolist() == [0, 1]
    assert last["image_features"].tolist() == [[[2], [4]], [[0], [0]]]


def test_broken_images_stay_passed_over(tmp_path):
    examples = [grey(1, "a"), truncated(2, "b"), grey(3, "c")]
    with pytest.raises(UserError, match=r"2\.png: the image is broken"):
        features_of(examples, Network(), tmp_path)
    for _ in range(2):
        features = features_of(examples, Network(), tmp_path, on_error="skip")
        assert features.broken == {1} and features.get(1) is None
        assert features.features[1].tolist() == [[0], [0]]
    with pytest.raises(UserError, match=r"2\.png: the image is broken"):
        features_of(examples, Network(), tmp_path)


def test_a_computation_that_fails_leaves_nothing(tmp_path):
    calls = 0

    def failing(images):
        nonlocal calls
        calls += 1
        if calls == 2:
            raise MemoryError
        return np.zeros((len(images), 1, 1))

    examples = [grey(i, "a") for i in range(5)]
    with pytest.raises(MemoryError):
        features_of(examples, failing, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert features_of(examples, Network(), tmp_path).features[4, 0, 0] == 4


@pytest.mark.parametrize("suffix", [".npy", ".json"])
def test_damaged_features_are_computed_again_with_a_warning(tmp_path, caplog, suffix):
    examples, network = [grey(i, "a") for i in range(2)], Network()
    features_of(examples, network, tmp_path)
    (file,) = tmp_path.glob(f"*{suffix}")
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    again = features_of(examples, network, tmp_path)
    assert again.features.tolist() == [[[0], [4]], [[1], [4]]]
    assert network.calls == 2 and "computing the features again" in caplog.text
    assert features_of(examples, network, tmp_path) and network.calls == 2
