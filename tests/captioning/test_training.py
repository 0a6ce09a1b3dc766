"""Captioning from files to files, through the command line."""

import json
import logging

import numpy as np
import pytest

from seq2seq_jax.captioning.data.captioned_image import captioned_file
from seq2seq_jax.captioning.predictor import ImagePredictor
from seq2seq_jax.cli import main
from seq2seq_jax.config import default_config, resolve
from seq2seq_jax.inference.loading import load_model
from seq2seq_jax.storage.metrics_log import read_metrics
from seq2seq_jax.storage.workdir import Workdir
from seq2seq_jax.training.train import train
from seq2seq_jax.utils.errors import UserError
from tests.tiny_images import write_images

TRUST = "--trust-custom-code"  # The encoder is a class of the tests.


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("images")
    write_images(directory)
    return directory


def config_of(directory, **overrides):
    """Keys of overrides have `__` for dots."""
    data = {"captions": str(directory / "captions.tsv"), "image_dir": str(directory)}
    values = {
        f"input_pipeline_{part}.params.{name}": value
        for part in ("train", "dev")
        for name, value in data.items()
    }
    values |= {
        "encoder.class": "tests.tiny_images.TinyEncoder",
        "bridge.class": "InitialStateBridge",
        "attention.params.num_units": 8,
        "decoder.params.rnn_cell.cell_params.num_units": 24,
        "embedding.dim": 8,
        "optimizer.learning_rate": 0.01,
        "optimizer.clip_embed_gradients": 0,
        "batch_size": 8,
        "target.max_seq_len": 6,
        "inference.max_decode_length": 6,
        "inference.batch_size": 8,
        "metrics": "LogPerplexityMetricSpec,AccuracyMetricSpec",
    }
    values |= {name.replace("__", "."): value for name, value in overrides.items()}
    return resolve(
        default_config("Image2Seq"), [(name, str(value)) for name, value in values.items()]
    )


@pytest.fixture(scope="module")
def run(directory, tmp_path_factory):
    """A run with an encoder that is not trained."""
    workdir = tmp_path_factory.mktemp("run")
    assert train(config_of(directory, train_steps=150, eval_every_n_steps=150), workdir)
    return workdir


def test_images_are_described_after_training(run):
    (line,) = (line for line in read_metrics(run) if "dev/sequence_accuracy" in line)
    assert line["dev/sequence_accuracy"] == 100


