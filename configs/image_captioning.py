"""Captions photographs: attention over the features of an InceptionV3 that was trained on ImageNet.

    weights=$(seq2seq-jax fetch-weights keras)
    python main.py --config=configs/image_captioning.py \\
      --config.encoder.params.weights=$weights \\
      --config.input_pipeline_train.params.captions=annotations/captions_train2014.json \\
      --config.input_pipeline_train.params.image_dir=train2014 \\
      --config.input_pipeline_dev.params.captions=annotations/captions_val2014.json \\
      --config.input_pipeline_dev.params.image_dir=val2014

The recipe has no data: give it a directory of images and a file of captions, TFRecord files
(`files`), or a dataset of TensorFlow Datasets (`name=coco_captions`); see docs/captioning.md.

The network is frozen, so its features are computed once: 64 positions of 2,048 numbers per image,
262 kB in float16. Without weights, the network is initialized at random;
`encoder.params.trainable=all` then trains it as well, which needs many more images.
"""

from ml_collections import ConfigDict

from seq2seq_jax.config import default_config


def get_config() -> ConfigDict:
    config = default_config("Image2Seq")
    config.input_pipeline_train.params.on_error = "skip"
    config.input_pipeline_dev.params.on_error = "skip"
    config.images.features_dtype = "float16"
    config.target.max_seq_len = 25
    config.vocab_min_frequency = 4
    config.embedding.dim = 256

    config.encoder["class"] = "InceptionV3Encoder"
    config.encoder.params = {
        "resize_height": 299,
        "resize_width": 299,
        "block": "mixed10",
        "trainable": "none",
        "head": {"num_units": 512, "dropout_keep_prob": 0.8},
    }
    config.bridge["class"] = "InitialStateBridge"
    config.bridge.params = {"activation_fn": "tanh"}
    config.attention["class"] = "AttentionLayerBahdanau"
    config.attention.params = {"num_units": 512}
    config.decoder["class"] = "AttentionDecoder"
    config.decoder.params = {
        "rnn_cell": {
            "cell_class": "BasicLSTMCell",
            "cell_params": {"num_units": 512},
            "dropout_input_keep_prob": 0.8,
        },
    }

    config.optimizer.name = "Adam"
    config.optimizer.learning_rate = 1e-3
    config.optimizer.lr_decay_type = "cosine_decay"
    config.optimizer.lr_decay_steps = 100_000
    config.optimizer.lr_min_learning_rate = 1e-5
    config.optimizer.clip_embed_gradients = 0.0

    config.inference.max_decode_length = 25
    config.inference.beam_search.beam_width = 3
    config.metrics = [
        "LogPerplexityMetricSpec",
        *({"class": "BleuMetricSpec", "params": {"max_ngram_order": n}} for n in (1, 2, 3)),
        "BleuMetricSpec",
        "ChrfMetricSpec",
    ]
    config.batch_size = 64
    config.train_steps = 100_000
    config.eval_every_n_steps = 5_000
    return config
