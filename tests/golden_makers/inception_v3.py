"""Write FILE, tests/captioning/models/inception_v3.npz: outputs of Keras, torchvision and timm.

Neither they nor their weights are needed to run the tests. To make the file again, from the root of
the repository, each part in a separate environment:

    pip install tensorflow-cpu keras
    python -m tests.golden_makers.inception_v3 keras FILE WEIGHTS
    pip install torch torchvision timm
    python -m tests.golden_makers.inception_v3 torch FILE

WEIGHTS is the file that `python -m experiments.emoji.fetch` prints last. Each run replaces
its own part of the file. The second also writes tests/captioning/weights/torch_{zip,old}.pth, the
same few tensors in both formats that torch.save has had.
"""

import os
import sys
from pathlib import Path

import numpy as np

from tests.golden_makers.drawn_weights import drawn, drawn_images

SIZES = {75: 2, 299: 1}  # pixels, and how many images


def keras_outputs(weights: str) -> dict[str, np.ndarray]:
    import keras

    outputs = {"keras/version": np.array(keras.__version__)}
    for size, number in SIZES.items():
        network = keras.applications.InceptionV3(
            include_top=False, weights=None, input_shape=(size, size, 3)
        )
        middle = keras.Model(network.input, network.get_layer("mixed2").output)
        images = keras.applications.inception_v3.preprocess_input(
            drawn_images(size, number).astype(np.float32)
        )
        _set_keras(network, drawn)
        outputs[f"keras/random/{size}/mixed2"] = _part(middle(images))
        outputs[f"keras/random/{size}/mixed10"] = _part(network(images))
        if size == 75:
            order = [n for n in network.layers if isinstance(n, keras.layers.Conv2D)]
            built = _by_number(network, keras.layers.Conv2D)
            outputs["keras/layer_order"] = np.array([built.index(layer) for layer in order])
            in_training = middle(images, training=True)
            last = _by_number(middle, keras.layers.BatchNormalization)[-1]
            outputs["keras/training/75/mixed2"] = _part(in_training)
            outputs["keras/training/75/mean"] = np.asarray(last.moving_mean)
            outputs["keras/training/75/var"] = np.asarray(last.moving_variance)
        _set_keras(network, _trained(weights))
        unit = drawn_images(size, number).astype(np.float32) / 255
        outputs[f"keras/trained/{size}/mixed2"] = _part(middle(unit))
        outputs[f"keras/trained/{size}/mixed10"] = _part(network(unit))
    return outputs


def torch_outputs() -> dict[str, np.ndarray]:
    import timm
    import torch
    import torchvision

    outputs = {
        "torch/torchvision_version": np.array(torchvision.__version__),
        "torch/timm_version": np.array(timm.__version__),
    }
    scale = torchvision.transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    ours = torchvision.models.inception_v3(
        weights=None, transform_input=True, aux_logits=True, init_weights=False
    )
    theirs = timm.create_model("inception_v3", pretrained=False, num_classes=0, global_pool="")
    for name, network in (("torchvision", ours), ("timm", theirs)):
        network.eval()
        outputs[f"torch/{name}/names"] = np.array(_set_torch(network))
        maps = {}
        network.Mixed_5d.register_forward_hook(lambda *got, maps=maps: maps.update(mixed2=got[2]))
        network.Mixed_7c.register_forward_hook(lambda *got, maps=maps: maps.update(mixed10=got[2]))
        for size, number in SIZES.items():
            images = torch.tensor(drawn_images(size, number)).permute(0, 3, 1, 2) / 255
            with torch.no_grad():
                network(scale(images) if name == "torchvision" else images * 2 - 1)
            for block, output in maps.items():
                outputs[f"torch/{name}/{size}/{block}"] = _part(output.permute(0, 2, 3, 1))
    return outputs


def _part(output) -> np.ndarray:
    """Every 16th channel of a map [B, h, w, C] of more than 10,000 numbers."""
    output = np.asarray(output)
    return output if output.size <= 10_000 else output[..., ::16]


def _set_keras(network, draw) -> None:
    import keras

    names = {"beta": "bias", "gamma": "scale", "moving_mean": "mean", "moving_variance": "var"}
    for kind in (keras.layers.Conv2D, keras.layers.BatchNormalization):
        for number, layer in enumerate(_by_number(network, kind)):
            for variable in layer.weights:
                leaf = names.get(variable.name, variable.name)
                variable.assign(draw(number, leaf, tuple(variable.shape)))


def _by_number(network, kind) -> list:
    def number(layer) -> int:
        last = layer.name.rsplit("_", 1)[-1]
        return int(last) if last.isdigit() else 0

    return sorted((layer for layer in network.layers if isinstance(layer, kind)), key=number)


def _trained(weights: str):
    """Draws from a file of Keras weights whose layers are named conv2d_1 to conv2d_94."""
    import h5py

    with h5py.File(weights) as file:
        arrays = {f"{layer}/{name}": file[layer][f"{name}:0"][()] for layer in file
                  for name in (key.removesuffix(":0") for key in file[layer])}  # fmt: skip
    names = {"bias": "beta", "mean": "moving_mean", "var": "moving_variance"}

    def draw(number: int, leaf: str, shape: tuple[int, ...]) -> np.ndarray:
        if leaf == "kernel":
            return arrays[f"conv2d_{number + 1}/kernel"]
        return arrays[f"batch_normalization_{number + 1}/{names[leaf]}"]

    return draw


def save_tensors(directory: Path) -> None:
    import torch

    whole = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    tensors = {
        "state_dict": {
            "whole": whole,
            "part": whole[1:3, ::2].T,
            "half": whole.half(),
            "brain": whole.bfloat16(),
            "count": torch.tensor(7),
            "parameter": torch.nn.Parameter(whole / 2),
            "nothing": torch.zeros(0, 3),
        },
        "epoch": 3,
    }
    torch.save(tensors, directory / "torch_zip.pth")
    torch.save(tensors, directory / "torch_old.pth", _use_new_zipfile_serialization=False)


def _set_torch(network) -> list[str]:
    """Returns the names of the 94 modules."""
    import torch

    leaves = {"bias": "bias", "weight": "scale", "running_mean": "mean", "running_var": "var"}
    parts = {
        name: module
        for name, module in network.named_modules()
        if hasattr(module, "conv") and hasattr(module, "bn") and "AuxLogits" not in name
    }
    assert len(parts) == 94
    with torch.no_grad():
        for number, module in enumerate(parts.values()):
            kernel = module.conv.weight
            shape = tuple(kernel.permute(2, 3, 1, 0).shape)
            kernel.copy_(torch.tensor(drawn(number, "kernel", shape)).permute(3, 2, 0, 1))
            for name, leaf in leaves.items():
                array = getattr(module.bn, name)
                array.copy_(torch.tensor(drawn(number, leaf, tuple(array.shape))))
    return list(parts)


def main(part: str, path: str, *rest: str) -> None:
    if part == "keras":
        made = keras_outputs(*rest)
    else:
        made = torch_outputs()
        save_tensors(Path(__file__).parents[1] / "captioning" / "weights")
    kept = {}
    if os.path.exists(path):
        with np.load(path) as arrays:
            kept = {name: array for name, array in arrays.items() if not name.startswith(part)}
    np.savez_compressed(path, **dict(sorted({**kept, **made}.items())))


if __name__ == "__main__":
    main(*sys.argv[1:])
