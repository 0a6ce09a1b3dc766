"""Every key of the configuration with its default, its meaning and its rule: one table a class.

Nothing else in the package knows a default. Names and defaults are those of google/seq2seq, with a
few of our own.
"""

from typing import Any

from seq2seq_jax.schema.keys import (
    AVERAGE,
    BUCKETS,
    CHECKPOINT,
    COLUMN,
    FILES,
    FRACTION,
    NON_EMPTY,
    PROBABILITY,
    SUCCESSORS,
    ClassList,
    ClassName,
    Key,
    Params,
    Table,
    above,
    at_least,
    between,
    function_name,
    one_of,
)


def slot(name: str, default: str, meaning: str, **defaults: Any) -> Table:
    """The pair `class` and `params`; `defaults` as in `Params`."""
    return {"class": ClassName(name, default, meaning), "params": Params("class", defaults)}


_ACTIVATION = function_name("identity", "tanh", "relu", "sigmoid", "elu", "softplus", "gelu")
_POSTPROCESSING = function_name("", "strip_bpe", "decode_sentencepiece")

# Cells -----------------------------------------------------------------------------------------

_NUM_UNITS = Key(128, "Width of the cell's state and output.", at_least(1))
_CELL_ACTIVATION = Key("tanh", "Activation of the candidate and of the output.", _ACTIVATION)
_FORGET_BIAS = Key(1.0, "Added to the forget gate before its sigmoid.")

CELLS: dict[str, Table] = {
    "BasicLSTMCell": {
        "num_units": _NUM_UNITS,
        "forget_bias": _FORGET_BIAS,
        "activation": _CELL_ACTIVATION,
    },
    "LSTMCell": {
        "num_units": _NUM_UNITS,
        "use_peepholes": Key(False, "The gates see the cell's memory through diagonal weights."),
        "cell_clip": Key(0.0, "Clip the memory to this absolute value; 0: do not.", at_least(0)),
        "num_proj": Key(0, "Width of a projection of the output; 0: none.", at_least(0)),
        "proj_clip": Key(0.0, "Clip the projection to this; 0: do not.", at_least(0)),
        "forget_bias": _FORGET_BIAS,
        "activation": _CELL_ACTIVATION,
    },
    "GRUCell": {
        "num_units": _NUM_UNITS,
        "activation": _CELL_ACTIVATION,
    },
    "BasicRNNCell": {
        "num_units": _NUM_UNITS,
        "activation": _CELL_ACTIVATION,
    },
    "LayerNormBasicLSTMCell": {
        "num_units": _NUM_UNITS,
        "forget_bias": _FORGET_BIAS,
        "activation": _CELL_ACTIVATION,
        "layer_norm": Key(True, "Normalise the gates and the memory (arXiv:1607.06450)."),
        "norm_gain": Key(1.0, "Initial gain of the normalisation."),
        "norm_shift": Key(0.0, "Initial shift of the normalisation."),
        "dropout_keep_prob": Key(
            1.0, "Keep probability of recurrent dropout (arXiv:1603.05118).", PROBABILITY
        ),
    },
}

_RNN_CELL: Table = {
    "cell_class": ClassName("cell", "BasicLSTMCell", "Class of every layer's cell."),
    "cell_params": Params("cell_class"),
    "dropout_input_keep_prob": Key(1.0, "Keep probability on each layer's input.", PROBABILITY),
    "dropout_output_keep_prob": Key(1.0, "Keep probability on each layer's output.", PROBABILITY),
    "variational_dropout": Key(
        False, "One mask for all steps of a sequence (arXiv:1512.05287); else one for each step."
    ),
    "num_layers": Key(1, "Number of layers.", at_least(1)),
    "residual_connections": Key(False, "Residual connections between all layers."),
    "residual_combiner": Key(
        "add", "How a layer's input joins its output.", one_of("add", "concat", "mean")
    ),
    "residual_dense": Key(
        False, "Each layer sees all layers below it; needs residual_connections."
    ),
}
_INIT_SCALE = Key(0.04, "RNN weights start uniform in [-scale, scale].", at_least(0))