def test_inference_writes_a_caption_for_each_image(run, directory, capsys, tmp_path):
    page, plots = tmp_path / "page.html", tmp_path / "plots"
    arguments = [f"--page={page}", f"--plots={plots}", f"--references={directory / 'captions.tsv'}"]
    beam = "--config.inference.beam_search.beam_width=3"
    assert main(["infer", f"--workdir={run}", TRUST, str(directory), beam, *arguments]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 16
    for line in lines:
        path, caption = line.split("\t")
        assert path == str(directory / f"{caption.replace(' ', '_')}.png")
    assert len(list(plots.glob("*_red_blue.png"))) == 1
    assert '"references": ["red blue"]' in page.read_text()


def test_inference_reads_paths_from_lines(run, directory, capsys, tmp_path):
    (tmp_path / "paths").write_text(f"{directory}/blue_red.png\n{directory}/grey_grey.png\n")
    base = ["infer", f"--workdir={run}", TRUST, f"--input={tmp_path / 'paths'}"]
    assert main(base) == 0
    assert capsys.readouterr().out == "blue red\ngrey grey\n"
    assert main([*base, "--json", "--attention"]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert first["tokens"] == ["blue", "red"]
    assert np.shape(first["attention"]) == (3, 4)  # its end too; four quarters


def test_a_broken_image_is_one_line_or_left_out(run, directory, tmp_path, caplog):
    (tmp_path / "broken.png").write_bytes((directory / "red_red.png").read_bytes()[:50])
    paths = tmp_path / "broken.png", directory / "red_red.png"
    images = [captioned_file(str(path)) for path in paths]
    with pytest.raises(UserError, match=r"broken\.png: the image is broken"):
        ImagePredictor.from_workdir(run, trust_custom_code=True).predict(images)
    skipping = [("input_pipeline_dev.params.on_error", "skip")]
    predicted = ImagePredictor.from_workdir(run, skipping, True).predict(images)
    assert [one.text for one in predicted] == ["", "red red"]


def test_evaluation_of_a_workdir_gives_what_training_gave(run, capsys):
    assert main(["eval", f"--workdir={run}", TRUST]) == 0
    results = dict(line.split() for line in capsys.readouterr().out.splitlines())
    (line,) = (line for line in read_metrics(run) if "dev/log_perplexity" in line)
    assert float(results["log_perplexity"]) == pytest.approx(line["dev/log_perplexity"], abs=1e-4)


def test_reference_kernels_train_and_caption_as_the_fast_ones_do(directory, tmp_path):
    losses, captions = [], []
    for kernels in ("fast", "reference"):
        config = config_of(directory, train_steps=3, log_every_n_steps=1, kernels=kernels)
        assert train(config, tmp_path / kernels)
        losses.append([line["train/loss"] for line in read_metrics(tmp_path / kernels)[:3]])
        predictor = ImagePredictor.from_workdir(tmp_path / kernels, trust_custom_code=True)
        images = [captioned_file(str(path)) for path in sorted(directory.glob("*.png"))]
        captions.append([one.text for one in predictor.predict(images)])
    np.testing.assert_allclose(*losses, rtol=1e-4)
    assert captions[0] == captions[1]


def test_features_are_computed_once(run, directory, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    train(config_of(directory, train_steps=1, eval_every_n_steps=0), tmp_path)
    assert "computed the features" not in caplog.text
    train(config_of(directory, train_steps=1, eval_every_n_steps=0, seed=1), tmp_path / "other")
    assert "computed the features of 16 images" in caplog.text


def test_features_are_kept_whatever_reads_them(directory, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    reading = {"encoder__params__head__num_units": 3, "encoder__params__head__normalize": True}
    train(config_of(directory, train_steps=1, eval_every_n_steps=0, **reading), tmp_path)
    assert "computed the features" not in caplog.text


def test_the_weights_that_are_not_trained_are_in_the_workdir_once(run):
    checkpoint = next((run / "checkpoints").iterdir())
    with np.load(run / "encoder.npz") as file:
        assert sorted(file) == [
            "batch_stats.encoder.network.mean",
            "frozen.encoder.network.kernel",
        ]
    assert not list(checkpoint.rglob("*frozen*"))


def damaged(run, tmp_path, change):
    import shutil

    shutil.copytree(run, tmp_path / "copy")
    change(tmp_path / "copy" / "encoder.npz")
    workdir = Workdir(tmp_path / "copy", trust=True)
    return workdir, workdir.config()


def test_missing_or_other_weights_are_one_line(run, tmp_path):
    workdir, config = damaged(run, tmp_path, lambda file: file.unlink())
    with pytest.raises(UserError, match=r"encoder\.npz: is missing"):
        load_model(workdir, config)
    with np.load(run / "encoder.npz") as file:
        other = {name: array + 1 for name, array in file.items()}
    np.savez(workdir.encoder_file, **other)
    with pytest.raises(UserError, match=r"encoder\.npz: differs from the file with which"):
        load_model(workdir, config)


def final_state(directory, workdir, *steps, **overrides):
    for count in steps:
        config = config_of(
            directory,
            train_steps=count,
            eval_every_n_steps=0,
            save_checkpoints_steps=2,
            **overrides,
        )
        train(config, workdir)
    _, arrays, _ = Workdir(workdir).checkpoints(config).read()
    return arrays


TRAINED = {"encoder__params__trainable": "all", "images__variants": 2}


def test_a_run_that_trains_its_encoder_continues_bit_for_bit(directory, tmp_path):
    whole = final_state(directory, tmp_path / "whole", 4, **TRAINED)
    parts = final_state(directory, tmp_path / "parts", 2, 4, **TRAINED)
    assert whole.keys() == parts.keys()
    for name, array in whole.items():
        np.testing.assert_array_equal(array, parts[name], err_msg=name)
    assert np.abs(whole["batch_stats.encoder.network.mean"]).max() > 0.01


@pytest.mark.parametrize("parallel", ["jit", "pmap"])
def test_two_devices_train_an_encoder_as_one_does(directory, tmp_path, use_devices, parallel):
    """Each normalises over its own rows; with equal rows on both, that is the same."""
    overrides = TRAINED | {"input_pipeline_train__params__shuffle": False, "parallel": parallel}
    overrides |= {"encoder__params__trainable": "none", "images__cache_features": False}
    one = final_state(directory, tmp_path / "one", 2, **overrides)
    use_devices(2)
    two = final_state(directory, tmp_path / "two", 2, **overrides)
    for name, array in one.items():
        np.testing.assert_allclose(array, two[name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_frozen_weights_are_used_by_pixels_as_by_kept_features(directory, tmp_path):
    kept = final_state(directory, tmp_path / "kept", 2)
    pixels = final_state(directory, tmp_path / "pixels", 2, images__cache_features=False)
    for name, array in kept.items():
        np.testing.assert_allclose(array, pixels[name], rtol=1e-4, atol=1e-6, err_msg=name)


def test_inception_learns_and_its_workdir_needs_no_file_of_weights(directory, tmp_path):
    overrides = {
        "encoder__class": "InceptionV3Encoder",
        "encoder__params__resize_height": 75,
        "encoder__params__resize_width": 75,
        "encoder__params__block": "stem",
        "encoder__params__head__num_units": 6,
        "encoder__params__head__final_state": "grid",
    }
    config = config_of(directory, train_steps=2, eval_every_n_steps=2, **overrides)
    train(config, tmp_path)
    loaded = load_model(Workdir(tmp_path), Workdir(tmp_path, trust=True).config())
    kernel = loaded.non_trainable["frozen"]["encoder"]["network"]["stem"]["branch0_conv0"]["kernel"]
    assert kernel.shape == (3, 3, 3, 32)
    assert "project" in loaded.params["encoder"]["feature_head"]


def test_data_of_images_are_prepared(directory, capsys, tmp_path):
    (tmp_path / "tiny.py").write_text(
        "from tests.captioning.test_training import config_of\n"
        "from pathlib import Path\n"
        f"get_config = lambda: config_of(Path({str(directory)!r}))\n"
    )
    assert main(["prepare", f"--config={tmp_path / 'tiny.py'}", f"--workdir={tmp_path}"]) == 0
    assert "16 with 16 captions" in capsys.readouterr().out


def test_a_run_that_starts_from_another_has_its_weights_that_are_not_trained(
    run, directory, tmp_path
):
    start = {"initialize_from": run, "optimizer__learning_rate": 1e-9, "seed": 5}
    train(config_of(directory, train_steps=1, eval_every_n_steps=1, **start), tmp_path / "new")
    (line,) = (line for line in read_metrics(tmp_path / "new") if "dev/sequence_accuracy" in line)
    assert line["dev/sequence_accuracy"] == 100
    assert (tmp_path / "new" / "encoder.npz").read_bytes() == (run / "encoder.npz").read_bytes()


def test_an_image_run_that_takes_everything_continues_bit_for_bit(directory, tmp_path):
    whole = final_state(directory, tmp_path / "whole", 2, 4, **TRAINED)
    start = {"initialize_from": f"{tmp_path}/whole:2", "transfer__take": "all"}
    new = final_state(directory, tmp_path / "new", 4, **TRAINED, **start)
    assert whole.keys() == new.keys()
    for name, array in whole.items():
        np.testing.assert_array_equal(array, new[name], err_msg=name)
