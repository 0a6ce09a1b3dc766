"""Runs that start from another run: what they take, and what they refuse."""

import shutil

import jax
import numpy as np
import pytest

from seq2seq_jax.cli import main
from seq2seq_jax.config import resolve
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.devices import parallel
from seq2seq_jax.inference.predictor import Predictor
from seq2seq_jax.reports.learning_curve import write_learning_curves
from seq2seq_jax.storage.arrays import digest, named_arrays
from seq2seq_jax.storage.history import read_history
from seq2seq_jax.storage.metrics_log import read_metrics
from seq2seq_jax.storage.packed_workdir import pack_workdir
from seq2seq_jax.storage.workdir import Workdir
from seq2seq_jax.training.train import train
from seq2seq_jax.training.trainer import Trainer
from seq2seq_jax.utils.errors import UserError
from tests.tiny_models import tiny_config


@pytest.fixture(autouse=True, scope="module")
def _compile_quickly():
    """Disable optimizations, because each program runs only a few times."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def write_pairs(directory, name, lines):
    (directory / f"{name}.source").write_text("".join(f"{line}\n" for line in lines))
    (directory / f"{name}.target").write_text("".join(f"{line.upper()}\n" for line in lines))


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """Files of general words over a, b, c, and of special ones over b, c, d."""
    directory = tmp_path_factory.mktemp("corpora")
    write_pairs(directory, "general", ["a b c", "c b", "a a b", "b c a"] * 3)
    write_pairs(directory, "special", ["b c d", "d d", "c d b", "b b d"] * 3)
    return directory


def config_of(corpora, name="general", **overrides):
    """Return a configuration of two steps, which is evaluated at the end."""
    settings = {
        "train_steps": 2,
        "batch_size": 4,
        "buckets": "8",
        "eval_every_n_steps": 2,
        "log_every_n_steps": 1,
        "ema_decay": 0.5,
        "inference.max_decode_length": 4,
        "optimizer.learning_rate": 0.1,
        "encoder.params.rnn_cell.dropout_input_keep_prob": 0.5,
    }
    for part in ("train", "dev"):
        settings[f"input_pipeline_{part}.params.builtin"] = ""
        settings[f"input_pipeline_{part}.params.source_files"] = corpora / f"{name}.source"
        settings[f"input_pipeline_{part}.params.target_files"] = corpora / f"{name}.target"
    return tiny_config(**settings | overrides)


@pytest.fixture(scope="module")
def general(corpora, tmp_path_factory):
    """The workdir of a run of two steps on the general words."""
    workdir = tmp_path_factory.mktemp("runs") / "general"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parallel, "available", lambda: jax.devices()[:1])
        assert train(config_of(corpora), workdir)
    return workdir


def state_of(workdir):
    config = Workdir(workdir).config()
    return Workdir(workdir).checkpoints(config).read()[1]


def start(tmp_path, general, corpora, name="general", **overrides):
    """Return the trainer of a new run from `general`, before its first step."""
    overrides = {"initialize_from": general, **overrides}
    return Trainer(config_of(corpora, name, **overrides), Workdir(tmp_path / "new"))


def metrics_without_speed(workdir):
    return [
        {name: value for name, value in line.items() if "second" not in name}
        for line in read_metrics(workdir)
    ]


def test_a_run_that_takes_everything_continues_bit_for_bit_like_resuming(
    tmp_path, general, corpora
):
    whole = Trainer(config_of(corpora, train_steps=4), Workdir(tmp_path / "whole"))
    assert whole.fit()

    new = start(tmp_path, f"{general}:latest", corpora, train_steps=4, transfer__take="all")
    assert new.step == 2
    assert new.fit()

    assert digest(new.state.saved) == digest(whole.state.saved)
    later = [line for line in metrics_without_speed(tmp_path / "whole") if line["step"] > 2]
    assert metrics_without_speed(tmp_path / "new") == later


def test_a_new_run_takes_the_evaluated_parameters_and_nothing_else(tmp_path, general, corpora):
    old = state_of(general)

    new = start(tmp_path, general, corpora)

    state = named_arrays(new.state.saved)
    assert new.step == state["step"] == 0
    assert not np.array_equal(
        old["params.decoder.project_logits.kernel"], old["ema_params.decoder.project_logits.kernel"]
    )
    for name, array in state.items():
        if name.startswith(("params.", "ema_params.")):
            expected = old[name if name.startswith("ema") else f"ema_{name}"]
            np.testing.assert_array_equal(array, expected, err_msg=name)
        elif name.startswith("opt_state."):
            assert not array.any(), name
    (event,) = read_history(tmp_path / "new")
    assert (event["event"], event["run_step"]) == ("initialized", 2)


def test_raw_weights_can_be_taken_instead_of_their_moving_average(tmp_path, general, corpora):
    new = start(tmp_path, general, corpora, transfer__weights="raw")

    old = state_of(general)
    for name, array in named_arrays({"params": new.state.params}).items():
        np.testing.assert_array_equal(array, old[name], err_msg=name)


def test_an_extended_vocabulary_keeps_the_rows_of_old_tokens_and_of_their_moments(
    tmp_path, general, corpora
):
    new = start(
        tmp_path,
        general,
        corpora,
        "special",
        train_steps=3,
        transfer__take="optimizer",
        transfer__source_vocabulary="extend",
        transfer__target_vocabulary="extend",
    )

    old = state_of(general)
    old_tokens = Workdir(general).vocabularies().target.tokens
    vocabulary = new.data.vocabularies.target
    assert vocabulary.tokens == (*old_tokens, "D")
    assert new.step == 2
    n = len(old_tokens)
    kept = [*range(n), *range(n + 1, n + 4)]  # the special tokens follow the new one
    checked = 0
    for name, array in named_arrays(new.state.saved).items():
        if array.shape == old[name].shape:
            np.testing.assert_array_equal(array, old[name], err_msg=name)
            continue
        axis = int(np.flatnonzero(np.array(array.shape) != old[name].shape)[0])
        array, before = np.moveaxis(array, axis, 0), np.moveaxis(old[name], axis, 0)
        np.testing.assert_array_equal(array[kept], before, err_msg=name)
        if name.startswith("opt_state."):
            assert not array[n].any(), name
        elif name.startswith("params."):
            nearest = np.abs(array[n] - before.mean(axis=0)).max()
            assert nearest < np.abs(before - before.mean(axis=0)).max() + 1, name
        checked += 1
    assert checked == 4 * 4  # two embeddings, kernel, bias; parameters, average and two moments
    assert new.fit()


def test_a_replaced_vocabulary_takes_the_rows_of_shared_tokens(tmp_path, general, corpora):
    new = start(tmp_path, general, corpora, "special", transfer__target_vocabulary="replace")

    old = state_of(general)
    before, after = Workdir(general).vocabularies().target, new.data.vocabularies.target
    assert new.data.vocabularies.source == Workdir(general).vocabularies().source
    assert sorted(after.tokens) == ["B", "C", "D"]
    kernel = np.asarray(new.state.params["decoder"]["project_logits"]["kernel"])
    old_kernel = old["ema_params.decoder.project_logits.kernel"]
    for token in ("B", "C", "SEQUENCE_END"):
        (i,), (j,) = after.encode([token]), before.encode([token])
        np.testing.assert_array_equal(kernel[:, i], old_kernel[:, j])


def test_a_replaced_vocabulary_that_shares_few_tokens_is_refused(tmp_path, general, corpora):
    with pytest.raises(
        UserError, match=r"only 2 of 3 tokens are known to the run, .* at least 90%"
    ):
        start(
            tmp_path,
            general,
            corpora,
            "special",
            transfer__source_vocabulary="replace",
            transfer__min_shared_tokens=0.9,
        )
    assert not (tmp_path / "new").exists()


def test_a_vocabulary_file_needs_a_vocabulary_that_is_not_kept(tmp_path, general, corpora):
    Vocabulary("abx").write(tmp_path / "vocab.txt")
    with pytest.raises(UserError, match=r"vocab_source: .* transfer.source_vocabulary is keep"):
        start(tmp_path, general, corpora, vocab_source=tmp_path / "vocab.txt")


def test_parameters_that_do_not_fit_are_listed_and_nothing_is_written(tmp_path, general, corpora):
    with pytest.raises(UserError) as caught:
        start(tmp_path, general, corpora, attention__params__num_units=7)
    what = str(caught.value)
    assert what.startswith("initialize_from: ")
    assert "attention" in what
    assert "there, (" in what
    assert "transfer.exclude" in what
    assert not (tmp_path / "new").exists()


def test_patterns_select_the_parameters_that_are_taken(tmp_path, general, corpora):
    new = start(
        tmp_path,
        general,
        corpora,
        transfer__include="encoder/*,decoder",
        transfer__exclude="*/project_logits/*",
    )

    old, drawn = (
        state_of(general),
        named_arrays(Trainer(config_of(corpora), Workdir(tmp_path / "drawn")).state.saved),
    )
    for name, array in named_arrays({"params": new.state.params}).items():
        taken = name.split(".")[1] in ("encoder", "decoder") and "project_logits" not in name
        np.testing.assert_array_equal(
            array, old[f"ema_{name}"] if taken else drawn[name], err_msg=name
        )


def test_a_pattern_that_matches_nothing_is_refused(tmp_path, general, corpora):
    with pytest.raises(UserError, match=r"transfer.include: enkoder/\* matches no parameter; use"):
        start(tmp_path, general, corpora, transfer__include="enkoder/*")
    with pytest.raises(UserError, match=r"optimizer.frozen: enkoder matches no parameter; use"):
        start(tmp_path, general, corpora, optimizer__frozen="enkoder:5")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"optimizer__name": "SGD", "transfer__take": "all", "train_steps": 3},
            "transfer.take: is all, but the optimizer differs",
        ),
        ({"transfer__take": "optimizer"}, "train_steps: must be above 2"),
        ({"transfer__take": "all", "transfer__exclude": "encoder"}, "needs all parameters"),
        ({"input_pipeline_train__params__source_delimiter": "_"}, "texts are not split as in"),
        ({"subwords__kind": "bpe"}, "subwords.kind: "),
        ({"initialize_from": "no/run"}, "initialize_from: no/run has no config.json"),
    ],
)
def test_what_cannot_be_taken_is_refused(tmp_path, general, corpora, overrides, message):
    with pytest.raises(UserError, match=message):
        start(tmp_path, general, corpora, **overrides)
    assert not (tmp_path / "new").exists()


def test_frozen_parameters_stay_as_they_are(tmp_path, general, corpora):
    new = start(
        tmp_path,
        general,
        corpora,
        ema_decay=0,
        optimizer__name="AdamW",
        optimizer__params__weight_decay=0.5,
        optimizer__frozen="encoder/*,*/project_logits/bias",
    )
    assert new.fit()

    old = state_of(general)
    after = state_of(tmp_path / "new")
    for name, array in after.items():
        if name.startswith("params."):
            frozen = name.startswith("params.encoder.") or name.endswith("project_logits.bias")
            same = np.array_equal(array, old[f"ema_{name}"])
            assert same == frozen, name
    assert not any("mu.encoder" in name for name in after)


def test_a_new_run_that_was_killed_early_starts_again_and_later_needs_no_other_run(
    tmp_path, general, corpora
):
    shutil.copytree(general, tmp_path / "copy")
    config = config_of(corpora, initialize_from=tmp_path / "copy")
    Trainer(config, Workdir(tmp_path / "new"))  # It has written its files, but no checkpoint.
    assert train(config, tmp_path / "new")
    shutil.rmtree(tmp_path / "copy")
    config.train_steps = 3
    assert train(config, tmp_path / "new")
    assert [event["event"] for event in read_history(tmp_path / "new")] == ["initialized"]


def test_a_packed_run_is_a_run_to_start_from(tmp_path, general, corpora):
    run = Workdir(general)
    pack_workdir(run, resolve(run.config()), tmp_path / "general.zip", with_optimizer=True)

    new = start(
        tmp_path,
        f"{tmp_path}/general.zip:latest",
        corpora,
        train_steps=3,
        transfer__take="all",
    )

    old = state_of(general)
    for name, array in named_arrays(new.state.saved).items():
        np.testing.assert_array_equal(array, old[name], err_msg=name)
    (event,) = read_history(tmp_path / "new")
    assert event["run"] == str(tmp_path / "general.zip")


def test_other_data_cannot_continue_at_the_same_position(tmp_path, general, corpora):
    overrides = {"train_steps": 3, "transfer__take": "all"}
    with pytest.raises(UserError, match=r"transfer\.take: is all, but .*; use .*take=optimizer"):
        start(tmp_path, general, corpora, "special", **overrides)
    assert not (tmp_path / "new").exists()


def test_the_command_takes_the_configuration_of_the_run_and_changes_the_plan(
    tmp_path, general, capsys
):
    command = ["train", f"--workdir={tmp_path}/new"]
    start = [f"--config.initialize_from={general}", "--config.train_steps=1"]
    assert main([*command, *start]) == 0
    config = Workdir(tmp_path / "new").config()
    assert config.embedding.dim == 3
    assert config.initialize_from == str(general)
    assert config.transfer.take == "params"

    change = ["--config.optimizer.learning_rate=0.2", "--config.train_steps=2"]
    assert main([*command, *change]) == 2
    assert "--allow-changes=optimizer.learning_rate" in capsys.readouterr().err
    assert main([*command, *change, "--allow-changes=optimizer.learning_rate"]) == 0
    events = [event["event"] for event in read_history(tmp_path / "new")]
    assert events == ["initialized", "changed"]


# Changes of the plan -----------------------------------------------------------------------------


def test_the_plan_changes_only_with_permission_and_the_history_and_metrics_say_so(
    tmp_path, corpora, data_of
):
    workdir = tmp_path / "run"
    assert train(config_of(corpora), workdir)
    changed = config_of(corpora, train_steps=4, optimizer__learning_rate=0.01, batch_size=2)
    with pytest.raises(UserError) as caught:
        train(changed, workdir)
    what = str(caught.value)
    assert "--allow-changes=batch_size,optimizer.learning_rate" in what
    assert f"--config.initialize_from={workdir}" in what

    assert train(changed, workdir, allow_changes=["batch_size", "optimizer"])

    (event,) = read_history(workdir)
    assert event["step"] == 2
    assert event["changes"] == {"batch_size": [4, 2], "optimizer.learning_rate": [0.1, 0.01]}
    (marked,) = [line for line in read_metrics(workdir) if "run/changes" in line]
    assert marked["step"] == 2
    assert "batch_size: 4 -> 2" in marked["run/changes"]
    rates = [line["train/learning_rate"] for line in read_metrics(workdir) if "train/loss" in line]
    np.testing.assert_allclose(rates, [0.1, 0.1, 0.01, 0.01])
    page = data_of(write_learning_curves([workdir], tmp_path / "curves.html"))
    assert page["changes"] == [[2, marked["run/changes"]]]
    # A checkpoint from before the change is still that of this run.
    Predictor.from_workdir(workdir, [("inference.checkpoint", "2")]).predict(["a b"])
    assert train(changed, workdir)  # It resumes without permission, because nothing changes.


def test_what_decides_the_parameters_cannot_change_in_a_run(tmp_path, general, corpora):
    changed = config_of(corpora, attention__params__num_units=7)
    with pytest.raises(UserError, match=r"attention.params.num_units differs; .*initialize_from="):
        train(changed, general, allow_changes=["attention"])
    with pytest.raises(UserError, match="--allow-changes: attention cannot change in a run"):
        train(config_of(corpora), general, allow_changes=["attention"])