# Encoders --------------------------------------------------------------------------------------

_POSITION_EMBEDDINGS: Table = {
    "enable": Key(True, "Tell the encoder each token's position."),
    "combiner_fn": Key(
        "multiply", "How a position joins its token.", function_name("multiply", "add")
    ),
    "num_positions": Key(100, "Number of positions that have an embedding.", at_least(1)),
}

INCEPTION_BLOCKS = ("stem", *(f"mixed{i}" for i in range(11)))
_BLOCK = one_of(*INCEPTION_BLOCKS)

ENCODERS: dict[str, Table] = {
    "UnidirectionalRNNEncoder": {"rnn_cell": _RNN_CELL, "init_scale": _INIT_SCALE},
    "BidirectionalRNNEncoder": {"rnn_cell": _RNN_CELL, "init_scale": _INIT_SCALE},
    "StackBidirectionalRNNEncoder": {"rnn_cell": _RNN_CELL, "init_scale": _INIT_SCALE},
    "PoolingEncoder": {
        "pooling_fn": Key(
            "average_pooling1d",
            "How a window becomes one position.",
            function_name("average_pooling1d", "max_pooling1d"),
        ),
        "pool_size": Key(5, "Positions in a window.", at_least(1)),
        "strides": Key(1, "Positions from one window to the next.", at_least(1)),
        "position_embeddings": _POSITION_EMBEDDINGS,
        "dropout_keep_prob": Key(0.8, "Keep probability on the embeddings.", PROBABILITY),
    },
    "ConvEncoder": {
        "attention_cnn": {
            "units": Key(512, "Width of the stack that makes the keys.", at_least(1)),
            "kernel_size": Key(3, "Positions that a convolution sees.", at_least(1)),
            "layers": Key(15, "Number of convolutions.", at_least(1)),
        },
        "embedding_dropout_keep_prob": Key(0.8, "Keep probability on the embeddings.", PROBABILITY),
        "output_cnn": {
            "units": Key(256, "Width of the stack that makes the values.", at_least(1)),
            "kernel_size": Key(3, "Positions that a convolution sees.", at_least(1)),
            "layers": Key(5, "Number of convolutions.", at_least(1)),
        },
        "position_embeddings": _POSITION_EMBEDDINGS,
    },
    "InceptionV3Encoder": {
        "resize_height": Key(299, "Images are resized to this height, pixels.", at_least(75)),
        "resize_width": Key(299, "Images are resized to this width, pixels.", at_least(75)),
        "block": Key(
            "mixed10", "The block whose map is looked at; for small images an early one.", _BLOCK
        ),
        "trainable": Key(
            "none", "The first block that is trained.", one_of("none", "all", *INCEPTION_BLOCKS)
        ),
        "weights": Key(
            "",
            "File of trained weights, of Keras, torchvision or timm; empty: drawn from the seed.",
        ),
        "scaling": Key(
            "",
            "Of red, green and blue: inception is x / 127.5 - 1, imagenet that by ImageNet's means"
            " and deviations, unit x / 255; empty: as the weights expect.",
            one_of("", "inception", "imagenet", "unit"),
        ),
        "pools_count_padding": Key(
            False, "Average pools divide as torchvision's do; set by the weights."
        ),
        "batch_norm_scale": Key(
            False, "Batch norm has a factor, as torchvision's; set by the weights."
        ),
        "batch_norm_momentum": Key(0.99, "Of the moving averages of batch norm.", FRACTION),
        "num_units": Key(
            0, "Width of a dense layer over the features of each place; 0: none.", at_least(0)
        ),
        "normalize": Key(
            False, "Divide a picture's features by the root of their mean square, after that layer."
        ),
        "dropout_keep_prob": Key(1.0, "Keep probability on these features.", PROBABILITY),
        "attention_keep_prob": Key(
            1.0,
            "Keep probability on all that attention is given of a picture, at once: below 1 the"
            " decoder learns to do without.",
            PROBABILITY,
        ),
        "final_state": Key(
            "mean",
            "What the bridge is given: the mean of the places' features, or cells: all of them.",
            one_of("mean", "cells"),
        ),
        "final_units": Key(0, "Width of a dense layer over that; 0: none.", at_least(0)),
        "num_prototypes": Key(
            0,
            "What the bridge is given instead: how much that is like each of so many prototypes,"
            " which begin as training pictures, evenly spread, and are trained; 0: none.",
            at_least(0),
        ),
        "sharpness": Key(
            20.0, "What the cosine with each is multiplied by before the softmax.", above(0)
        ),
    },
}

