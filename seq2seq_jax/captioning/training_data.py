"""Training and dev data of image problems: from the input pipeline to batches."""

import logging
from collections.abc import Mapping

import numpy as np
from jaxtyping import PyTree
from ml_collections import ConfigDict

from seq2seq_jax.captioning.data.caption_corpus import (
    CaptionCorpus,
    CheckedImages,
    check_images,
    make_caption_corpus,
)
from seq2seq_jax.captioning.data.decoded_images import DecodedImages
from seq2seq_jax.captioning.data.image_batches import (
    Images,
    ImageTrainBatches,
    caption_dev_batches,
    choose_target_widths,
    image_batches,
)
from seq2seq_jax.captioning.data.image_variants import ImageVariants
from seq2seq_jax.captioning.data.images import image_options
from seq2seq_jax.captioning.encoder_weights import encoder_variables
from seq2seq_jax.captioning.feature_extraction import extract_features
from seq2seq_jax.captioning.models.image_encoder import ImageEncoder
from seq2seq_jax.data.coverage import oov_warning
from seq2seq_jax.data.report import report_line
from seq2seq_jax.data.tokenizers import Tokenizers
from seq2seq_jax.data.vocabulary import build_vocabulary
from seq2seq_jax.data.vocabulary_check import check_vocabulary_file
from seq2seq_jax.devices.parallel import Devices
from seq2seq_jax.inference.loading import LoadedModel
from seq2seq_jax.models.build import Params, build_encoder
from seq2seq_jax.problems.initial_run import (
    initial_tokenizers,
    initial_vocabularies,
    open_initial_run,
)
from seq2seq_jax.problems.protocol import DevData, TrainingData
from seq2seq_jax.problems.setup import (
    check_batch_size,
    initial_vocab_bias,
    make_pipeline,
    read_vocabulary,
    require_tokens,
)
from seq2seq_jax.storage.workdir import EMPTY_VOCABULARY, Vocabularies, Workdir, word_tokenizers
from seq2seq_jax.utils.errors import UserError

_log = logging.getLogger(__name__)


def prepare_image_training(config: ConfigDict, workdir: Workdir, devices: Devices) -> TrainingData:
    """Implement `Problem.prepare_training` for images.

    Args:
      config: The configuration from `Problem.complete_config`.
      workdir: The workdir of the run.
      devices: The devices by which every batch must be divisible.

    Raises:
      UserError: A file cannot be used, or the batch size is not divisible by the devices.
    """
    for key in ("batch_tokens", "buckets"):
        if config[key]:
            raise UserError(
                key, f"is {config[key]}, but batch_size decides the batches of images; leave it out"
            )
    check_batch_size(config.batch_size, devices.count, config.gradient_accumulation_steps)
    checked = _check_images(config, "input_pipeline_train")
    initial = open_initial_run(config, workdir)
    tokenizers = initial_tokenizers(
        config, initial, lambda: Tokenizers(*word_tokenizers(config)[:2])
    )
    vocabularies = workdir.vocabularies() or initial_vocabularies(
        config, initial, lambda: _make_vocabularies(config, checked, tokenizers)
    )
    corpus = _corpus(config, checked, tokenizers, vocabularies)
    _warn_of_oov("training set", corpus, tokenizers, vocabularies)
    encoder = _build_image_encoder(config)
    # The captions were learned with these weights that are not trained.
    same_encoder = initial is not None and initial.config.encoder == config.encoder
    owner = initial.workdir if initial is not None and same_encoder else workdir
    variables = encoder_variables(config, encoder, owner)
    variants = config.images.variants
    images = _load_images(config, "input_pipeline_train", checked, encoder, variables, variants)

    def initial_params() -> Params:
        head = encoder.initialize_head(images, 1 + variants)
        return {
            "encoder": {"feature_head": head} if head else variables.get("params", {}),
            **initial_vocab_bias(config, lambda: corpus.id_counts(vocabularies.target)),
        }

    widths = choose_target_widths(corpus.targets.lengths, config.batch_size)
    pipeline = config.input_pipeline_train.params
    batches = ImageTrainBatches(
        corpus,
        images,
        widths,
        config.batch_size,
        seed=config.seed,
        shuffle=pipeline.shuffle,
        num_epochs=pipeline.num_epochs,
        variants=variants,
        shard=devices.shard,
    )
    report = [
        report_line(
            "Vocabulary", f"{vocabularies.target.size:,} target tokens (special tokens included)"
        ),
        _report(checked, corpus),
    ]
    dev = None
    if config.eval_every_n_steps:
        dev = _dev_data(config, tokenizers, vocabularies, variables, devices)
        report.append(dev.report)
    return TrainingData(
        tokenizers,
        vocabularies,
        batches,
        len(widths),
        dev,
        "\n".join(report),
        {name: {"encoder": tree} for name, tree in variables.items() if name != "params"},
        initial_params,
        initial,
    )


