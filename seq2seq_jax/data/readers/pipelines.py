"""Input pipelines: where pairs of texts come from, by the names that the configuration gives them.

A pipeline is a class. Its keywords are its part of `input_pipeline_*.params`; iterating over it
yields pairs of a source and a target text, afresh each time. One of your own may be as short as

    class Squares:
        def __init__(self, up_to: int = 100):
            self.up_to = up_to

        def __iter__(self):
            return ((str(i), str(i * i)) for i in range(self.up_to))

Ours are also told the dotted `key` of their params, for error messages, and say with
`content_digest()` which data they read, so that what was prepared from them is found again.
"""

from seq2seq_jax.captioning.data.image_captions import ImageCaptioningInputPipeline
from seq2seq_jax.data.readers.parallel_text import ParallelTextInputPipeline
from seq2seq_jax.data.readers.tabular_text import TSVInputPipeline
from seq2seq_jax.data.readers.tfds_pipeline import TFDSInputPipeline
from seq2seq_jax.data.readers.tfrecord_pipeline import TFRecordInputPipeline

__all__ = [
    "ImageCaptioningInputPipeline",
    "ParallelTextInputPipeline",
    "TFDSInputPipeline",
    "TFRecordInputPipeline",
    "TSVInputPipeline",
]