# Bridges, attention, decoders -------------------------------------------------------------------

BRIDGES: dict[str, Table] = {
    "ZeroBridge": {},
    "PassThroughBridge": {},
    "InitialStateBridge": {
        "bridge_input": Key(
            "final_state", "The field of the encoder's output that goes over.", NON_EMPTY
        ),
        "activation_fn": Key("identity", "Activation of the dense layer.", _ACTIVATION),
    },
}

ATTENTIONS: dict[str, Table] = {
    "AttentionLayerBahdanau": {
        "num_units": Key(128, "Width of the projected keys and queries.", at_least(1)),
    },
    "AttentionLayerDot": {
        "num_units": Key(128, "Width of the projected keys and queries.", at_least(1)),
    },
}

_DECODER: Table = {
    "max_decode_length": Key(
        0, "Older spelling of inference.max_decode_length; 0: unset.", at_least(0)
    ),
    "rnn_cell": _RNN_CELL,
    "init_scale": _INIT_SCALE,
}
DECODERS: dict[str, Table] = {"BasicDecoder": _DECODER, "AttentionDecoder": _DECODER}

# Optimizers: canonical names are those of optax -------------------------------------------------

_B1 = Key(0.9, "Decay of the mean of gradients.", FRACTION, aliases=("beta1",))
_B2 = Key(0.999, "Decay of the mean of squared gradients.", FRACTION, aliases=("beta2",))
_NESTEROV = Key(False, "Nesterov's momentum.", aliases=("use_nesterov",))


def _eps(default: float) -> Key:
    return Key(default, "Keeps the division finite.", at_least(0), aliases=("epsilon",))


def _weight_decay(default: float) -> Key:
    return Key(default, "Decoupled weight decay.", at_least(0))


OPTIMIZERS: dict[str, Table] = {
    "Adam": {"b1": _B1, "b2": _B2, "eps": _eps(1e-8)},
    "SGD": {},
    "Momentum": {
        "momentum": Key(0.9, "Decay of the accumulated gradient.", FRACTION),
        "nesterov": _NESTEROV,
    },
    "RMSProp": {
        "decay": Key(0.9, "Decay of the mean of squared gradients.", FRACTION, aliases=("rho",)),
        "eps": _eps(1e-8),
        "initial_scale": Key(0.0, "Initial mean of squared gradients.", at_least(0)),
        "centered": Key(False, "Divide by the deviation, not by the root mean square."),
        "momentum": Key(0.0, "Momentum on the scaled gradients.", FRACTION),
        "nesterov": _NESTEROV,
    },
    "Adagrad": {
        "initial_accumulator_value": Key(0.1, "Initial sum of squared gradients.", at_least(0)),
        "eps": _eps(1e-7),
    },
    "Adadelta": {
        "rho": Key(0.9, "Decay of both means of squares.", FRACTION),
        "eps": _eps(1e-6),
        "weight_decay": _weight_decay(0.0),
    },
    "AdamW": {"b1": _B1, "b2": _B2, "eps": _eps(1e-8), "weight_decay": _weight_decay(1e-4)},
    "Adafactor": {
        "min_dim_size_to_factor": Key(128, "Smaller matrices are not factored.", at_least(1)),
        "decay_rate": Key(0.8, "Exponent of the decay of second moments.", FRACTION),
        "decay_offset": Key(0, "Steps by which that decay starts later.", at_least(0)),
        "multiply_by_parameter_scale": Key(True, "Scale updates by the size of the parameters."),
        "clipping_threshold": Key(1.0, "Largest root mean square of an update.", above(0)),
        "eps": _eps(1e-30),
        "factored": Key(True, "Keep row and column sums in place of full second moments."),
    },
}

