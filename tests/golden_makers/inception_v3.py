"""Makes tests/models/inception_v3.npz: what InceptionV3 of Keras, torchvision and timm computes.

Neither they nor their weights are needed to run the tests. To make the file anew, from the root of
the repository, each part in an environment of its own:

    pip install tensorflow-cpu keras
    python -m tests.golden_makers.inception_v3 keras tests/models/inception_v3.npz MODEL_JSON
    pip install torch torchvision timm
    python -m tests.golden_makers.inception_v3 torch tests/models/inception_v3.npz

MODEL_JSON, of trained weights, is what `seq2seq-jax fetch-weights nsfwjs` prints. Each run replaces
its own part of the file. The second also writes tests/published_weights/torch_{zip,old}.pth, the
same few tensors in both formats that torch.save has had.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np

from tests.golden_makers.drawn_weights import drawn, drawn_pictures

SIZES = {75: 2, 299: 1}  # pixels, and how many pictures


def keras_outputs(model_json: str) -> dict[str, np.ndarray]:
    import keras

    outputs = {"keras/version": np.array(keras.__version__)}
    for size, number in SIZES.items():
        network = keras.applications.InceptionV3(
            include_top=False, weights=None, input_shape=(size, size, 3)
        )
        middle = keras.Model(network.input, network.get_layer("mixed2").output)
        pictures = keras.applications.inception_v3.preprocess_input(
            drawn_pictures(size, number).astype(np.float32)
        )
        _set_keras(network, drawn)
        outputs[f"keras/random/{size}/mixed2"] = _part(middle(pictures))
        outputs[f"keras/random/{size}/mixed10"] = _part(network(pictures))
        if size == 75:
            order = [n for n in network.layers if isinstance(n, keras.layers.Conv2D)]
            built = _by_number(network, keras.layers.Conv2D)
            outputs["keras/layer_order"] = np.array([built.index(layer) for layer in order])
            in_training = middle(pictures, training=True)
            last = _by_number(middle, keras.layers.BatchNormalization)[-1]
            outputs["keras/training/75/mixed2"] = _part(in_training)
            outputs["keras/training/75/mean"] = np.asarray(last.moving_mean)
            outputs["keras/training/75/var"] = np.asarray(last.moving_variance)
        _set_keras(network, _trained(model_json))
        unit = drawn_pictures(size, number).astype(np.float32) / 255
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
            pictures = torch.tensor(drawn_pictures(size, number)).permute(0, 3, 1, 2) / 255
            with torch.no_grad():
                network(scale(pictures) if name == "torchvision" else pictures * 2 - 1)
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


def _trained(model_json: str):
    """Draws from the files of a model of TensorFlow.js in 8 bits."""
    folder = Path(model_json).parent
    (group,) = json.loads(Path(model_json).read_text())["weightsManifest"]
    data = b"".join((folder / name).read_bytes() for name in group["paths"])
    arrays, position = {}, 0
    for entry in group["weights"]:
        numbers = np.frombuffer(data, np.uint8, int(np.prod(entry["shape"])), position)
        position += numbers.size
        code = entry["quantization"]
        values = (numbers * code["scale"] + code["min"]).astype(np.float32)
        arrays[entry["name"]] = values.reshape(entry["shape"])
    names = {"bias": "beta", "mean": "moving_mean", "var": "moving_variance"}

    def draw(number: int, leaf: str, shape: tuple[int, ...]) -> np.ndarray:
        if leaf == "kernel":
            return arrays[f"conv2d_{number + 1}/kernel"]
        return arrays[f"batch_normalization_{number + 1}/{names[leaf]}"]

    return draw


def save_tensors(folder: Path) -> None:
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
    torch.save(tensors, folder / "torch_zip.pth")
    torch.save(tensors, folder / "torch_old.pth", _use_new_zipfile_serialization=False)


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
        save_tensors(Path(__file__).parents[1] / "published_weights")
    kept = {}
    if os.path.exists(path):
        with np.load(path) as arrays:
            kept = {name: array for name, array in arrays.items() if not name.startswith(part)}
    np.savez_compressed(path, **dict(sorted({**kept, **made}.items())))


if __name__ == "__main__":
    main(*sys.argv[1:])
