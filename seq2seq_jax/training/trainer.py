"""The state of a training run, and the training loop: `Trainer.fit`."""

import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ml_collections import ConfigDict

from seq2seq_jax.config import write_config
from seq2seq_jax.config.metric_results import best_metric_is_lower
from seq2seq_jax.devices.memory import peak_memory
from seq2seq_jax.devices.parallel import Devices
from seq2seq_jax.evaluation.dev_evaluation import DevEvaluator
from seq2seq_jax.models.build import build_model, init_params, updated
from seq2seq_jax.problems.protocol import problem_of
from seq2seq_jax.schema.rules import LARGEST_INT
from seq2seq_jax.storage.arrays import into_template
from seq2seq_jax.storage.metrics_log import CHANGES, MetricWriter
from seq2seq_jax.storage.resuming import check_same_configuration
from seq2seq_jax.storage.workdir import Workdir
from seq2seq_jax.training.hooks.hook import Hook, TrainingRun, end_hooks, make_hooks
from seq2seq_jax.training.hooks.track_run import tracking_hooks
from seq2seq_jax.training.initialization import (
    Transfer,
    apply_transfer,
    check_steps,
    describe_changes,
    plan_start,
    record_start,
)
from seq2seq_jax.training.optimizers import OptimizerConfig, make_optimizer
from seq2seq_jax.training.remaining_time import RemainingTime
from seq2seq_jax.training.schedules import make_schedule
from seq2seq_jax.training.stopping import Every, Patience, catch_preemption_signals
from seq2seq_jax.training.train_step import create_train_state, make_train_step
from seq2seq_jax.training.training_log import (
    CompilationLog,
    MetricAccumulator,
    check_loss,
    log_evaluation,
    log_training,
)
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.logging import progress_bar, slow_work

_log = logging.getLogger(__name__)