DECAY_TYPES = (
    "exponential_decay",
    "natural_exp_decay",
    "inverse_time_decay",
    "polynomial_decay",
    "cosine_decay",
)

_OPTIMIZER: Table = {
    "name": ClassName("optimizer", "Adam", "Ours, or any optimizer of optax by its own name."),
    "params": Params("name"),
    "learning_rate": Key(1e-4, "Initial learning rate.", above(0)),
    "lr_decay_type": Key("", "Empty: constant.", function_name("", *DECAY_TYPES)),
    "lr_decay_steps": Key(100, "How often decay is applied, steps.", at_least(1)),
    "lr_decay_rate": Key(0.99, "The rate of decay.", above(0)),
    "lr_start_decay_at": Key(
        0, "No decay before this step; decay counts steps from here.", at_least(0)
    ),
    "lr_stop_decay_at": Key(
        1_000_000_000, "From this step on the rate stays where it is.", at_least(0)
    ),
    "lr_min_learning_rate": Key(1e-12, "Floor of the decayed rate.", at_least(0)),
    "lr_staircase": Key(False, "Decay in discrete intervals."),
    "lr_plateau_patience": Key(
        0,
        "After so many evaluations in a row without a better best_metric the rate is multiplied"
        " by lr_plateau_factor; 0: never.",
        at_least(0),
    ),
    "lr_plateau_factor": Key(0.5, "See lr_plateau_patience.", PROBABILITY),
    "encoder_lr_multiplier": Key(
        1.0,
        "What the learning rate is multiplied by for the encoder: below 1 for one that begins with"
        " what it should keep; 0: it stays as it begins.",
        at_least(0),
    ),
    "clip_gradients": Key(5.0, "Clip gradients by global norm; 0: do not.", at_least(0)),
    "clip_embed_gradients": Key(
        0.1,
        "Then clip each embedding table's gradient by its own norm; 0: do not.",
        at_least(0),
    ),
}

# Input pipelines --------------------------------------------------------------------------------

# With the delimiters of their sources and targets.
BUILTIN_CORPORA = {"toy_copy": (" ", " "), "toy_reverse": (" ", " "), "cmudict": ("", " ")}

_SHUFFLE = Key(True, "A new permutation of all examples in every epoch.")
_NUM_EPOCHS = Key(0, "Passes over the data; 0: as many as train_steps takes.", at_least(0))
_SOURCE_DELIMITER = Key(" ", "Between source tokens; empty: every character is a token.")
_TARGET_DELIMITER = Key(" ", "Between target tokens; empty: every character is a token.")

EVERY_PIPELINE: Table = {
    "source_delimiter": _SOURCE_DELIMITER,
    "target_delimiter": _TARGET_DELIMITER,
    "shuffle": _SHUFFLE,
    "num_epochs": _NUM_EPOCHS,
}

