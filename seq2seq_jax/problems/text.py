"""The problem of transducing texts to texts."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from seq2seq_jax.utils.errors import UserError

if TYPE_CHECKING:
    from flax import linen as nn
    from ml_collections import ConfigDict

    from seq2seq_jax.config.overrides import Overrides
    from seq2seq_jax.devices.parallel import Devices
    from seq2seq_jax.inference.loading import LoadedModel
    from seq2seq_jax.inference.served_model import ServedModel
    from seq2seq_jax.problems.protocol import DevData, Precompute, TrainingData
    from seq2seq_jax.storage.workdir import Workdir

_log = logging.getLogger(__name__)


class TextProblem:
    """Sources and targets are texts; an instance of `protocol.Problem`."""

    title = "text models"

    def complete_config(self, config: ConfigDict, workdir: Workdir) -> ConfigDict:
        """Return the configuration as it is."""
        return config

    def prepare_training(
        self, config: ConfigDict, workdir: Workdir, devices: Devices
    ) -> TrainingData:
        """Tokenize the pairs, build the vocabularies, and choose the buckets."""
        from seq2seq_jax.problems.text_data import prepare_text_training

        return prepare_text_training(config, workdir, devices)

    def prepare_dev(
        self, config: ConfigDict, models: Sequence[LoadedModel], devices: Devices
    ) -> DevData:
        """Read the dev set with the tokenizers and vocabularies of the first model."""
        from seq2seq_jax.problems.text_data import load_dev_set, make_dev_data

        dev_set = load_dev_set(config, models[0].tokenizers, models[0].vocabularies)
        return make_dev_data(config, dev_set, models[0].tokenizers, devices)

    def make_precompute(self, model: nn.Module) -> Precompute:
        """Return a function that returns its batch."""
        return lambda params, non_trainable, batch: batch

    def require_texts(self, config: ConfigDict, where: str) -> None:
        """Accept every model."""

    def add_infer_arguments(self, parser: argparse._ActionsContainer) -> list[argparse.Action]:
        """Add `--tasks` and `--language`."""
        tasks = parser.add_argument(
            "--tasks",
            metavar="NAMES",
            help="Inference tasks, separated by commas: DecodeText, DumpAttention, DumpBeams, or"
            " the path of a custom class. --config.tasks.NAME.params.KEY=VALUE sets their"
            " parameters.",
        )
        return [tasks, add_language_argument(parser)]

    def infer(self, arguments: argparse.Namespace, overrides: Overrides, workdir: Workdir) -> None:
        """Decode each line of the input, and write what the tasks make of it."""
        from seq2seq_jax.config import resolve
        from seq2seq_jax.inference.example_constraints import ConstraintFiles
        from seq2seq_jax.inference.json_lines import prediction_line, prediction_row
        from seq2seq_jax.inference.lines import (
            BATCHES_PER_CHUNK,
            chunked,
            describe_source_line,
            line_chunks,
            source_chunks,
        )
        from seq2seq_jax.inference.loading import load_ensemble
        from seq2seq_jax.inference.predictor import Predictor
        from seq2seq_jax.inference.tasks.inference_task import begin_tasks, make_tasks, run_tasks

        if arguments.tasks is not None:
            overrides = [*overrides, ("tasks", arguments.tasks)]
        config = resolve(workdir.config(), overrides)
        tasks = make_tasks(config)
        limit = BATCHES_PER_CHUNK * config.inference.batch_size
        if arguments.sources:
            for path in filter(os.path.isfile, arguments.sources):
                what = "%s is a file, but is used as a source text; --input=%s reads its lines"
                _log.warning(what, path, path)
            chunks = chunked(arguments.sources, limit)
            name = "command line"
        else:
            chunks = line_chunks(arguments.input, limit, describe_source_line(config))
            name = arguments.input or "<stdin>"
        predictor = Predictor(load_ensemble(workdir, config), config)
        if arguments.attention and not predictor.has_attention:
            raise UserError("--attention", f"needs attention, but {config.model} has none; omit it")
        constraints = ConstraintFiles(
            predictor.inference,
            predictor.tokenizers.target,
            predictor.vocabularies.target,
            arguments.input,
            predictor.allowed_outputs,
        )
        begin_tasks(tasks, predictor)
        return_attention = arguments.attention or any(t.needs_attention for t in tasks.values())
        return_beam_trace = any(task.needs_beam_trace for task in tasks.values())
        count = 0
        try:
            for texts, features in source_chunks(chunks, name, limit, predictor.has_features):
                prefixes, allowed_tokens = constraints.read(len(texts))
                predictions = predictor.predict(
                    texts,
                    languages=arguments.language,
                    features=features,
                    prefixes=prefixes,
                    allowed_tokens=allowed_tokens,
                    return_attention=return_attention,
                    return_beam_trace=return_beam_trace,
                )
                for prediction in run_tasks(tasks.values(), count, predictions):
                    if arguments.json:
                        print(prediction_line(prediction, attention=arguments.attention))
                    elif arguments.tsv:
                        row = prediction_row(
                            prediction.source, prediction.text, prediction.features
                        )
                        print(row)
                    else:
                        print(prediction.text)
                sys.stdout.flush()
                count += len(texts)
            constraints.finish()
        finally:
            for task in tasks.values():
                task.end()

    def served_model(self, overrides: Overrides, workdir: Workdir) -> ServedModel:
        """Load a text model, or an ensemble."""
        from seq2seq_jax.config import resolve
        from seq2seq_jax.inference.loading import load_ensemble
        from seq2seq_jax.inference.predictor import Predictor
        from seq2seq_jax.inference.served_texts import ServedTexts

        config = resolve(workdir.config(), overrides)
        models = load_ensemble(workdir, config)
        return ServedTexts(models, Predictor(models, config))


def add_language_argument(parser: argparse._ActionsContainer) -> argparse.Action:
    """Add `--language` to a command that reads sources of a text model.

    Args:
      parser: The command's parser.

    Returns:
      The argument.
    """
    return parser.add_argument(
        "--language",
        metavar="NAME",
        help="The language of all sources, for a multilingual model. Without it, each source begins"
        " with the tag of its language, as in '<dut> aanbod'.",
    )
