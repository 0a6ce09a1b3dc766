"""Weights of InceptionV3 in the files of others arrive in their places; what does not fit is named.

Whole files have 88 MB; most here end after the block mixed0.
"""

import hashlib
import io
import os
import pickle
import zipfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from seq2seq_jax.captioning.models.inception_blocks import convolutions
from seq2seq_jax.captioning.models.inception_encoder import InceptionV3Encoder
from seq2seq_jax.captioning.weights import fetching, torch_inception
from seq2seq_jax.captioning.weights.inception_weights import (
    InceptionWeights,
    inception_variables,
    read_inception_weights,
)
from seq2seq_jax.captioning.weights.torch_file import read_torch_file
from seq2seq_jax.utils.errors import UserError
from tests.golden_makers.drawn_weights import drawn

HERE = Path(__file__).parent
GOLDEN = HERE.parents[0] / "models" / "inception_v3.npz"
KERAS = {"kernel": "kernel", "bias": "beta", "mean": "moving_mean", "var": "moving_variance"}
TORCH = {
    "kernel": "conv.weight",
    "scale": "bn.weight",
    "bias": "bn.bias",
    "mean": "bn.running_mean",
    "var": "bn.running_var",
}


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as arrays:
        return dict(arrays)


def encoder(**settings):
    return InceptionV3Encoder(75, 75, **{"block": "mixed0", **settings})


def drawn_leaves(scale=False, block="mixed0"):
    """(number of the convolution, leaf, array) of all blocks up to this one."""
    images = jnp.zeros((1, 75, 75, 3))
    of = encoder(block=block, batch_norm_scale=scale)
    shapes = flatten_dict(jax.eval_shape(of.init, jax.random.key(0), images))
    numbers = {names: i for i, names in enumerate(convolutions(block))}
    for path, shape in shapes.items():
        number = numbers[path[-3:-1]]
        yield number, path[-1], drawn(number, path[-1], shape.shape)


def assert_all_arrived(path, scale=False, **settings):
    weights = read_inception_weights(path)
    assert weights.settings["batch_norm_scale"] == scale
    variables = inception_variables(encoder(**weights.settings, **settings), weights)
    numbers = {names: i for i, names in enumerate(convolutions("mixed0"))}
    arrived = flatten_dict(variables)
    for (*_, block, conv, leaf), array in arrived.items():
        expected = drawn(numbers[block, conv], leaf, array.shape)
        np.testing.assert_array_equal(array, expected, f"{block} {conv} {leaf}")
    assert len(arrived) == 12 * (5 if scale else 4)
    return variables


def keras_arrays(first=0):
    """As a model has them whose layers come after `first` others."""
    for number, leaf, array in drawn_leaves():
        kind = "conv2d" if leaf == "kernel" else "batch_normalization"
        suffix = f"_{number + first}" if number + first else ""
        yield number, f"{kind}{suffix}", KERAS[leaf], array


@pytest.mark.parametrize("first", [0, 1, 94])
def test_files_of_keras_2(tmp_path, first):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "w.h5", "w") as file:
        for _, layer, variable, array in keras_arrays(first):
            file[f"model_weights/{layer}/{layer}/{variable}:0"] = array
        file["model_weights/dense/dense/kernel:0"] = np.zeros((2, 3))
    variables = assert_all_arrived(tmp_path / "w.h5")
    assert variables.keys() == {"frozen", "batch_stats"}


@pytest.mark.parametrize("with_names", [True, False])
def test_files_of_keras_3(tmp_path, golden, with_names):
    """Their layers are numbered by position; since 2024 they have names as well."""
    h5py = pytest.importorskip("h5py")
    places = list(golden["keras/layer_order"])
    with h5py.File(tmp_path / "w.weights.h5", "w") as file:
        for number, layer, variable, array in keras_arrays(94):
            kind, place = layer.rsplit("_", 1)[0], places.index(number)
            group = f"layers/functional/layers/{kind}{f'_{place}' if place else ''}/vars"
            order = ["beta", "moving_mean", "moving_variance"]
            file[f"{group}/{0 if variable == 'kernel' else order.index(variable)}"] = array
            if with_names:
                file[group].attrs["name"] = layer
    assert_all_arrived(tmp_path / "w.weights.h5")
    with zipfile.ZipFile(tmp_path / "w.keras", "w") as archive:
        archive.write(tmp_path / "w.weights.h5", "model.weights.h5")
    assert_all_arrived(tmp_path / "w.keras")


def torch_arrays(golden, prefix=""):
    names = golden["torch/torchvision/names"]
    for number, leaf, array in drawn_leaves(scale=True):
        kernel = leaf == "kernel"
        yield (
            f"{prefix}{names[number]}.{TORCH[leaf]}",
            array.transpose(3, 2, 0, 1) if kernel else array,
        )


def test_safetensors_of_torch(tmp_path, golden):
    numpy = pytest.importorskip("safetensors.numpy")
    arrays = {name: np.ascontiguousarray(a) for name, a in torch_arrays(golden, "module.")}
    arrays["module.fc.weight"] = np.zeros((2, 2), np.float32)
    arrays["module.Conv2d_1a_3x3.bn.num_batches_tracked"] = np.zeros((), np.int64)
    numpy.save_file(arrays, tmp_path / "w.safetensors")
    assert_all_arrived(tmp_path / "w.safetensors", scale=True)


