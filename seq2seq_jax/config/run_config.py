"""The keys of a run: everything that belongs to no class and to no group of keys."""

from dataclasses import dataclass
from typing import Annotated

from seq2seq_jax.schema.parameters import Choice, ClassOf
from seq2seq_jax.schema.rules import (
    BATCH_SIZE,
    BUCKETS,
    FRACTION,
    NON_EMPTY,
    SEED,
    at_least,
    between,
    one_of,
)


@dataclass(frozen=True)
class RunConfig:
    """The keys of a run; the table of every model contains them.

    Attributes:
      model: The model.
      vocab_target: Vocabulary file of the targets; empty: built from the data.
      vocab_min_frequency: A built vocabulary holds tokens that occur more often than this.
      vocab_max_size: Maximum number of tokens in a built vocabulary; 0: no limit.
      vocab_size_multiple: Unused tokens are added to a vocabulary until its size is a multiple of
        this, so that models for several corpora have equal shapes and share compiled programs.
      vocab_bias: Initial bias of the layer that computes the logits; log_frequency: the logarithm
        of each token's frequency in the training targets.
      input_pipeline_train: Reads the training examples.
      input_pipeline_dev: Reads the dev examples.
      buckets: Source lengths of the buckets, or source and target lengths; empty: chosen from the
        data.
      batch_size: Number of examples in a training batch.
      batch_tokens: Above 0: a training batch holds as many examples as fit into this many tokens on
        its longer side, padding included; batch_size then applies to evaluation only.
      train_steps: Training ends at this step.
      initialize_from: The run from which a new run takes its parameters and vocabularies (see
        transfer.*): RUN, RUN:best, RUN:latest or RUN:STEP; RUN alone is its best checkpoint. Empty:
        the parameters are drawn.
      seed: Seed of the initial weights, of dropout and of the order of the data.
      label_smoothing: Share of the target's probability that is spread over all tokens.
      ema_decay: Decay of the exponential moving average of the parameters, which is what is
        evaluated; 0: no average.
      gradient_accumulation_steps: Number of parts of a batch that are computed one after the other:
        the same gradient in less memory.
      dtype: Type of the matrix products in training; weights, states, softmax and loss are float32.
      remat: Save only the states of the loop over time for the backward pass and compute the rest
        again: slower, but less memory for long sequences.
      parallel: How several devices share a batch: jit lets the compiler partition the step, pmap
        runs one copy of it on each device.
      kernels: Implementation of the operations of seq2seq_jax.ops: fast, or the plain reference,
        which is slower and easier to read.
      eval_every_n_steps: Steps between evaluations; 0: none.
      metrics: The metrics that are computed on the dev set.
      best_metric: The dev metric that selects the best checkpoint.
      early_stopping_patience: Training ends after this many evaluations in a row without a better
        best_metric; 0: no early stopping.
      save_checkpoints_secs: Seconds between checkpoints; 0: none by time.
      save_checkpoints_steps: Steps between checkpoints; above 0 it replaces save_checkpoints_secs.
      keep_checkpoint_max: Number of latest checkpoints kept.
      keep_checkpoint_every_n_hours: In addition, keep one checkpoint for every n hours; 0: none.
      log_every_n_steps: Steps between log lines of training metrics.
      hooks: Hooks that run during training.
      tasks: Inference tasks that are run.
    """

    model: Annotated[str, ClassOf("model")] = "AttentionSeq2Seq"

    # Vocabularies
    vocab_target: str = ""
    vocab_min_frequency: Annotated[int, at_least(0)] = 0
    vocab_max_size: Annotated[int, at_least(0)] = 0
    vocab_size_multiple: Annotated[int, between(1, 100_000)] = 1
    vocab_bias: Annotated[str, one_of("zeros", "log_frequency")] = "zeros"

    # Batches
    input_pipeline_train: Annotated[Choice, ClassOf("pipeline", modality="text")] = Choice(
        "ParallelTextInputPipeline"
    )
    input_pipeline_dev: Annotated[Choice, ClassOf("pipeline", modality="text")] = Choice(
        "ParallelTextInputPipeline", split="dev", shuffle=False
    )
    buckets: Annotated[str, BUCKETS] = ""
    batch_size: Annotated[int, BATCH_SIZE] = 16
    batch_tokens: Annotated[int, between(0, 10_000_000)] = 0

    # Training
    initialize_from: str = ""
    train_steps: Annotated[int, at_least(1)] = 10_000
    seed: Annotated[int, SEED] = 0
    label_smoothing: Annotated[float, FRACTION] = 0.0
    ema_decay: Annotated[float, FRACTION] = 0.0
    gradient_accumulation_steps: Annotated[int, BATCH_SIZE] = 1
    dtype: Annotated[str, one_of("float32", "bfloat16")] = "float32"
    remat: bool = False
    parallel: Annotated[str, one_of("jit", "pmap")] = "jit"
    kernels: Annotated[str, one_of("fast", "reference")] = "fast"

    # Evaluation and checkpoints
    eval_every_n_steps: Annotated[int, at_least(0)] = 1000
    metrics: Annotated[tuple[str, ...], ClassOf("metric")] = ("LogPerplexityMetricSpec",)
    best_metric: Annotated[str, NON_EMPTY] = "log_perplexity"
    early_stopping_patience: Annotated[int, at_least(0)] = 0
    save_checkpoints_secs: Annotated[int, at_least(0)] = 600
    save_checkpoints_steps: Annotated[int, at_least(0)] = 0
    keep_checkpoint_max: Annotated[int, at_least(1)] = 5
    keep_checkpoint_every_n_hours: Annotated[float, at_least(0)] = 4.0
    log_every_n_steps: Annotated[int, at_least(1)] = 100
    hooks: Annotated[tuple[str, ...], ClassOf("hook")] = ()
    tasks: Annotated[tuple[str, ...], ClassOf("task")] = ()
