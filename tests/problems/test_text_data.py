import numpy as np
import pytest

from seq2seq_jax.config import default_config, resolve, write_config
from seq2seq_jax.devices.parallel import Devices
from seq2seq_jax.problems.protocol import problem_of
from seq2seq_jax.storage.metrics_log import read_metrics
from seq2seq_jax.storage.resuming import check_same_configuration
from seq2seq_jax.storage.workdir import Workdir
from seq2seq_jax.training.train import train
from seq2seq_jax.utils.errors import UserError
from tests.tiny_models import tiny_config


class Squares:
    """An input pipeline as short as they can be."""

    def __init__(self, up_to: int = 40):
        self.up_to = up_to

    def __iter__(self):
        return ((str(i), str(i * i)) for i in range(self.up_to))


class Long:
    """Texts of four hundred tokens with those that mark beginning and end, and one that is cut."""

    def __iter__(self):
        for length in (398, 399, 500):
            yield " ".join("ab"[i % 2] for i in range(length)), "c " * (length - 1)


def config_of(pipeline: type, **overrides):
    config = default_config("AttentionSeq2Seq")
    config.input_pipeline_train["class"] = f"{__name__}.{pipeline.__name__}"
    sizes = {
        "embedding.dim": 4,
        "encoder.params.rnn_cell.cell_params.num_units": 4,
        "decoder.params.rnn_cell.cell_params.num_units": 4,
        "attention.params.num_units": 4,
        "eval_every_n_steps": 0,
    } | {key.replace("__", "."): value for key, value in overrides.items()}
    return resolve(config, [(key, str(value)) for key, value in sizes.items()])


def characters(**overrides):
    return config_of(
        Squares,
        input_pipeline_train__params__source_delimiter="",
        input_pipeline_train__params__target_delimiter="",
        **overrides,
    )


def test_a_pipeline_of_ones_own_has_its_keywords_and_those_of_every_pipeline(tmp_path):
    config = characters(input_pipeline_train__params__up_to=12)
    data = problem_of(config).prepare_training(config, Workdir(tmp_path), Devices())
    assert "12 read, 12 kept" in data.report
    assert set(data.vocabularies.source.tokens) == set("0123456789")


def test_a_run_that_began_before_there_was_a_key_goes_on_with_its_default(tmp_path):
    workdir = Workdir(tmp_path)
    old = characters().unlock()
    del old["vocab_bias"]
    write_config(old, workdir.config_file)

    check_same_configuration(workdir, characters())

    with pytest.raises(UserError, match="vocab_bias differs"):
        check_same_configuration(workdir, characters(vocab_bias="log_frequency"))


def test_a_shared_vocabulary_counts_both_sides(tmp_path):
    config = characters(embedding__share=True, input_pipeline_train__params__up_to=4)
    vocabularies = (
        problem_of(config).prepare_training(config, Workdir(tmp_path), Devices()).vocabularies
    )
    assert vocabularies.source is vocabularies.target
    # 0 1 2 3 and 0 1 4 9; of equally frequent ones the later in the order of characters is first.
    assert vocabularies.source.tokens == tuple("109432")


def test_batches_of_tokens_divide_by_the_devices(use_devices, tmp_path):
    use_devices(3)
    config = characters(batch_tokens=100, gradient_accumulation_steps=2)
    batch = next(problem_of(config).prepare_training(config, Workdir(tmp_path), Devices()).batches)
    rows, width = batch["target_ids"].shape
    assert rows % 6 == 0
    assert 0 < rows * max(width, batch["source_ids"].shape[1]) <= 100


def test_texts_of_four_hundred_tokens_train_and_what_is_cut_is_told(tmp_path, caplog):
    config = config_of(
        Long,
        source__max_seq_len=400,
        target__max_seq_len=400,
        train_steps=2,
        batch_size=2,
        buckets=400,
    )
    with caplog.at_level("INFO"):
        assert train(config, tmp_path / "run")
    assert "Truncated          1 sources, 1 targets" in caplog.text
    losses = [line["train/loss"] for line in read_metrics(tmp_path / "run") if "train/loss" in line]
    assert np.isfinite(losses).all() and losses


def parallel(directory, train: list[tuple[str, str]], dev: list[tuple[str, str]], **overrides):
    for part, pairs in (("train", train), ("dev", dev)):
        for i, side in enumerate(("source", "target")):
            file = directory / f"{part}.{side}"
            file.write_text("".join(f"{pair[i]}\n" for pair in pairs), encoding="utf-8")
            overrides[f"input_pipeline_{part}__params__{side}_files"] = file
    return tiny_config(
        input_pipeline_train__params__builtin="",
        input_pipeline_dev__params__builtin="",
        **overrides,
    )


def test_the_report_describes_the_dev_set_as_the_training_set(tmp_path):
    config = parallel(tmp_path, [("a b", "x")] * 3, [("a b", "x"), ("", "x"), ("c", "x")])
    data = problem_of(config).prepare_training(config, Workdir(tmp_path / "run"), Devices())
    dev = data.report.partition("Dev set")[2].splitlines()
    assert dev == [
        "            2 pairs with 2 distinct sources",
        "Pairs              3 read, 2 kept, 1 dropped (1 empty source)",
        "Truncated          0 sources, 0 targets (longer than max_seq_len)",
        "Out of vocabulary  33.33% of source tokens, 0.00% of target tokens",
    ]


def test_swapped_sides_and_small_vocabularies_are_reported_before_training(tmp_path, caplog):
    config = parallel(tmp_path, [("a b", "x y")] * 3, [("x y", "a b")])
    problem_of(config).prepare_training(config, Workdir(tmp_path / "run"), Devices())
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == 2
    assert all("dev set are out of vocabulary. Likely reason: source and" in w for w in warnings)

    caplog.clear()
    config = parallel(tmp_path, [("a b", "x y")] * 3, [("a b", "x y")], vocab_max_size=1)
    problem_of(config).prepare_training(config, Workdir(tmp_path / "two"), Devices())
    assert not caplog.records  # exactly half


def test_a_vocabulary_file_of_another_toolkit_is_refused_with_its_line(tmp_path):
    (tmp_path / "dict.txt").write_text("a 10\nb 9\n")
    config = parallel(
        tmp_path, [("a b", "x y")], [("a b", "x y")], vocab_source=tmp_path / "dict.txt"
    )
    with pytest.raises(UserError, match=r"dict\.txt:1: 'a 10' contains the delimiter"):
        problem_of(config).prepare_training(config, Workdir(tmp_path / "run"), Devices())
