"""Names emoji: learned from the drawings of one family of artists, tested on those of another.

    python -m experiments.emoji.fetch
    python main.py --config=experiments/emoji/config.py
    python main.py --mode=infer --workdir=runs/emoji cat.png --page=page.html

The training set has each of Google's 1,636 emoji and eight variants of it, made by shifting,
stretching, recolouring and blurring. Twitter's drawings of the same emoji are the dev set (one name
in ten) and the test set, `test.tsv` in the same directory.

The pretrained network (see README.md for its source) is frozen. Its features are computed once, at
a block in its middle, because the last blocks say little about images of 107 pixels. Also fixed are
a projection onto the directions that separate the emoji but not their variants, and one prototype
for each emoji. Only a decoder is trained: it starts from the similarities of the image to the
prototypes, and generates the name token by token.

On the test set, 60.7 % of the names are exactly right and BLEU is 71.8. The name of the most
similar of Google's drawings is right for 59.5 % by the best block of features, and for 25.2 % by
pixels. docs/results.md has all results.
"""

from ml_collections import ConfigDict

from experiments.emoji.nsfwjs import SCALING, weights_file
from seq2seq_jax.config import default_config
from seq2seq_jax.utils.cache_dir import cache_dir

EPOCHS = 60


def get_config() -> ConfigDict:
    config = default_config("Image2Seq")
    emoji = str(cache_dir("emoji"))
    for split, pipeline in (
        ("train", config.input_pipeline_train),
        ("dev", config.input_pipeline_dev),
    ):
        pipeline.params = {"captions": f"{emoji}/{split}.tsv", "image_dir": emoji}
    config.images.variants = 8
    config.images.features_dtype = "float16"
    config.target.max_seq_len = 15
    config.embedding.dim = 128
    # Large initial embeddings, which separate the tokens from the first step.
    config.embedding.init_scale = 1.0

    config.encoder["class"] = "experiments.emoji.prototype_encoder.PrototypeEncoder"
    config.encoder.params = {
        "weights": str(weights_file(cache_dir("weights"))),
        "scaling": SCALING,
        "resize_height": 107,
        "resize_width": 107,
        "block": "mixed3",  # 5 x 5 positions
        "trainable": "none",
        "head": {
            "num_units": 128,
            "normalize": True,
            "dropout_keep_prob": 0.5,
            # Positions differ between artists, so the decoder should rely on the prototypes.
            "attention_keep_prob": 0.2,
            "final_state": "grid",  # the features keep their positions
            "final_units": 512,
            "num_prototypes": 1636,  # one for each emoji
            "sharpness": 60.0,
        },
    }
    config.bridge["class"] = "InitialStateBridge"
    config.bridge.params = {"activation_fn": "tanh"}
    config.attention["class"] = "AttentionLayerBahdanau"
    config.attention.params = {"num_units": 128}
    config.decoder["class"] = "AttentionDecoder"
    config.decoder.params = {
        "rnn_cell": {
            "cell_class": "BasicLSTMCell",
            "cell_params": {"num_units": 512},
        },
    }

    config.batch_size = 64
    config.train_steps = EPOCHS * 1636 // config.batch_size
    config.optimizer.name = "Adam"
    config.optimizer.learning_rate = 1e-3
    config.optimizer.lr_decay_type = "cosine_decay"
    config.optimizer.lr_decay_steps = config.train_steps
    config.optimizer.clip_embed_gradients = 0.0
    config.optimizer.encoder_lr_multiplier = 0.0
    config.label_smoothing = 0.1
    config.ema_decay = 0.99

    config.inference.max_decode_length = 15
    config.inference.batch_size = 64
    config.metrics = [
        "LogPerplexityMetricSpec",
        "AccuracyMetricSpec",
        *({"class": "BleuMetricSpec", "params": {"max_ngram_order": n}} for n in (1, 2, 3, 4)),
        "ChrfMetricSpec",
    ]
    config.best_metric = "sequence_accuracy"
    config.eval_every_n_steps = config.train_steps // 4
    return config
