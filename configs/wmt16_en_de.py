"""English to German on WMT16, with subwords: the recipe of nmt_large on its data.

Prepare the data once; 4.5 million pairs, a download of 1.7 GB, and the one step that needs
TensorFlow:

    pip install 'seq2seq-jax[tfds,tf]'
    python -c "import tensorflow_datasets as tfds; \\
      tfds.builder('wmt16_translate/de-en', file_format='array_record').download_and_prepare()"

then train, without TensorFlow, and translate:

    python main.py --config=configs/wmt16_en_de.py
    python main.py --mode=infer --workdir=runs/wmt16_en_de < sentences.en

The model and its training are what google/seq2seq published as nmt_large, the 32,000 merges of BPE
what arXiv:1703.03906 used. The dev set is newstest2015, `validation` of tensorflow-datasets, and
newstest2016 is its `test`. The text is as published, not tokenised: words are what stands between
blanks.
"""

from ml_collections import ConfigDict

from seq2seq_jax.config import default_config


def get_config() -> ConfigDict:
    config = default_config("AttentionSeq2Seq")
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

    config.source.max_seq_len = 50
    config.source.reverse = False
    config.target.max_seq_len = 50
    config.embedding.dim = 512

    config.encoder["class"] = "BidirectionalRNNEncoder"
    config.encoder.params = {
        "rnn_cell": {
            "cell_class": "LSTMCell",
            "cell_params": {"num_units": 512},
            "dropout_input_keep_prob": 0.8,
            "dropout_output_keep_prob": 1.0,
            "num_layers": 2,
        },
    }
    config.bridge["class"] = "ZeroBridge"
    config.attention["class"] = "AttentionLayerBahdanau"
    config.attention.params = {"num_units": 512}
    config.decoder["class"] = "AttentionDecoder"
    config.decoder.params = {
        "rnn_cell": {
            "cell_class": "LSTMCell",
            "cell_params": {"num_units": 512},
            "dropout_input_keep_prob": 0.8,
            "dropout_output_keep_prob": 1.0,
            "num_layers": 4,
        },
    }

    config.optimizer.name = "Adam"
    config.optimizer.params = {"epsilon": 8e-7}
    config.optimizer.learning_rate = 1e-4

    config.metrics = ["LogPerplexityMetricSpec", "BleuMetricSpec"]
    config.batch_size = 32
    config.train_steps = 1_000_000
    return config