PIPELINES: dict[str, Table] = {
    "ParallelTextInputPipeline": {
        "source_files": Key("", "Source texts, plain or .gz, one sentence a line.", FILES),
        "target_files": Key("", "Target texts, line by line the sources' translations.", FILES),
        **EVERY_PIPELINE,
        "builtin": Key(
            "", "Built-in corpus, used when no files are given.", one_of("", *BUILTIN_CORPORA)
        ),
        "split": Key("train", "Part of the built-in corpus.", one_of("train", "dev", "test")),
    },
    "TSVInputPipeline": {
        "files": Key("", "Tables: .tsv or .csv, plain or with .gz behind it.", FILES),
        "source_column": Key("source", "The sources' column in the header, or by number.", COLUMN),
        "target_column": Key("target", "The targets' column in the header, or by number.", COLUMN),
        "format": Key("", "Empty: as the name of each file ends.", one_of("", "tsv", "csv")),
        "header": Key(True, "The first row names the columns; if not, they go by number."),
        **EVERY_PIPELINE,
    },
    "TFDSInputPipeline": {
        "name": Key("", "Dataset of tensorflow-datasets, as in wmt16_translate/de-en."),
        "split": Key("train", "Its split, or part of one, as in train[:1%].", NON_EMPTY),
        "source_feature": Key("", "Feature with the sources; empty: the input it names itself."),
        "target_feature": Key("", "Feature with the targets; empty: the output it names itself."),
        "data_dir": Key(
            "", "Where it was prepared; empty: TFDS_DATA_DIR or ~/tensorflow_datasets."
        ),
        **EVERY_PIPELINE,
    },
    "TFRecordInputPipeline": {
        "files": Key("", "TFRecord files.", FILES),
        "source_field": Key("source", "Feature that holds the source text.", NON_EMPTY),
        "target_field": Key("target", "Feature that holds the target text.", NON_EMPTY),
        **EVERY_PIPELINE,
    },
    "ImageCaptioningInputPipeline": {
        "files": Key("", "TFRecord files.", FILES),
        "image_field": Key("image/data", "Feature that holds the image.", NON_EMPTY),
        "image_format": Key("jpg", "Format of the images.", NON_EMPTY),
        "caption_ids_field": Key("image/caption_ids", "Feature with the token ids.", NON_EMPTY),
        "caption_tokens_field": Key("image/caption", "Feature with the tokens.", NON_EMPTY),
        "captions": Key(
            "", "File of captions: a table, or JSON of COCO or of Karpathy's splits; not for files."
        ),
        "image_dir": Key("", "Folder of the pictures that captions names."),
        "image_column": Key("", "Column of a table with the pictures; empty: the first."),
        "caption_column": Key("", "Column of a table with the captions; empty: the second."),
        "name": Key("", "Dataset of tensorflow-datasets, as in coco_captions."),
        "split": Key("", "Of the dataset, or of Karpathy's JSON; empty: train, or all."),
        "data_dir": Key(
            "", "Where it was prepared; empty: TFDS_DATA_DIR or ~/tensorflow_datasets."
        ),
        "on_error": Key(
            "fail",
            "A picture that cannot be used is an error, or is left out and counted.",
            one_of("fail", "skip"),
        ),
        "max_pixels": Key(50_000_000, "Larger pictures cannot be used.", at_least(1)),
        "target_delimiter": Key(
            " ", "Between tokens of captions; empty: every character is a token."
        ),
        "shuffle": _SHUFFLE,
        "num_epochs": _NUM_EPOCHS,
    },
}

# Metrics, hooks, tasks --------------------------------------------------------------------------

_TEXT_METRIC: Table = {
    "separator": Key(" ", "Joins the tokens of a sentence before post-processing."),
    "postproc_fn": Key("", "Post-processing of the text; empty: none.", _POSTPROCESSING),
}
ROUGE_TYPES = tuple(
    f"rouge_{kind}/{score}"
    for kind in ("1", "2", "l")
    for score in ("f_score", "r_score", "p_score")
)

METRICS: dict[str, Table] = {
    "LogPerplexityMetricSpec": {},
    "BleuMetricSpec": {
        **_TEXT_METRIC,
        "max_ngram_order": Key(4, "Longest n-grams that count.", between(1, 4)),
    },
    "ChrfMetricSpec": _TEXT_METRIC,
    "RougeMetricSpec": {
        **_TEXT_METRIC,
        "rouge_type": Key("rouge_1/f_score", "Which ROUGE, and which score.", one_of(*ROUGE_TYPES)),
    },
    "AccuracyMetricSpec": _TEXT_METRIC,
    "ErrorRateMetricSpec": _TEXT_METRIC,
}

