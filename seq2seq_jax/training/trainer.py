"""The training loop: step, log, evaluate, save; in this order, so that a checkpoint has it all."""

import logging
import math
import time
from pathlib import Path
from typing import Any

import jax
from jax.experimental import multihost_utils
from ml_collections import ConfigDict

from seq2seq_jax.config import check_training, write_config
from seq2seq_jax.data.batches import Batch
from seq2seq_jax.devices.parallel import Devices
from seq2seq_jax.evaluation.dev_evaluation import make_evaluate
from seq2seq_jax.models.build import build_model, init_params, updated
from seq2seq_jax.problems.protocol import problem_of
from seq2seq_jax.storage.checkpoints import into_template
from seq2seq_jax.storage.metrics_log import MetricWriter
from seq2seq_jax.storage.workdir import (
    Workdir,
    check_same_configuration,
    check_vocabularies_fit,
    collections_digest,
    vocabulary_sizes,
)
from seq2seq_jax.training.hooks.factory import end_at_last, make_hooks
from seq2seq_jax.training.hooks.hook import Hook, TrainingRun
from seq2seq_jax.training.memory import explain_out_of_memory, peak_memory
from seq2seq_jax.training.metric_accumulator import MetricAccumulator
from seq2seq_jax.training.metric_logging import report_evaluation, report_training
from seq2seq_jax.training.optimizers import OptimizerConfig, make_optimizer
from seq2seq_jax.training.patience import Plateau
from seq2seq_jax.training.preemption import catch_preemption_signals
from seq2seq_jax.training.schedules import make_schedule
from seq2seq_jax.training.train_step import create_train_state, make_train_step
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.logging import progress_bar

_log = logging.getLogger(__name__)


def train(config: ConfigDict, path: str | Path) -> bool:
    """Trains up to `config.train_steps`, from the last checkpoint in the workdir `path` if any.

    N steps, and N/2 steps killed and run again, give the same parameters bit for bit (on CPU), the
    same data order and the same metrics.

    Args:
      config: resolved.

    Returns:
      Whether training is finished; False if a signal stopped it (the checkpoint is written).

    Raises:
      UserError: before anything is compiled or written, for what is wrong with the configuration,
        the data or the workdir; later if the loss is no longer a number, or memory is short.
    """
    check_training(config)
    workdir = Workdir(path)
    with explain_out_of_memory():
        return _Run(problem_of(config).complete_config(config, workdir), workdir).fit()


