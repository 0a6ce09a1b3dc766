"""Configuration files of google/seq2seq."""

import pytest

from seq2seq_jax.config import load_config, read_tf_config, resolve
from seq2seq_jax.utils.errors import UserError

MODEL = """
model: AttentionSeq2Seq
model_params:
  attention.class: seq2seq.decoders.attention.AttentionLayerDot
  attention.params:
    num_units: 64
  bridge.class: seq2seq.models.bridges.InitialStateBridge
  bridge.params:
    activation_fn: tensorflow.tanh
  encoder.class: seq2seq.encoders.BidirectionalRNNEncoder
  encoder.params:
    rnn_cell.cell_class: GRUCell
    rnn_cell:
      cell_params:
        num_units: 32
  optimizer.params:
    epsilon: 0.0000008
  optimizer.learning_rate: 1e-4
  optimizer.sync_replicas: 0
  source.reverse: false
"""
TRAINING = """
buckets: 10,20,30,40
batch_size: 8
hooks:
  - class: PrintModelAnalysisHook
  - class: SyncReplicasOptimizerHook
metrics:
  - class: LogPerplexityMetricSpec
  - class: BleuMetricSpec
    params:
      postproc_fn: seq2seq.data.postproc.strip_bpe
input_pipeline_train:
  class: ParallelTextInputPipeline
  params:
    source_files:
      - a.de
      - b.de
    target_files: [a.en, b.en]
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "model.yml").write_text(MODEL)
    (tmp_path / "training.yml").write_text(TRAINING)
    return [str(tmp_path / "model.yml"), str(tmp_path / "training.yml")]


def test_flat_keys_legacy_names_and_lists_become_a_configuration(files):
    config = resolve(read_tf_config(files))

    assert config.attention["class"] == "AttentionLayerDot"
    assert config.attention.params.num_units == 64
    assert config.bridge.params.activation_fn == "tanh"
    assert config.encoder.params.rnn_cell.cell_class == "GRUCell"
    assert config.encoder.params.rnn_cell.cell_params.num_units == 32
    assert config.optimizer.params.eps == 8e-7
    assert config.optimizer.learning_rate == 1e-4
    assert config.source.reverse is False
    assert (config.buckets, config.batch_size) == ("10,20,30,40", 8)
    assert config.metrics.BleuMetricSpec.params.postproc_fn == "strip_bpe"
    assert config.input_pipeline_train.params.source_files == "a.de,b.de"


def test_the_hook_of_replicas_is_left_out(files):
    assert list(resolve(read_tf_config(files)).hooks) == ["PrintModelAnalysisHook"]


def test_a_later_file_wins(files, tmp_path):
    (tmp_path / "last.yml").write_text("model_params:\n  attention.params:\n    num_units: 5\n")

    config = resolve(read_tf_config([*files, str(tmp_path / "last.yml")]))
    assert config.attention.params.num_units == 5


def test_load_config_takes_several_files_separated_by_commas(files):
    assert load_config(",".join(files)) == read_tf_config(files)


def test_flags_win_over_files(files):
    config = resolve(read_tf_config(files), [("batch_size", "3")])

    assert config.batch_size == 3


def test_train_options_name_the_model_model_class(tmp_path):
    path = tmp_path / "train_options.json"
    path.write_text('{"model_class": "seq2seq.models.BasicSeq2Seq", "model_params": {}}')

    assert resolve(read_tf_config([str(path)])).model == "BasicSeq2Seq"


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        ("broken.yml", "a: 1\nb: [", "broken.yml:2: not YAML"),
        ("broken.json", '{"a": 1\n"b"}', "broken.json:2: not JSON"),
        ("list.yml", "- a\n", "list.yml: must hold keys and values"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, text, where):
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError) as raised:
        read_tf_config([str(tmp_path / name)])

    assert where in str(raised.value)


def test_a_missing_file_is_named():
    with pytest.raises(UserError, match=r"^nowhere.yml: cannot be read"):
        load_config("nowhere.yml")


def test_an_unknown_key_gets_the_nearest(tmp_path):
    (tmp_path / "typo.yml").write_text("model_params:\n  embeding.dim: 3\n")
    with pytest.raises(UserError, match="embeding: unknown key embeding, did you mean embedding"):
        resolve(read_tf_config([str(tmp_path / "typo.yml")]))
