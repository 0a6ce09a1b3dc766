"""Hooks: what they write, when they are called, and that they do not change training."""

import gzip
import json

import jax
import numpy as np
import optax
import pytest

from seq2seq_jax.config import resolve
from seq2seq_jax.devices import parallel as devices
from seq2seq_jax.storage.metrics_log import read_metrics
from seq2seq_jax.storage.workdir import Vocabularies, Workdir
from seq2seq_jax.training.hooks.hook import Hook, TrainingRun, make_hooks
from seq2seq_jax.training.hooks.train_sample import TrainSampleHook
from seq2seq_jax.training.train import train
from seq2seq_jax.training.train_step import create_train_state
from seq2seq_jax.utils.errors import UserError
from tests.tiny_models import VOCABULARY, model_params, pair_batch, tiny_config, tiny_model

HOOKS = "PrintModelAnalysisHook,MetadataCaptureHook,TrainSampleHook"


@pytest.fixture(autouse=True, scope="module")
def _compile_quickly():
    """Disable optimizations, because each program runs only a few times."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def short_run(**overrides):
    """Return a configuration of four steps without a dev set."""
    settings = {"train_steps": 4, "batch_size": 4, "buckets": "25", "eval_every_n_steps": 0}
    return tiny_config(**settings | overrides)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return the workdir of a run with all hooks."""
    workdir = tmp_path_factory.mktemp("runs") / "with_hooks"
    config = short_run(hooks=HOOKS)
    config.hooks.MetadataCaptureHook.params.update(step=2, num_steps=2)
    config.hooks.TrainSampleHook.params.update(every_n_steps=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(devices, "available", lambda: jax.devices()[:1])
        assert train(config, workdir)
    return workdir


def test_the_table_of_parameters_is_written_to_a_file(trained):
    table = (trained / "model_analysis.txt").read_text()
    assert "source_embedding" in table
    total = int(table.splitlines()[-1].removeprefix("all parameters").replace(",", ""))
    _, arrays, _ = Workdir(trained).checkpoints(Workdir(trained).config()).read()
    assert total == sum(x.size for name, x in arrays.items() if name.startswith("params."))


def test_a_trace_contains_the_chosen_steps_on_host_and_device(trained):
    (path,) = (trained / "profile").glob("plugins/profile/*/*.trace.json.gz")
    assert len(list(path.parent.glob("*.xplane.pb"))) == 1
    events = json.loads(gzip.decompress(path.read_bytes()))["traceEvents"]
    steps = [event for event in events if event.get("name") == "train"]
    assert sorted(int(event["args"]["step_num"]) for event in steps) == [2, 3]
    begin, end = min(s["ts"] for s in steps), max(s["ts"] + s["dur"] for s in steps)
    work = [event for event in events if event.get("name") == "ThunkExecutor::Execute"]
    assert len(work) >= 2
    assert all(begin <= event["ts"] and event["ts"] + event["dur"] <= end for event in work)


def test_samples_are_written_to_the_metrics(trained):
    samples = {x["step"]: x["train/samples"] for x in read_metrics(trained) if len(x) == 2}
    assert list(samples) == [1, 3]
    source, prediction, target, _ = samples[1].split("\n")[:4]
    assert target.split()[1:] == [*source.split()[1:], "SEQUENCE_END"]  # the task is to copy
    assert len(prediction.split()) == len(target.split())


def test_hooks_do_not_change_training(trained, tmp_path):
    assert train(short_run(), tmp_path)
    with_hooks, without = (
        Workdir(path).checkpoints(Workdir(path).config()).read()[1] for path in (trained, tmp_path)
    )
    assert with_hooks.keys() == without.keys()
    for name, array in without.items():
        np.testing.assert_array_equal(with_hooks[name], array, err_msg=name)


class _Lines:
    """A metric writer that stores the texts in memory."""

    def __init__(self):
        self.texts = {}

    def write_texts(self, step, texts):
        self.texts[step] = texts["train/samples"]


def test_a_sample_has_the_most_likely_token_at_each_position_of_the_target(tmp_path, use_devices):
    model, batch = tiny_model(), pair_batch([(3, 5), (2, 2), (0, 0), (4, 3)])
    params = model_params(model)
    use_devices(8)
    state = devices.Devices().replicate(create_train_state(params, optax.sgd(0.1)))
    lines = _Lines()
    vocabularies = Vocabularies(VOCABULARY, VOCABULARY)
    hook = TrainSampleHook(source_delimiter="", target_delimiter="-")
    hook.begin(TrainingRun(tiny_config(), tmp_path, model, vocabularies, 1, lines), state)
    for step in (1, 2, 1000):
        hook.after_step(step, state, batch)

    inputs = batch["target_ids"][:, :-1]
    logits = jax.jit(model.apply)({"params": params}, *model.encoder_inputs(batch), inputs).logits
    expected = []
    for row, length in enumerate(batch["target_len"]):
        if length:
            source = batch["source_ids"][row, : batch["source_len"][row] - 1]
            predicted = np.argmax(logits[row, : length - 1], axis=-1)
            target = batch["target_ids"][row, 1:length]
            expected += [
                f"  source      {''.join(VOCABULARY.decode(source))}",
                f"  prediction  {'-'.join(VOCABULARY.decode(predicted))}",
                f"  target      {'-'.join(VOCABULARY.decode(target))}",
                "",
            ]
    assert lines.texts == dict.fromkeys((1, 1000), "\n".join(expected[:-1]))


class Recorder(Hook):
    """A user-defined hook with a parameter."""

    calls: list = []  # noqa: RUF012

    def __init__(self, stop_after: int = 0):
        self.stop_after = stop_after

    def begin(self, run, state):
        self.calls.append(("begin", run.first_step, int(state.step)))

    def before_step(self, step, state):
        self.calls.append(("before", step, int(state.step)))

    def after_step(self, step, state, batch):
        assert batch["target_ids"].shape[0] == 4
        self.calls.append(("after", step, int(state.step)))
        if step == self.stop_after:
            raise RuntimeError("this hook fails")

    def end(self):
        self.calls.append(("end",))


def test_a_user_defined_hook_is_called_before_and_after_every_step_and_at_the_end(tmp_path):
    def run(**params):
        Recorder.calls.clear()
        config = short_run(hooks=f"{__name__}.Recorder", save_checkpoints_steps=2)
        config.hooks.Recorder.params.update(params)
        return train(config, tmp_path)

    with pytest.raises(RuntimeError, match="this hook fails"):
        run(stop_after=3)
    steps = [[("before", n, n - 1), ("after", n, n)] for n in range(1, 5)]
    assert Recorder.calls == [("begin", 1, 0), *steps[0], *steps[1], *steps[2], ("end",)]
    assert run()
    assert Recorder.calls == [("begin", 3, 2), *steps[2], *steps[3], ("end",)]


@pytest.mark.parametrize(
    ("hook", "error"),
    [
        ("collections.Counter", "hooks: collections.Counter must derive from"),
        ("TrainSample", "hooks: unknown hook TrainSample, did you mean TrainSampleHook?"),
    ],
)
def test_a_class_that_is_not_a_hook_is_an_error(hook, error):
    with pytest.raises(UserError) as raised:
        make_hooks(short_run(hooks=hook))
    assert str(raised.value).startswith(error)


def test_the_first_step_to_trace_must_be_at_least_one():
    with pytest.raises(UserError, match="at least 1; got 0"):
        resolve(short_run(hooks=HOOKS), [("hooks.MetadataCaptureHook.params.step", "0")])
