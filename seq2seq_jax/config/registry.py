"""The slots of a configuration, and where the built-in classes of each are defined."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Slot:
    """A place in the configuration that a class fills.

    Attributes:
      modules: Modules that define the built-in classes, in the order in which messages list them.
      pattern: Regular expression that matches the names of these classes in the modules.
      supplied: Keywords that the program passes to the constructor; they are no parameters.
      collector: Path of a function that collects the parameters of a class, if the classes have
        parameters in addition to those of their constructors.
      base: Path of the class from which custom classes must derive; empty: any class.
      members: Attributes and methods that a custom class must have.
    """

    modules: tuple[str, ...]
    pattern: str
    supplied: tuple[str, ...] = ()
    collector: str = ""
    base: str = ""
    members: tuple[str, ...] = ()


_MODULE = "flax.linen.Module"

SLOTS: dict[str, Slot] = {
    "model": Slot(
        ("seq2seq_jax.models.seq2seq", "seq2seq_jax.captioning.models.image2seq"),
        r"\w+2Seq",
        base=_MODULE,
        members=("config_class", "problem"),
    ),
    "encoder": Slot(
        (
            "seq2seq_jax.models.encoders",
            "seq2seq_jax.models.conv_encoders",
            "seq2seq_jax.captioning.models.inception_encoder",
        ),
        r"\w+Encoder",
        ("remat",),
        base=_MODULE,
    ),
    "bridge": Slot(("seq2seq_jax.models.bridges",), r"\w+Bridge", base=_MODULE),
    "attention": Slot(
        ("seq2seq_jax.models.attention",), r"AttentionLayer(?!Base)\w+", base=_MODULE
    ),
    "decoder": Slot(
        ("seq2seq_jax.models.decoders",),
        r"\w+Decoder",
        ("vocab_size", "attention", "remat"),
        base=_MODULE,
        members=("zero_state", "initial_state", "step"),
    ),
    "cell": Slot(
        ("seq2seq_jax.models.cells",),
        r"\w+Cell",
        ("init_scale",),
        base=_MODULE,
        members=("initial_state", "output_size"),
    ),
    "optimizer": Slot(("seq2seq_jax.training.update_rules",), r"[A-Z]\w+", ("learning_rate",)),
    "pipeline": Slot(
        (
            "seq2seq_jax.data.readers.parallel_text",
            "seq2seq_jax.data.readers.tabular_text",
            "seq2seq_jax.data.readers.tfds_pipeline",
            "seq2seq_jax.data.readers.huggingface_pipeline",
            "seq2seq_jax.data.readers.tfrecord_pipeline",
            "seq2seq_jax.captioning.data.image_captions",
        ),
        r"\w+InputPipeline",
        collector="seq2seq_jax.data.readers.input_pipeline.pipeline_parameters",
        members=("__iter__",),
    ),
    "metric": Slot(("seq2seq_jax.evaluation.metrics",), r"\w+MetricSpec", members=("__call__",)),
    "hook": Slot(
        (
            "seq2seq_jax.training.hooks.print_model_analysis",
            "seq2seq_jax.training.hooks.metadata_capture",
            "seq2seq_jax.training.hooks.train_sample",
        ),
        r"\w+Hook",
        base="seq2seq_jax.training.hooks.hook.Hook",
    ),
    "task": Slot(
        (
            "seq2seq_jax.inference.tasks.decode_text",
            "seq2seq_jax.inference.tasks.dump_attention",
            "seq2seq_jax.inference.tasks.dump_beams",
        ),
        r"(Decode|Dump)\w+",
        ("key",),
        base="seq2seq_jax.inference.tasks.inference_task.InferenceTask",
    ),
}

GROUPS = {
    "corpora": "seq2seq_jax.config.corpora_config.CorporaConfig",
    "transfer": "seq2seq_jax.config.transfer_config.TransferConfig",
    "optimizer": "seq2seq_jax.training.optimizers.OptimizerConfig",
    "tracking": "seq2seq_jax.config.tracking_config.TrackingConfig",
    "target": "seq2seq_jax.data.corpus.TargetConfig",
    "inference": "seq2seq_jax.search.search_config.InferenceConfig",
}
"""Groups of keys that every model has, and the dataclasses that declare them."""
