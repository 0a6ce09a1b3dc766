"""The training loop: step, log, evaluate, save; in this order, so that a checkpoint has it all."""

import logging
import math
import time
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from seq2seq_jax.checkpoints import into_template
from seq2seq_jax.config import check_training, write_config
from seq2seq_jax.console import progress_bar
from seq2seq_jax.data.batches import Batch, TrainBatches
from seq2seq_jax.errors import UserError
from seq2seq_jax.evaluation.dev_evaluation import make_evaluate
from seq2seq_jax.models.build import build_model, init_params
from seq2seq_jax.training.interruption import catch_interruption
from seq2seq_jax.training.metric_window import MetricWindow
from seq2seq_jax.training.metric_writers import MetricWriter
from seq2seq_jax.training.optimizers import build_optimizer
from seq2seq_jax.training.preparation import check_same_configuration, prepare_data
from seq2seq_jax.training.run_log import report_evaluation, report_training
from seq2seq_jax.training.train_step import create_train_state, make_train_step
from seq2seq_jax.workdir import Workdir, check_vocabularies_fit, vocabulary_sizes

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
        the data or the workdir; later if the loss is no longer a number.
    """
    check_training(config)
    workdir = Workdir(path)
    check_same_configuration(workdir, config)
    data = prepare_data(config, workdir)
    model = build_model(config, data.vocabularies.source.size, data.vocabularies.target.size)
    schedule, optimizer = build_optimizer(config.optimizer)
    pipeline = config.input_pipeline_train.params
    batches = TrainBatches(
        data.corpus,
        data.buckets,
        seed=config.seed,
        shuffle=pipeline.shuffle,
        num_epochs=pipeline.num_epochs,
    )
    state = create_train_state(init_params(model, config.seed), optimizer)
    checkpoints = workdir.checkpoints(config)
    step, window = 0, MetricWindow()
    if checkpoints.latest_step() is not None:
        step, arrays, saved = checkpoints.read()
        where = f"{checkpoints.directory}/{step}"
        check_vocabularies_fit(saved, data.vocabularies, where)
        state = into_template(state, arrays, where)
        if saved["batches"] is not None:  # as in an imported model, which has seen none of them
            batches.restore(saved["batches"])
        window = MetricWindow(saved["window"])

    _log.info("%s", data.report)
    if step:
        _log.info("going on from step %d", step)
    write_config(config, workdir.config_file)
    workdir.write_tokenizers(data.tokenizers)
    workdir.write_vocabularies(data.vocabularies)
    writer = MetricWriter(workdir.path, step)
    train_step = make_train_step(model, optimizer, config.seed)
    evaluate = None
    if data.dev_set is not None:
        evaluate = make_evaluate(
            model, config, data.tokenizers.target, data.vocabularies.target, data.dev_set
        )
    compiled: set[tuple[int, int]] = set()

    def save(results: dict[str, Any]) -> None:
        sums = window.sums()
        _check_finite(sums.get("loss", 0.0), step, checkpoints.latest_step())
        checkpoints.save(
            step,
            state,
            {
                "batches": batches.state(),
                "window": sums,
                "vocabulary_sizes": vocabulary_sizes(data.vocabularies),
            },
            results,
        )

    saved_at, saved_step = time.monotonic(), step
    finished = step >= config.train_steps
    if finished:
        _log.info("all %d steps are done; a larger train_steps goes on", config.train_steps)
    with (
        catch_interruption() as interrupted,
        progress_bar("training", config.train_steps, step) as show,
    ):
        while not finished and not interrupted():
            batch = next(batches, None)
            if batch is not None:
                _announce_shape(batch, compiled, len(data.buckets))
                state, metrics = train_step(state, batch)
                window.add(metrics)
                step += 1
                show(step)
            elif step == 0:
                raise UserError(
                    "input_pipeline_train.params.num_epochs", "no batch in these epochs"
                )
            finished = batch is None or step >= config.train_steps

            log_due = step % config.log_every_n_steps == 0 or finished
            evaluation_due = evaluate is not None and (
                step % config.eval_every_n_steps == 0 or finished
            )
            save_due = (
                evaluation_due
                or finished
                or interrupted()
                or _save_due(config, step, time.monotonic() - saved_at)
            )
            if not (log_due or save_due):
                continue
            window.pause()
            if log_due and window.sums():
                scalars = window.scalars(step, schedule)
                _check_finite(scalars["train/loss"], step, checkpoints.latest_step())
                report_training(
                    writer, step, config.train_steps, scalars, window.seconds_per_step()
                )
                window = MetricWindow()
            results = {}
            if evaluate and evaluation_due:
                results = report_evaluation(
                    writer, step, config.train_steps, evaluate(state.params)
                )
            if save_due and step > saved_step:
                save(results)
                saved_at, saved_step = time.monotonic(), step
            window.resume()
        if interrupted() and step > saved_step:
            save({})
    writer.close()
    if not finished:
        _log.info("stopped at step %d; the same command goes on from there", step)
    return finished


def _save_due(config: ConfigDict, step: int, seconds: float) -> bool:
    if config.save_checkpoints_steps:
        return step % config.save_checkpoints_steps == 0
    return 0 < config.save_checkpoints_secs <= seconds


def _announce_shape(batch: Batch, compiled: set[tuple[int, int]], buckets: int) -> None:
    shape = batch["source_ids"].shape[1], batch["target_ids"].shape[1]
    if shape not in compiled:
        compiled.add(shape)
        _log.info("compiling bucket %d x %d, %d of %d", *shape, len(compiled), buckets)


def _check_finite(loss: float, step: int, last_saved: int | None) -> None:
    if not math.isfinite(loss):
        kept = f"; the checkpoint of step {last_saved} is whole" if last_saved is not None else ""
        raise UserError(
            "optimizer.learning_rate",
            f"the loss is {loss} at step {step}; a lower rate or a lower optimizer.clip_gradients"
            f" would do{kept}",
        )