def load_image_dev_data(config: ConfigDict, loaded: LoadedModel, devices: Devices) -> DevData:
    """Read the images of `input_pipeline_dev` for a trained model.

    Args:
      config: A resolved configuration.
      loaded: The trained model.
      devices: The devices by which every batch must be divisible.

    Raises:
      UserError: A file cannot be used.
    """
    variables = {name: tree["encoder"] for name, tree in loaded.non_trainable.items()}
    return _dev_data(config, loaded.tokenizers, loaded.vocabularies, variables, devices)


def _dev_data(
    config: ConfigDict,
    tokenizers: Tokenizers,
    vocabularies: Vocabularies,
    variables: Mapping[str, PyTree],
    devices: Devices,
) -> DevData:
    checked = _check_images(config, "input_pipeline_dev")
    corpus = _corpus(config, checked, tokenizers, vocabularies)
    _warn_of_oov("dev set", corpus, tokenizers, vocabularies)
    images = _load_images(
        config, "input_pipeline_dev", checked, _build_image_encoder(config), variables
    )
    size = devices.round_up(max(config.batch_size, config.inference.batch_size))
    widths = choose_target_widths(corpus.targets.lengths, size)
    description = f"{len(checked.examples):,} images"
    return DevData(
        pairs=lambda: (
            (batch, np.where(captions < 0, -1, corpus.image_of[captions]))
            for batch, captions in caption_dev_batches(corpus, images, widths, size)
        ),
        sources=lambda: image_batches(images, size),
        names=[example.name for example in checked.examples],
        references=[example.captions for example in checked.examples],
        description=description,
        report=f"{report_line('Dev set', description)}\n{_report(checked, corpus)}",
    )


def _build_image_encoder(config: ConfigDict) -> ImageEncoder:
    encoder = build_encoder(config, remat=config.remat)
    if not isinstance(encoder, ImageEncoder):
        what = f"{config.encoder['class']} must be a subclass of ImageEncoder"
        raise UserError("encoder.class", what)
    return encoder


def _check_images(config: ConfigDict, key: str) -> CheckedImages:
    params = config[key].params
    pipeline = make_pipeline(config, key)
    return check_images(
        pipeline,
        **image_options(params),
        merge_same=key == "input_pipeline_dev" and getattr(pipeline, "images_repeat", False),
        key=f"{key}.params",
    )


def _make_vocabularies(
    config: ConfigDict, checked: CheckedImages, tokenizers: Tokenizers
) -> Vocabularies:
    vocabulary = read_vocabulary(config, "vocab_target")
    if vocabulary:
        check_vocabulary_file(vocabulary, config.vocab_target, [tokenizers.target])
    else:
        captions = (caption for example in checked.examples for caption in example.captions)
        limits = config.vocab_min_frequency, config.vocab_max_size
        built = build_vocabulary(map(tokenizers.target.split, captions), *limits)
        vocabulary = require_tokens(built, config)
    return Vocabularies(EMPTY_VOCABULARY, vocabulary.padded(config.vocab_size_multiple))


def _corpus(
    config: ConfigDict, checked: CheckedImages, tokenizers: Tokenizers, vocabularies: Vocabularies
) -> CaptionCorpus:
    return make_caption_corpus(
        checked, tokenizers.target.split, vocabularies.target, max_len=config.target.max_seq_len
    )


def _warn_of_oov(
    where: str, corpus: CaptionCorpus, tokenizers: Tokenizers, vocabularies: Vocabularies
) -> None:
    """Log a warning if most tokens of the captions are out of vocabulary."""
    captions = (caption for image in corpus.images for caption in image.captions)
    where = f"caption tokens of the {where}"
    if warning := oov_warning(
        where, corpus.oov_rate, captions, tokenizers.target, vocabularies.target
    ):
        _log.warning("%s", warning)


def _load_images(
    config: ConfigDict,
    key: str,
    checked: CheckedImages,
    encoder: ImageEncoder,
    variables: Mapping[str, PyTree],
    variants: int = 0,
) -> Images:
    """Return images as pixels or, if the encoder is not trained, as features."""
    params = config[key].params
    decoded = DecodedImages(
        checked.examples,
        encoder.resize_height,
        encoder.resize_width,
        **image_options(params),
    )
    images = ImageVariants(decoded, variants) if variants else decoded
    if encoder.trainable != "none" or not config.images.cache_features:
        return images
    return extract_features(
        encoder,
        variables,
        images,
        images_digest=checked.images_digest,
        dtype=config.images.features_dtype,
    )


def _report(checked: CheckedImages, corpus: CaptionCorpus) -> str:
    lengths = corpus.targets.lengths
    lines = [
        report_line("Images", f"{len(checked.examples):,} with {len(corpus):,} captions"),
        report_line(
            "Captions",
            f"{lengths.mean():.1f} tokens on average, at most {lengths.max()};"
            f" {100 * corpus.oov_rate:.2f} % of the tokens are out of the vocabulary",
        ),
    ]
    if corpus.truncated:
        what = f"{corpus.truncated:,} captions to target.max_seq_len"
        lines.append(report_line("Truncated", what))
    if checked.without_caption:
        lines.append(report_line("Left out", f"{checked.without_caption:,} images without caption"))
    return "\n".join(lines)