def test_torchs_names_are_those_of_our_convolutions(golden):
    for source in ("torchvision", "timm"):
        names = [str(name) for name in golden[f"torch/{source}/names"]]
        state_dict = {
            f"{name}.conv.weight": np.full((1, 1, 1, 1), i) for i, name in enumerate(names)
        }
        found = torch_inception.from_state_dict(state_dict).arrays
        places = {key: int(array.value.item()) for key, array in found.items()}
        keys = [(*names, "kernel") for names in convolutions("mixed10")]
        assert places == {key: i for i, key in enumerate(keys)}


@pytest.mark.parametrize("file", ["torch_zip.pth", "torch_old.pth"])
def test_what_torch_saved_is_read_without_torch(file):
    content = read_torch_file(str(HERE / file))
    whole = np.arange(24, dtype=np.float32).reshape(4, 6)
    tensors = content["state_dict"]
    np.testing.assert_array_equal(tensors["whole"], whole)
    np.testing.assert_array_equal(tensors["part"], whole[1:3, ::2].T)
    np.testing.assert_array_equal(tensors["parameter"], whole / 2)
    for name, kind in (("half", "float16"), ("brain", "bfloat16")):
        assert tensors[name].dtype == kind
        np.testing.assert_array_equal(tensors[name].astype(np.float32), whole)
    assert tensors["count"] == 7 and content["epoch"] == 3
    assert tensors["nothing"].shape == (0, 3)


class Evil:
    def __reduce__(self):
        return os.system, ("touch evil",)


def test_a_file_cannot_run_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stream = io.BytesIO()
    pickle.dump({"a": Evil()}, stream, protocol=2)
    with zipfile.ZipFile("evil.pth", "w") as archive:
        archive.writestr("evil/data.pkl", stream.getvalue())
    Path("old.pth").write_bytes(stream.getvalue())
    for name in ("evil.pth", "old.pth"):
        with pytest.raises(UserError, match=rf"^{name}: .* names \w+\.system.*state_dict") as error:
            read_inception_weights(name)
        assert "\n" not in str(error.value)
    assert not Path("evil").exists()


def test_a_tensor_cannot_reach_beyond_its_numbers(tmp_path):
    with zipfile.ZipFile(HERE / "torch_zip.pth") as good:
        files = {name: good.read(name) for name in good.namelist()}
    shorter = {n: d[:8] if n.endswith("data/0") else d for n, d in files.items()}
    with zipfile.ZipFile(tmp_path / "bad.pth", "w") as bad:
        for name, data in shorter.items():
            bad.writestr(name, data)
    with pytest.raises(UserError, match="a tensor reaches beyond its storage"):
        read_torch_file(str(tmp_path / "bad.pth"))


@pytest.mark.parametrize("content", [b"", b"no pickle", b"PK\x03\x04 cut", b"\x80\x02"])
def test_damaged_files_are_one_line(tmp_path, content):
    for name in ("w.pth", "w.safetensors", "w.h5", "w.keras", "w.txt", "gone.pth"):
        path = tmp_path / name
        if name != "gone.pth":
            path.write_bytes(content)
        with pytest.raises(UserError, match=str(path)) as error:
            read_inception_weights(path)
        assert "\n" not in str(error.value)


def test_what_does_not_fit_is_listed(golden):
    state_dict = dict(torch_arrays(golden))
    del state_dict["Conv2d_3b_1x1.bn.bias"]
    state_dict["Conv2d_2a_3x3.conv.weight"] = np.zeros((16, 32, 3, 3))
    state_dict["Mixed_5b.branch5x5_1.conv.bias"] = np.zeros(48)
    settings = {"scaling": "inception", "pools_count_padding": True, "batch_norm_scale": True}
    found = torch_inception.from_state_dict(state_dict)
    weights = InceptionWeights("w.pth", found, settings)
    with pytest.raises(UserError) as error:
        inception_variables(encoder(**settings), weights)
    assert str(error.value) == (
        "w.pth: weights do not fit InceptionV3; missing: Conv2d_3b_1x1.bn.bias; of another shape:"
        " Conv2d_2a_3x3.conv.weight 3x3x32x16, not 3x3x32x32; unexpected:"
        " Mixed_5b.branch5x5_1.conv.bias"
    )
    with pytest.raises(UserError, match=r"encoder\.params\.batch_norm_scale: must be True for"):
        inception_variables(encoder(pools_count_padding=True), weights)


def test_a_fetched_file_is_checked_and_kept(tmp_path, monkeypatch):
    published = tmp_path / "published.pth"
    published.write_bytes(b"weights")
    checksum = f"sha256:{hashlib.sha256(b'weights').hexdigest()[:8]}"
    good = fetching.SOURCES["torchvision"]._replace(url=published.as_uri(), checksum=checksum)
    monkeypatch.setitem(fetching.SOURCES, "good", good)
    monkeypatch.setitem(fetching.SOURCES, "bad", good._replace(checksum="md5:00"))
    directory = tmp_path / "weights"
    with pytest.raises(UserError, match="differs from the published file: its md5 is"):
        fetching.fetch_weights("bad", directory)
    assert list(directory.iterdir()) == []
    path = fetching.fetch_weights("good", directory)
    assert path.read_bytes() == b"weights"
    published.unlink()
    assert fetching.fetch_weights("good", directory) == path
    path.unlink()
    with pytest.raises(UserError, match="cannot be fetched"):
        fetching.fetch_weights("good", directory)
    with pytest.raises(UserError, match="SOURCE: must be one of keras, torchvision"):
        fetching.fetch_weights("imagenet", directory)
