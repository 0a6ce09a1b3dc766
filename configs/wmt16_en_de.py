"""English to German on WMT16, with subwords: the recipe of nmt_large on its data.

Prepare the data once: 4.5 million pairs, a download of 1.7 GB, and the only step that needs
TensorFlow.

    pip install '.[tfds,tf]'
    python -c "import tensorflow_datasets as tfds; \\
      tfds.builder('wmt16_translate/de-en', file_format='array_record').download_and_prepare()"

Then train, without TensorFlow, and translate:

    python main.py --config=configs/wmt16_en_de.py
    python main.py --mode=infer --workdir=runs/wmt16_en_de < sentences.en

The model and its training are those of nmt_large (google/seq2seq); the 32,000 BPE merges are those
of arXiv:1703.03906. The dev set is newstest2015, the split `validation` of TensorFlow Datasets;
newstest2016 is its `test`. The text is not tokenized: words are separated by spaces.
"""

from pathlib import Path

from ml_collections import ConfigDict

from seq2seq_jax.config import load_config


def get_config() -> ConfigDict:
    config = load_config(Path(__file__).with_name("nmt.py:large"))
    for pipeline, split in (
        (config.input_pipeline_train, "train"),
        (config.input_pipeline_dev, "validation"),
    ):
        pipeline["class"] = "TFDSInputPipeline"
        pipeline.params = {
            "name": "wmt16_translate/de-en",
            "split": split,
            "source_feature": "en",
            "target_feature": "de",
        }
    config.subwords.kind = "bpe"
    config.subwords.size = 32_000
    config.subwords.joint = True
    return config