HOOKS: dict[str, Table] = {
    "PrintModelAnalysisHook": {},
    "MetadataCaptureHook": {
        "step": Key(10, "The first step that is traced.", at_least(1)),
        "num_steps": Key(1, "How many steps are.", at_least(1)),
    },
    "TrainSampleHook": {
        "every_n_secs": Key(0, "Seconds between samples; 0: go by steps.", at_least(0)),
        "every_n_steps": Key(1000, "Steps between samples.", at_least(1)),
        "source_delimiter": Key(" ", "Joins the source tokens shown."),
        "target_delimiter": Key(" ", "Joins the target tokens shown."),
    },
}

TASKS: dict[str, Table] = {
    "DecodeText": {
        "delimiter": Key(" ", "Joins the tokens of an output."),
        "postproc_fn": Key("", "Post-processing of the text; empty: none.", _POSTPROCESSING),
        "unk_replace": Key(False, "Replace UNK by the source token of highest attention."),
        "unk_mapping": Key("", "File of source<TAB>target words for those replacements."),
    },
    "DumpAttention": {
        "output_dir": Key("", "Folder for the attention scores and plots."),
        "dump_plots": Key(True, "Write a plot for every sentence."),
        "dump_atts": Key(True, "Write the scores."),
        "plot_format": Key("png", "Of the plots.", one_of("png", "svg")),
    },
    "DumpBeams": {"file": Key("", "File for the beams.")},
}

# Models -----------------------------------------------------------------------------------------

