"""The keys of a run: everything that belongs to no class and to no group of keys."""

from dataclasses import dataclass
from typing import Annotated

from seq2seq_jax.schema.parameters import Choice, ClassOf
from seq2seq_jax.schema.rules import BUCKETS, FRACTION, NON_EMPTY, at_least, one_of


@dataclass(frozen=True)
class RunConfig:
    """The keys of a run; the table of every model contains them."""

    model: Annotated[str, ClassOf("model"), "The model."] = "AttentionSeq2Seq"

    # Vocabularies
    vocab_target: Annotated[str, "Vocabulary file of the targets; empty: built from the data."] = ""
    vocab_min_frequency: Annotated[
        int, at_least(0), "A built vocabulary holds tokens that occur more often than this."
    ] = 0
    vocab_max_size: Annotated[
        int, at_least(0), "Maximum number of tokens in a built vocabulary; 0: no limit."
    ] = 0
    vocab_bias: Annotated[
        str,
        one_of("zeros", "log_frequency"),
        "Initial bias of the layer that computes the logits; log_frequency: the logarithm of each"
        " token's frequency in the training targets.",
    ] = "zeros"

    # Batches
    input_pipeline_train: Annotated[
        Choice, ClassOf("pipeline", modality="text"), "Reads the training examples."
    ] = Choice("ParallelTextInputPipeline")
    input_pipeline_dev: Annotated[
        Choice, ClassOf("pipeline", modality="text"), "Reads the dev examples."
    ] = Choice("ParallelTextInputPipeline", split="dev", shuffle=False)
    buckets: Annotated[
        str, BUCKETS, "Source lengths of the buckets; empty: chosen from the data."
    ] = ""
    batch_size: Annotated[int, at_least(1), "Number of examples in a training batch."] = 16
    batch_tokens: Annotated[
        int,
        at_least(0),
        "Above 0: a training batch holds as many examples as fit into this many tokens on its"
        " longer side, padding included; batch_size then applies to evaluation only.",
    ] = 0

    # Training
    train_steps: Annotated[int, at_least(1), "Training ends at this step."] = 10_000
    seed: Annotated[
        int, at_least(0), "Seed of the initial weights, of dropout and of the order of the data."
    ] = 0
    label_smoothing: Annotated[
        float, FRACTION, "Share of the target's probability that is spread over all tokens."
    ] = 0.0
    ema_decay: Annotated[
        float,
        FRACTION,
        "Decay of the exponential moving average of the parameters, which is what is evaluated; 0:"
        " no average.",
    ] = 0.0
    gradient_accumulation_steps: Annotated[
        int,
        at_least(1),
        "Number of parts of a batch that are computed one after the other: the same gradient in"
        " less memory.",
    ] = 1
    dtype: Annotated[
        str,
        one_of("float32", "bfloat16"),
        "Type of the matrix products in training; weights, states, softmax and loss are float32.",
    ] = "float32"
    remat: Annotated[
        bool,
        "Save only the states of the loop over time for the backward pass and compute the rest"
        " again: slower, but less memory for long sequences.",
    ] = False
    parallel: Annotated[
        str,
        one_of("jit", "pmap"),
        "How several devices share a batch: jit lets the compiler partition the step, pmap runs"
        " one copy of it on each device.",
    ] = "jit"
    kernels: Annotated[
        str,
        one_of("fast", "reference"),
        "Implementation of the operations of seq2seq_jax.ops: fast, or the plain reference, which"
        " is slower and easier to read.",
    ] = "fast"

    # Evaluation and checkpoints
    eval_every_n_steps: Annotated[int, at_least(0), "Steps between evaluations; 0: none."] = 1000
    metrics: Annotated[
        tuple[str, ...], ClassOf("metric"), "The metrics that are computed on the dev set."
    ] = ("LogPerplexityMetricSpec",)
    best_metric: Annotated[str, NON_EMPTY, "The dev metric that selects the best checkpoint."] = (
        "log_perplexity"
    )
    early_stopping_patience: Annotated[
        int,
        at_least(0),
        "Training ends after this many evaluations in a row without a better best_metric; 0: no"
        " early stopping.",
    ] = 0
    save_checkpoints_secs: Annotated[
        int, at_least(0), "Seconds between checkpoints; 0: none by time."
    ] = 600
    save_checkpoints_steps: Annotated[
        int, at_least(0), "Steps between checkpoints; above 0 it replaces save_checkpoints_secs."
    ] = 0
    keep_checkpoint_max: Annotated[int, at_least(1), "Number of latest checkpoints kept."] = 5
    keep_checkpoint_every_n_hours: Annotated[
        float, at_least(0), "In addition, keep one checkpoint for every n hours; 0: none."
    ] = 4.0
    log_every_n_steps: Annotated[
        int, at_least(1), "Steps between log lines of training metrics."
    ] = 100
    hooks: Annotated[tuple[str, ...], ClassOf("hook"), "Hooks that run during training."] = ()
    tasks: Annotated[tuple[str, ...], ClassOf("task"), "Inference tasks that are run."] = ()
