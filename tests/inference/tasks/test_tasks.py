"""Tasks on predictions made by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from seq2seq_jax.config import resolve
from seq2seq_jax.data.bpe import BPECodes
from seq2seq_jax.data.tokenizers import BPETokenizer, DelimiterTokenizer, Tokenizers
from seq2seq_jax.inference.predictions import BeamTrace, Hypothesis, Prediction
from seq2seq_jax.inference.tasks.beam_trees import BeamTrees
from seq2seq_jax.inference.tasks.decode_text import DecodeText, read_mapping
from seq2seq_jax.inference.tasks.dump_attention import DumpAttention
from seq2seq_jax.inference.tasks.dump_beams import DumpBeams
from seq2seq_jax.inference.tasks.inference_task import (
    InferenceTask,
    begin_tasks,
    make_tasks,
    run_tasks,
)
from seq2seq_jax.search.search_config import make_inference_config
from seq2seq_jax.utils.errors import UserError
from tests.tiny_models import VOCABULARY, tiny_config

END = VOCABULARY.sequence_end_id
ATTENTION = np.array([[0.1, 0.7, 0.2], [0.1, 0.3, 0.6], [0.0, 0.4, 0.6]], np.float32)
HYPOTHESES = [
    Hypothesis("UNK b", ["UNK", "b"], -1.0, -1.0, ATTENTION),
    Hypothesis("b UNK", ["b", "UNK"], -2.0, -2.0, ATTENTION),
]
TRACE = BeamTrace(
    tokens=np.array([[0, 1], [END, 2], [END, END]], np.int32),
    backpointers=np.array([[0, 0], [1, 0], [0, 1]], np.int32),
    log_probs=np.array([[-1, -2], [-2.5, -3], [-2.5, -4]], np.float32),
    scores=np.array([[-1, -2], [-2.5, -3], [-2.5, -4]], np.float32),
    beam_indices=np.array([0, 1], np.int32),
)
FULL = Prediction("x y", ["x", "y", "SEQUENCE_END"], HYPOTHESES, TRACE)
EMPTY = Prediction("", [], [])


def predictor(tokenizer=DelimiterTokenizer(" "), search=None, **more):  # noqa: B008
    """The attributes of a predictor that tasks read."""
    config = tiny_config(**(search or {"inference__beam_search__beam_width": 2}))
    return SimpleNamespace(
        config=config,
        inference=make_inference_config(config.inference),
        tokenizers=Tokenizers(DelimiterTokenizer(" "), tokenizer),
        vocabularies=SimpleNamespace(target=VOCABULARY),
        **more,
    )


def run(task, *predictions, **kwargs):
    task.begin(predictor(**kwargs))
    written = run_tasks([task], 0, predictions)
    task.end()
    return written


def texts(task, **kwargs):
    (written,) = run(task, FULL, **kwargs)
    return [one.text for one in written.n_best]


def test_text_is_joined_by_a_delimiter():
    assert texts(DecodeText()) == ["UNK b", "b UNK"]
    assert texts(DecodeText(delimiter="")) == ["UNKb", "bUNK"]
    assert run(DecodeText(delimiter="+"), EMPTY)[0].text == ""


def test_subwords_are_joined_by_their_own_rule():
    subwords = BPETokenizer(DelimiterTokenizer(" "), BPECodes([]))
    pieces = Prediction("x", ["x", "SEQUENCE_END"], [Hypothesis("", ["b@@", "a", "d"], 0, 0)])
    task = DecodeText(delimiter="+")
    task.begin(predictor(subwords))
    assert task.run(0, pieces).text == "ba d"


def test_text_is_post_processed():
    sentence = Prediction("x", ["x"], [Hypothesis("", ["▁Hel", "lo", "▁you"], 0.0, 0.0)])
    assert run(DecodeText(postproc_fn="decode_sentencepiece"), sentence)[0].text == "Hello you"


def test_unk_is_replaced_by_the_source_token_with_the_highest_attention(tmp_path):
    assert texts(DecodeText(unk_replace=True)) == ["y b", "b y"]
    (tmp_path / "words").write_text("y\tψ\nx\tχ\n", "utf-8")
    task = DecodeText(unk_replace=True, unk_mapping=str(tmp_path / "words"))
    assert texts(task) == ["ψ b", "b ψ"]
    assert task.run(0, FULL).tokens == ["ψ", "b"]
    assert DecodeText().needs_attention is False and task.needs_attention is True


def test_the_most_likely_translation_of_a_fast_align_file_counts(tmp_path):
    (tmp_path / "p").write_text("x\tone\t-0.5\nx\ttwo\t-0.1\nx\tthree\t-3\ny\tfour\t-1\n")
    assert read_mapping(tmp_path / "p") == {"x": "two", "y": "four"}
    (tmp_path / "p").write_text("x\tone\nx\ttwo\n")
    assert read_mapping(tmp_path / "p") == {"x": "two"}
    (tmp_path / "p").write_text("x\tone\nx two\n")
    with pytest.raises(UserError, match=r"p:2: must be a source token, a tab and a target token"):
        read_mapping(tmp_path / "p")


def test_attention_is_written_as_arrays_and_plots(tmp_path):
    folder = tmp_path / "a" / "b"
    run(DumpAttention(str(folder)), FULL, EMPTY, FULL)
    with np.load(folder / "attention_scores.npz", allow_pickle=False) as scores:
        assert sorted(scores) == ["arr_0", "arr_1", "arr_2"]
        np.testing.assert_array_equal(scores["arr_0"], ATTENTION)
        assert scores["arr_1"].shape == (0, 0)
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["00000.png", "00002.png", "attention_scores.npz"]


def test_plots_and_scores_can_be_left_out(tmp_path):
    run(DumpAttention(str(tmp_path / "a"), dump_atts=False, plot_format="svg"), FULL)
    run(DumpAttention(str(tmp_path / "b"), dump_plots=False), FULL)
    written = [path.name for path in sorted(tmp_path.glob("*/*"))]
    assert written == ["00000.svg", "attention_scores.npz"]


def test_beams_are_written_as_arrays_with_the_documented_names(tmp_path):
    short = TRACE._replace(**{name: getattr(TRACE, name)[:1] for name in TRACE._fields[:4]})
    short = Prediction("x", ["x", "SEQUENCE_END"], HYPOTHESES, short)
    run(DumpBeams(str(tmp_path / "beams")), FULL, EMPTY, short)
    with np.load(tmp_path / "beams.npz", allow_pickle=False) as beams:
        assert beams["steps"].tolist() == [3, 0, 1]
        assert beams["beam_indices"].tolist() == [[0, 1]] * 3
        assert beams["predicted_ids"].shape == (3, 3, 2)
        for name, field in (
            ("predicted_ids", "tokens"),
            ("beam_parent_ids", "backpointers"),
            ("log_probs", "log_probs"),
            ("scores", "scores"),
        ):
            np.testing.assert_array_equal(beams[name][0], getattr(TRACE, field))
        assert beams["predicted_ids"][2].tolist() == [[0, 1], [END, END], [END, END]]
        assert beams["beam_parent_ids"][2].tolist() == [[0, 0], [0, 1], [0, 1]]
        assert beams["scores"][2].tolist() == [[-1, -2]] * 3
    assert [path.name for path in tmp_path.iterdir()] == ["beams.npz"]


def test_beams_of_no_source_are_a_file_too(tmp_path):
    run(DumpBeams(str(tmp_path / "beams.npz")))
    with np.load(tmp_path / "beams.npz", allow_pickle=False) as beams:
        assert beams["predicted_ids"].shape == (0, 0, 2)


def test_beam_searches_are_drawn_as_trees(tmp_path):
    run(BeamTrees(str(tmp_path)), FULL, EMPTY)
    (page,) = tmp_path.iterdir()
    assert page.name == "00000.html"
    assert "x y" in page.read_text("utf-8")


class Shouting(InferenceTask):
    """A custom task."""

    def __init__(self, mark: str = "!"):
        self.mark = mark

    def run(self, number, prediction):
        louder = [
            Hypothesis(one.text.upper() + self.mark, one.tokens, one.log_prob, one.score)
            for one in prediction.n_best
        ]
        return Prediction(prediction.source, prediction.source_tokens, louder)


class NoTask:
    """Does not derive from InferenceTask."""


def config_of(tasks, *flags):
    return resolve(tiny_config(), [("tasks", tasks), *flags])


def test_built_in_and_custom_tasks_run_one_after_the_other():
    config = config_of(
        f"DecodeText,{__name__}.Shouting",
        ("tasks.DecodeText.params.delimiter", "-"),
        ("tasks.Shouting.params.mark", "?"),
    )
    tasks = make_tasks(config)
    assert list(tasks) == ["tasks.DecodeText", "tasks.Shouting"]
    begin_tasks(tasks, predictor(has_attention=False))
    assert run_tasks(tasks.values(), 0, [FULL])[0].text == "UNK-B?"


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ("DumpAttention", "tasks.DumpAttention.params.output_dir: is empty; name a directory"),
        ("DumpBeams", "tasks.DumpBeams.params.file: is empty; name a file"),
        (
            f"{__name__}.NoTask",
            f"tasks: {__name__}.NoTask must derive from"
            " seq2seq_jax.inference.tasks.inference_task.InferenceTask",
        ),
    ],
)
def test_a_wrong_task_is_an_error_of_one_line(tasks, message):
    with pytest.raises(UserError) as error:
        make_tasks(config_of(tasks))
    assert str(error.value) == message


def test_unk_mapping_needs_unk_replace():
    with pytest.raises(UserError) as error:
        make_tasks(config_of("DecodeText", ("tasks.DecodeText.params.unk_mapping", "x")))
    assert str(error.value) == (
        "tasks.DecodeText.params.unk_mapping: is x, which needs unk_replace to be true"
    )


def test_a_task_that_needs_attention_is_refused_without_it(tmp_path):
    tasks = make_tasks(
        config_of("DumpAttention", ("tasks.DumpAttention.params.output_dir", str(tmp_path)))
    )
    with pytest.raises(UserError, match=r"^tasks\.DumpAttention: needs attention, but"):
        begin_tasks(tasks, predictor(has_attention=False))


def test_a_task_that_needs_a_search_is_refused_when_sampling(tmp_path):
    sampler = predictor(search={"inference__sampling__enable": "true"}, has_attention=True)
    tasks = make_tasks(config_of("DumpBeams", ("tasks.DumpBeams.params.file", str(tmp_path / "b"))))
    with pytest.raises(UserError, match=r"^tasks\.DumpBeams: needs a search, but inference\.sampl"):
        begin_tasks(tasks, sampler)


def test_a_directory_that_cannot_be_created_is_an_error_of_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/x: cannot be written"):
        DumpAttention(str(tmp_path / "file" / "x")).begin(predictor())
    with pytest.raises(UserError, match=r"file/x\.npz: cannot be written"):
        DumpBeams(str(tmp_path / "file" / "x")).begin(predictor())