_COMMON: Table = {
    "model": ClassName("model", "AttentionSeq2Seq", "The model."),
    "optimizer": _OPTIMIZER,
    "target": {
        "max_seq_len": Key(
            50, "Targets are cut to this length, start and end tokens included.", at_least(2)
        ),
    },
    "embedding": {
        "dim": Key(100, "Width of the embeddings.", at_least(1)),
        "share": Key(False, "One table for source and target."),
        "init_scale": Key(0.04, "Embeddings start uniform in [-scale, scale].", at_least(0)),
    },
    "inference": {
        "batch_size": Key(32, "Sentences decoded at once.", at_least(1)),
        "checkpoint": Key("best", "The checkpoint that evaluation and inference load.", CHECKPOINT),
        "beam_search": {
            "beam_width": Key(0, "Hypotheses kept; 1 or less: greedy.", at_least(0)),
            "length_penalty_weight": Key(
                0.0,
                "Exponent of the length penalty ((5 + length) / 6) ** weight (arXiv:1609.08144).",
                at_least(0),
            ),
            "coverage_penalty_weight": Key(
                0.0,
                "Weight of the coverage penalty of arXiv:1609.08144; 0: none.",
                at_least(0),
            ),
            "diversity_groups": Key(
                1,
                "Groups of hypotheses, each of which avoids the words of those before"
                " (arXiv:1610.02424).",
                at_least(1),
            ),
            "diversity_strength": Key(
                0.0,
                "Log-probability that a word loses for each hypothesis of the groups before"
                " that chose it.",
                at_least(0),
            ),
            "choose_successors_fn": Key("choose_top_k", "How successors are picked.", SUCCESSORS),
        },
        "sampling": {
            "enable": Key(False, "Draw words in the place of a search for the likeliest."),
            "temperature": Key(
                1.0, "Divides the logits: below 1 likely words become likelier.", above(0)
            ),
            "top_k": Key(0, "Draw from the k likeliest words; 0: from all.", at_least(0)),
            "top_p": Key(
                1.0, "Draw from the fewest words with this probability together.", PROBABILITY
            ),
            "seed": Key(0, "Seed of the draws.", at_least(0)),
        },
        "prefix_file": Key(
            "", "File whose line i says how --mode=infer's output i begins; empty: nothing does."
        ),
        "allowed_tokens_file": Key(
            "", "File whose line i has the tokens that output i may use; empty: all may."
        ),
        "n_best": Key(1, "Outputs for a source: the best of a beam, or samples.", at_least(1)),
        "max_decode_length": Key(
            100, "Decoding stops here or at SEQUENCE_END; steps, the end included.", at_least(1)
        ),
        "min_decode_length": Key(0, "Fewest words before SEQUENCE_END.", at_least(0)),
        "forbid_unk": Key(False, "Never output UNK."),
        "no_repeat_ngram_size": Key(
            0, "No so many words in a row come twice in an output; 0: they may.", at_least(0)
        ),
        "ensemble": Key(
            "", "Other workdirs, with commas between, whose models decide with this one.", FILES
        ),
        "ensemble_mean": Key(
            "log",
            "What an ensemble averages: log, logarithms of probabilities; linear, probabilities.",
            one_of("log", "linear"),
        ),
        "average_checkpoints": Key(
            "", "Average the parameters of the last or best K checkpoints; empty: do not.", AVERAGE
        ),
    },
    "vocab_target": Key("", "Vocabulary file of the targets; empty: built from the data."),
    "vocab_min_frequency": Key(
        0, "A built vocabulary holds tokens that occur more often than this.", at_least(0)
    ),
    "vocab_max_size": Key(0, "Most tokens in a built vocabulary; 0: all.", at_least(0)),
    "vocab_bias": Key(
        "zeros",
        "Where the bias of the layer to the target vocabulary starts; log_frequency: at the"
        " logarithms of how often words occur in the training targets.",
        one_of("zeros", "log_frequency"),
    ),
    "buckets": Key("", "Source lengths of the buckets; empty: chosen from the data.", BUCKETS),
    "batch_size": Key(16, "Sentences in a training batch.", at_least(1)),
    "batch_tokens": Key(
        0,
        "Above 0: a batch has as many sentences as fit into so many tokens on its longer side,"
        " padding included; batch_size is then for evaluation alone.",
        at_least(0),
    ),
    "gradient_accumulation_steps": Key(
        1,
        "Parts in which a batch is worked through, one after the other: the same gradient in less"
        " memory.",
        at_least(1),
    ),
    "label_smoothing": Key(
        0.0, "Share of the target's probability that is spread over all words.", FRACTION
    ),
    "ema_decay": Key(
        0.0, "Decay of the moving average of the parameters that is evaluated; 0: none.", FRACTION
    ),
    "parallel": Key(
        "jit",
        "How several devices share a batch: jit lets the compiler partition the step, pmap runs one"
        " copy of it on each device.",
        one_of("jit", "pmap"),
    ),
    "kernels": Key(
        "fast",
        "Implementation of the operations of seq2seq_jax.ops: fast, or the plain reference, which"
        " is slower and easier to read.",
        one_of("fast", "reference"),
    ),
    "dtype": Key(
        "float32",
        "Type of the matrix products in training; weights, states, softmax and loss are float32.",
        one_of("float32", "bfloat16"),
    ),
    "remat": Key(
        False,
        "Training keeps the states of a loop over time alone, and computes the rest twice: slower,"
        " for long sequences and little memory.",
    ),
    "early_stopping_patience": Key(
        0,
        "Training ends after so many evaluations in a row without a better best_metric; 0: never.",
        at_least(0),
    ),
    "train_steps": Key(10_000, "Training ends at this step.", at_least(1)),
    "eval_every_n_steps": Key(1000, "Steps between evaluations; 0: none.", at_least(0)),
    "save_checkpoints_secs": Key(600, "Seconds between checkpoints; 0: none by time.", at_least(0)),
    "save_checkpoints_steps": Key(
        0, "Steps between checkpoints; above 0 it takes the seconds' place.", at_least(0)
    ),
    "keep_checkpoint_max": Key(5, "Latest checkpoints kept.", at_least(1)),
    "keep_checkpoint_every_n_hours": Key(
        4.0, "Besides, keep one checkpoint every so many hours; 0: none.", at_least(0)
    ),
    "log_every_n_steps": Key(100, "Steps between lines of training metrics.", at_least(1)),
    "best_metric": Key(
        "log_perplexity", "The dev metric that marks the best checkpoint.", NON_EMPTY
    ),
    "seed": Key(0, "Seed of weights, dropout and the order of the data.", at_least(0)),
    "input_pipeline_train": slot(
        "pipeline", "ParallelTextInputPipeline", "Where training examples come from."
    ),
    "input_pipeline_dev": slot(
        "pipeline",
        "ParallelTextInputPipeline",
        "Where dev examples come from.",
        split="dev",
        shuffle=False,
    ),
    "metrics": ClassList(
        "metric", ("LogPerplexityMetricSpec",), "What is measured on the dev set."
    ),
    "hooks": ClassList("hook", (), "What else happens during training."),
    "tasks": ClassList("task", (), "What else inference does or writes."),
}