class _Run:
    """A training in progress: the state and the position in the data, and what is due at a step."""

    def __init__(self, config: ConfigDict, workdir: Workdir):
        self.config = config
        self.devices = devices = Devices(config.parallel)
        check_same_configuration(workdir, config)
        hooks = make_hooks(config)
        self.data = data = problem_of(config).prepare_training(config, workdir, devices)
        model = build_model(config, data.vocabularies.source.size, data.vocabularies.target.size)
        optimizer_config = OptimizerConfig.from_config(config.optimizer)
        self.schedule = make_schedule(optimizer_config)
        optimizer = make_optimizer(optimizer_config)
        self.checkpoints = workdir.checkpoints(config)
        self.step, self.window = 0, MetricAccumulator()
        patience = config.early_stopping_patience, config.optimizer.lr_plateau_patience
        self.plateaus = [Plateau(config.best_metric, each) for each in patience]
        self.encoder_file = workdir.encoder_file
        self.collections = dict(data.collections)
        self.collections_digest = collections_digest(self.collections)
        resuming = self.checkpoints.latest_step() is not None
        given = {} if resuming else data.initial_params()
        state = create_train_state(
            updated(init_params(model, config.seed), given),
            optimizer,
            ema_decay=config.ema_decay,
            seed=config.seed,
            collections=self.collections,
        )
        if resuming:
            state = self._resume(state)
        self.state = devices.replicate(state)

        _log.info("%s", data.report)
        if self.step:
            _log.info("going on from step %d", self.step)
        self.writer = None
        self.hooks: list[Hook] = []
        if devices.is_main:
            write_config(config, workdir.config_file)
            workdir.write_tokenizers(data.tokenizers)
            workdir.write_vocabularies(data.vocabularies)
            workdir.write_collections(self.collections)
            self.writer = MetricWriter(workdir.path, self.step)
            self.hooks = hooks
            run = TrainingRun(
                config, workdir.path, model, data.vocabularies, self.step + 1, self.writer
            )
            for hook in hooks:
                hook.begin(run, self.state)
        self.train_step = devices.compile_step(
            make_train_step(
                model,
                optimizer,
                label_smoothing=config.label_smoothing,
                dtype=config.dtype,
                accumulation_steps=config.gradient_accumulation_steps,
                ema_decay=config.ema_decay,
            )
        )
        self.evaluate = None
        if data.dev is not None:
            self.evaluate = make_evaluate(
                model, config, data.tokenizers.target, data.vocabularies.target, data.dev, devices
            )
        self._compiled: set[tuple[int, ...]] = set()
        self._saved_at, self._saved_step = time.monotonic(), self.step

    def fit(self) -> bool:
        config = self.config
        finished = self.step >= config.train_steps
        if finished:
            _log.info("all %d steps are done; a larger train_steps goes on", config.train_steps)
        with (
            catch_preemption_signals() as signalled,
            progress_bar("training", config.train_steps, self.step) as show,
            end_at_last(self.hooks),
        ):
            interrupted = signalled() and not finished
            while not finished and not interrupted:
                last = not self._take_step() or self.step >= config.train_steps
                show(self.step)
                interrupted = self.devices.sync_preemption(self.step, signalled)
                finished = self._after_step(last, interrupted)
        if self.writer:
            self.writer.close()
        if not finished:
            _log.info("stopped at step %d; the same command goes on from there", self.step)
        return finished

    def _take_step(self) -> bool:
        """Returns False where the data end."""
        for hook in self.hooks:
            hook.before_step(self.step + 1, self.state)
        batch = next(self.data.batches, None)
        if batch is None:
            if self.step == 0:
                raise UserError(
                    "input_pipeline_train.params.num_epochs", "no batch in these epochs"
                )
            return False
        self._announce_shape(batch)
        self.state, metrics = self.train_step(self.state, self.devices.spread(batch))
        self.window.add(metrics)
        self.step += 1
        for hook in self.hooks:
            hook.after_step(self.step, self.state, batch)
        return True

    def _after_step(self, last: bool, interrupted: bool) -> bool:
        """Logs, evaluates and saves what is due; returns whether training is finished."""
        config, step = self.config, self.step
        log_due = last or step % config.log_every_n_steps == 0
        evaluation_due = self.evaluate is not None and (
            last or step % config.eval_every_n_steps == 0
        )
        save_due = last or interrupted or evaluation_due or self._save_due(log_due)
        if not (log_due or save_due):
            return False
        self.window.pause()
        if log_due and self.window.sums():
            self._log_metrics()
        results = {}
        if evaluation_due:
            results = self._evaluate()
            if self.plateaus[0].reached(results):
                _log.info(
                    "no better %s in %d evaluations: training ends early",
                    config.best_metric, config.early_stopping_patience,
                )  # fmt: skip
                last = True
        if save_due and step > self._saved_step:
            self._save(results)
        self.window.resume()
        return last

    def _log_metrics(self) -> None:
        scalars = self.window.scalars(self.step, self.schedule, float(self.state.lr_scale))
        self._check_finite(scalars["train/loss"])
        if self.writer:
            report_training(
                self.writer,
                self.step,
                self.config.train_steps,
                scalars,
                self.window.seconds_per_step(),
            )
            if self.step <= self.config.log_every_n_steps:
                _log.info("memory so far: %s at the most", peak_memory())
        self.window = MetricAccumulator()

    def _evaluate(self) -> dict[str, float]:
        assert self.evaluate is not None
        evaluation = self.evaluate(self.state.eval_params, self.state.collections)
        if self.writer:
            report_evaluation(self.writer, self.step, self.config.train_steps, evaluation)
        results = evaluation.numbers
        if self.plateaus[1].reached(results):
            scale = self.state.lr_scale * self.config.optimizer.lr_plateau_factor
            self.state = self.state.replace(lr_scale=self.devices.replicate(scale))
            _log.info("no better %s: the learning rate is lowered", self.config.best_metric)
        return results

    def _save(self, results: dict[str, float]) -> None:
        sums = self.window.sums()
        self._check_finite(sums.get("loss", 0.0))
        self.checkpoints.save(
            self.step,
            self.state.saved,
            {
                "batches": self.data.batches.state(),
                "window": sums,
                "plateaus": [plateau.state() for plateau in self.plateaus],
                "vocabulary_sizes": vocabulary_sizes(self.data.vocabularies),
                "collections": self.collections_digest,
            },
            results,
        )
        self._saved_at, self._saved_step = time.monotonic(), self.step

    def _resume(self, state: Any) -> Any:
        self.step, arrays, saved = self.checkpoints.read()
        where = f"{self.checkpoints.directory}/{self.step}"
        check_vocabularies_fit(saved, self.data.vocabularies, where)
        if saved["batches"] is not None:  # as in an imported model, which has seen none of them
            self.data.batches.restore(saved["batches"])
        self.window = MetricAccumulator(saved["window"])
        for plateau, counted in zip(self.plateaus, saved["plateaus"], strict=False):
            plateau.restore(counted)
        if saved.get("collections", "") != self.collections_digest:
            what = "has other weights than the run began with; restore a copy"
            raise UserError(str(self.encoder_file), what)
        return into_template(state.saved, arrays, where).with_unsaved_of(state)

    def _save_due(self, log_due: bool) -> bool:
        config = self.config
        if config.save_checkpoints_steps:
            return self.step % config.save_checkpoints_steps == 0
        if not config.save_checkpoints_secs or (jax.process_count() > 1 and not log_due):
            return False
        due = time.monotonic() - self._saved_at >= config.save_checkpoints_secs
        if jax.process_count() > 1:  # whose clocks differ
            due = bool(multihost_utils.broadcast_one_to_all(due))
        return due

    def _announce_shape(self, batch: Batch) -> None:
        widths = tuple(x.shape[1] for name, x in batch.items() if name.endswith("_ids"))
        if widths not in self._compiled:
            self._compiled.add(widths)
            _log.info(
                "compiling bucket %s, %d of %d",
                " x ".join(map(str, widths)), len(self._compiled), self.data.num_shapes,
            )  # fmt: skip

    def _check_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            last_saved = self.checkpoints.latest_step()
            kept = f"; the checkpoint of step {last_saved} is whole" if last_saved else ""
            raise UserError(
                "optimizer.learning_rate",
                f"the loss is {loss} at step {self.step}; a lower rate or a lower"
                f" optimizer.clip_gradients would do{kept}",
            )