class Trainer:
    """A training run: its state, its position in the data, and what is counted along the way."""

    def __init__(
        self,
        config: ConfigDict,
        workdir: Workdir,
        when_prepared: Callable[[], object] = lambda: None,
        allow_changes: Collection[str] = (),
    ) -> None:
        """Prepare the data, the model and the optimizer, and restore the last checkpoint if any.

        Args:
          config: A resolved configuration.
          workdir: The run's directory.
          when_prepared: Called when everything is checked, before anything is written and before
            the other hosts are needed.
          allow_changes: Keys that may differ from those of the run that resumes.

        Raises:
          UserError: The configuration, the data or the workdir is not usable.
        """
        self.config, self.devices = config, Devices(config.parallel)
        # What can be wrong is checked first: nothing is compiled or written before.
        self._changes = check_same_configuration(workdir, config, allow_changes)
        workdir.verify()
        hooks = [*make_hooks(config), *tracking_hooks(config)]
        with slow_work("Reading the data"):
            self.data = data = problem_of(config).prepare_training(config, workdir, self.devices)
        vocabularies, non_trainable = data.vocabularies, dict(data.non_trainable)
        model = build_model(config, *vocabularies.sizes)
        optimizer_config = OptimizerConfig.from_config(config.optimizer)
        self.schedule, optimizer = make_schedule(optimizer_config), make_optimizer(optimizer_config)
        self.checkpoints = workdir.checkpoints(config)

        # What a checkpoint holds.
        self.step, self.metrics = 0, MetricAccumulator()
        metric, lower = config.best_metric, best_metric_is_lower(config)
        self.early_stopping = Patience(metric, config.early_stopping_patience, lower)
        self.lr_plateau = Patience(metric, config.optimizer.lr_plateau_patience, lower)
        resuming = self.checkpoints.latest_step() is not None
        initial_params = {} if resuming else data.initial_params()
        plan = plan_start(config, model, data)
        with slow_work("Initializing the parameters"):
            self.state = create_train_state(
                updated(init_params(model, config.seed), initial_params),
                optimizer,
                ema_decay=config.ema_decay,
                seed=config.seed,
                non_trainable=non_trainable,
                numbers=optimizer_config.numbers(),
            )
        if resuming:
            self.restore()
        elif plan:
            self._start_from(plan)
        check_steps(self.step, config.train_steps, workdir, plan)
        when_prepared()
        self.state = self.devices.replicate(self.state)
        _log.info("%s", data.report)
        if self.step:
            _log.info("Resuming from step %d", self.step)

        self._train_step = self.devices.compile_step(
            make_train_step(
                model,
                optimizer,
                label_smoothing=config.label_smoothing,
                dtype=config.dtype,
                accumulation_steps=config.gradient_accumulation_steps,
                ema_decay=config.ema_decay,
                kernels=config.kernels,
            )
        )
        self._evaluator = None
        if data.dev is not None:
            self._evaluator = DevEvaluator(
                model, config, data.tokenizers, vocabularies.target, data.dev, self.devices
            )

        # The main process writes, now that all parts have been constructed; the others compute.
        self.writer: MetricWriter | None = None
        self.hooks: list[Hook] = []
        if self.devices.is_main:
            record_start(workdir, self.step, plan, self._changes)
            write_config(config, workdir.config_file)
            workdir.write_tokenizers(data.tokenizers)
            workdir.write_vocabularies(vocabularies)
            workdir.write_non_trainable(non_trainable)
            self.writer = MetricWriter(workdir.path, self.step)
            if self._changes:
                self.writer.write_texts(self.step, {CHANGES: describe_changes(self._changes)})
            self.hooks = hooks
            self._run = TrainingRun(
                config, workdir.path, model, vocabularies, self.step + 1, self.writer
            )
        self._log_every = Every(steps=config.log_every_n_steps)
        evaluate_every = config.eval_every_n_steps if self._evaluator else 0
        self._evaluate_every = Every(steps=evaluate_every)
        self._save_every = Every(config.save_checkpoints_steps, config.save_checkpoints_secs)
        self._save_every.reset()
        self._saved_step = self.step
        self._log_compilation = CompilationLog(data.num_shapes)
        self._remaining_time = RemainingTime(
            config.train_steps,
            {
                "evaluation": evaluate_every,
                "saving": config.save_checkpoints_steps or evaluate_every,
            },
            {"evaluation": len(data.dev.names) / config.batch_size if data.dev else 0},
        )

    def fit(self) -> bool:
        """Train until the configured step, the end of the data, early stopping or a signal.

        Returns:
          Whether training is finished; False if a signal interrupted it.

        Raises:
          UserError: The loss is not finite, or there is no batch at all.
        """
        config = self.config
        finished: bool = self.step >= config.train_steps
        if finished:
            _log.info("All %d steps are done; increase train_steps to continue", config.train_steps)
        with (
            catch_preemption_signals() as signalled,
            # The log lines have the remaining time; the bar's own would count compilation.
            progress_bar(
                "Training", config.train_steps, self.step, estimate=False
            ) as show_progress,
            end_hooks(self.hooks),
        ):
            for hook in self.hooks:
                hook.begin(self._run, self.state)
            interrupted = signalled() and not finished
            while not finished and not interrupted:
                # Take a step. It is the last one if no steps or no data are left.
                finished = not self._take_step() or self.step >= config.train_steps
                interrupted = self.devices.sync_preemption(self.step, signalled)
                show_progress(self.step)

                # Log the training metrics.
                log_due = finished or self._log_every.is_due(self.step)
                if log_due:
                    self._log_metrics()

                # Evaluate on the dev set, which can end training or lower the learning rate.
                results: dict[str, float] = {}
                evaluation_due = self._evaluator is not None and (
                    finished or self._evaluate_every.is_due(self.step)
                )
                if evaluation_due:
                    results = self.evaluate()
                    finished = self._react_to(results) or finished

                # Save last, so that a checkpoint contains all of the above.
                if finished or interrupted or evaluation_due or self._save_due(log_due):
                    self.save(results)
        contributions = getattr(self.data.batches, "describe_contributions", str)()
        if contributions:
            _log.info("Examples used: %s", contributions)
            if self.writer:
                self.writer.write_texts(self.step, {"run/corpora": contributions})
        if not finished:
            _log.info("Stopped at step %d; run the same command to resume", self.step)
        return finished

    def evaluate(self) -> dict[str, float]:
        """Evaluate the current parameters on the dev set, and log the results.

        Returns:
          The numeric results by name.

        Raises:
          UserError: There is no dev set (`eval_every_n_steps` is 0).
        """
        if self._evaluator is None:
            raise UserError("eval_every_n_steps", "is 0, so there is no dev set; use 1 or more")
        self.metrics.pause()
        with self._remaining_time.interruption("evaluation"), slow_work("Evaluating the dev set"):
            evaluation = self._evaluator(self.state.eval_params, self.state.non_trainable)
        if self.writer:
            log_evaluation(self.writer, self.step, self.config.train_steps, evaluation)
        return evaluation.numbers

    def save(self, results: Mapping[str, float]) -> None:
        """Save a checkpoint, unless the current step has one.

        Args:
          results: Results on the dev set at this step; empty if it was not evaluated.

        Raises:
          UserError: The loss is not finite.
        """
        if self.step <= self._saved_step:
            return
        self.metrics.pause()
        sums = self.metrics.sums()
        check_loss(sums.get("loss", 0.0), self.step, self.checkpoints)
        with self._remaining_time.interruption("saving"), slow_work("Saving a checkpoint"):
            self.checkpoints.save(
                self.step,
                self.state.saved,
                {
                    "batches": self.data.batches.state(),
                    "metrics": sums,
                    "early_stopping": self.early_stopping.state(),
                    "lr_plateau": self.lr_plateau.state(),
                },
                results,
            )
        self._saved_step = self.step
        self._save_every.reset()

    def restore(self) -> None:
        """Continue from the latest undamaged checkpoint.

        Raises:
          UserError: All checkpoints are damaged, or they do not fit the configuration.
        """
        # 1. Read the arrays and what was saved with them, which verifies the checksums.
        self.step, arrays, saved = self.checkpoints.read()
        where = f"{self.checkpoints.directory}/{self.step}"
        if self.step > LARGEST_INT:
            raise UserError(where, f"is beyond the last step, {LARGEST_INT}; use an earlier one")
        # 2. Take over parameters, optimizer state and step.
        saved_state = into_template(self.state.saved, arrays, where)
        self.state = self.state.replace_saved(saved_state)
        self._restore_progress(saved)

    def _start_from(self, plan: Transfer) -> None:
        """Take over what the configuration takes from another run."""
        self.state = apply_transfer(plan, self.state)
        if plan.take != "params":
            self.step = plan.run.step
        if plan.take != "all":
            return
        try:
            self._restore_progress(plan.run.data)
        except UserError as error:
            what = (
                "the training data, their buckets, the batch size or the seed differ from those of"
            )
            remedy = "use the same, or transfer.take=optimizer"
            raise UserError(
                "transfer.take", f"is all, but {what} {plan.run.name}; {remedy}"
            ) from error

    def _restore_progress(self, saved: Mapping[str, Any]) -> None:
        """Continue in the data, and continue sums and counters, as a checkpoint has them."""
        if "batches" not in saved:
            return  # An imported model has no history to which the rest could return.
        # 3. Return to the position in the data.
        self.data.batches.restore(saved["batches"], allow_other_data=bool(self._changes))
        # 4. Continue the sums of the metrics and the counters of evaluations.
        self.metrics = MetricAccumulator(saved["metrics"])
        self.early_stopping.restore(saved["early_stopping"])
        self.lr_plateau.restore(saved["lr_plateau"])

    def _take_step(self) -> bool:
        """Take one step; return False, without a step, at the end of the data."""
        self.metrics.resume()
        for hook in self.hooks:
            hook.before_step(self.step + 1, self.state)
        batch = next(self.data.batches, None)
        if batch is None:
            if self.step == 0:
                raise UserError(
                    "input_pipeline_train.params.num_epochs", "no batch in these epochs"
                )
            return False
        compiles = self._log_compilation(batch)
        if compiles:  # The clock leaves out the step that compiles.
            self.metrics.pause()
        self.state, metrics = self._train_step(self.state, self.devices.shard_batch(batch))
        self.metrics.add(metrics)
        if compiles:
            self.metrics.sums()
        self.step += 1
        for hook in self.hooks:
            hook.after_step(self.step, self.state, batch)
        return True

    def _log_metrics(self) -> None:
        """Log the metrics since the last line, if there were steps."""
        self.metrics.pause()
        if not self.metrics.sums():
            return
        scalars = self.metrics.scalars(self.step, self.schedule, float(self.state.lr_scale))
        check_loss(scalars["train/loss"], self.step, self.checkpoints)
        self._remaining_time.add_steps(*self.metrics.timed_steps())
        if self.writer:
            remaining = self._remaining_time.estimate(self.step)
            log_training(self.writer, self.step, self.config.train_steps, scalars, remaining)
            if self.step <= self.config.log_every_n_steps:
                _log.info("Peak memory: %s", peak_memory())
        self.metrics = MetricAccumulator()

    def _react_to(self, results: Mapping[str, float]) -> bool:
        """Lower the learning rate on a plateau; return whether training stops early."""
        if self.lr_plateau.is_exhausted_by(results):
            scale = self.state.lr_scale * self.config.optimizer.lr_plateau_factor
            self.state = self.state.replace(lr_scale=self.devices.replicate(scale))
            _log.info("Lowering the learning rate: %s", self.lr_plateau.reason)
        stop = self.early_stopping.is_exhausted_by(results)
        if stop:
            _log.info("Early stopping: %s", self.early_stopping.reason)
        return stop

    def _save_due(self, log_due: bool) -> bool:
        """Return whether it is time to save, which several processes decide when they log."""
        if self.config.save_checkpoints_steps or self.devices.num_processes == 1:
            return self._save_every.is_due(self.step)
        return log_due and self.devices.sync_flag(self._save_every.is_due(self.step))