_TEXT_SOURCE: Table = {
    "source": {
        "max_seq_len": Key(
            50, "Sources are cut to this length, their end token included.", at_least(1)
        ),
        "reverse": Key(True, "Reverse the source within its own length before encoding."),
        "lowercase": Key(False, "Lower-case the source, in training and at inference."),
    },
    "vocab_source": Key("", "Vocabulary file of the sources; empty: built from the data."),
    "subwords": {
        "kind": Key(
            "",
            "Tokens are subwords of BPE (as subword-nmt) or SentencePiece; empty: they are not.",
            one_of("", "bpe", "sentencepiece"),
        ),
        "size": Key(8000, "Merges of BPE, or pieces of SentencePiece, to learn.", at_least(1)),
        "joint": Key(True, "Source and target have the same subwords, learnt from both."),
        "sides": Key("both", "Which have subwords.", one_of("both", "source", "target")),
        "source_model": Key("", "File of the sources' codes or model; empty: learnt."),
        "target_model": Key("", "File of the targets' codes or model; empty: learnt."),
        "model_type": Key("unigram", "Of SentencePiece.", one_of("unigram", "bpe", "char", "word")),
    },
}

_ATTENTION: Table = {
    "attention": slot("attention", "AttentionLayerBahdanau", "How the decoder looks back."),
    "bridge": slot("bridge", "ZeroBridge", "How the decoder's first state is made."),
    "decoder": slot("decoder", "AttentionDecoder", "The decoder."),
}

MODELS: dict[str, Table] = {
    "BasicSeq2Seq": {
        **_COMMON,
        **_TEXT_SOURCE,
        "bridge": slot("bridge", "InitialStateBridge", "How the decoder's first state is made."),
        "encoder": slot("encoder", "UnidirectionalRNNEncoder", "The encoder."),
        "decoder": slot("decoder", "BasicDecoder", "The decoder."),
    },
    "AttentionSeq2Seq": {
        **_COMMON,
        **_TEXT_SOURCE,
        **_ATTENTION,
        "encoder": slot("encoder", "BidirectionalRNNEncoder", "The encoder."),
    },
    "Image2Seq": {
        **_COMMON,
        **_ATTENTION,
        "encoder": slot("encoder", "InceptionV3Encoder", "The encoder."),
        "input_pipeline_train": slot(
            "pipeline", "ImageCaptioningInputPipeline", "Where training examples come from."
        ),
        "input_pipeline_dev": slot(
            "pipeline",
            "ImageCaptioningInputPipeline",
            "Where dev examples come from.",
            shuffle=False,
        ),
        "pictures": {
            "variants": Key(
                0,
                "Training pictures also come in so many variants: moved, recoloured, blurred.",
                at_least(0),
            ),
            "projection": Key(
                "random",
                "How the layers of encoder.params.num_units and final_units begin: drawn, or"
                " discriminants, directions in which pictures differ and their variants do not.",
                one_of("random", "discriminants"),
            ),
            "cache_features": Key(
                True, "Of an encoder that is not trained, compute the features once and keep them."
            ),
            "features_dtype": Key(
                "float32",
                "How they are kept; float16 takes half the room.",
                one_of("float32", "float16"),
            ),
        },
    },
}
