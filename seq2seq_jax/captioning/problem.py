"""The problem of describing images."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from seq2seq_jax.utils.errors import UserError

if TYPE_CHECKING:
    from flax import linen as nn
    from ml_collections import ConfigDict

    from seq2seq_jax.config.overrides import Overrides
    from seq2seq_jax.devices.parallel import Devices
    from seq2seq_jax.inference.loading import LoadedModel
    from seq2seq_jax.inference.served_model import ServedModel
    from seq2seq_jax.problems.protocol import DevData, Precompute, TrainingData
    from seq2seq_jax.storage.workdir import Workdir


class ImageProblem:
    """Sources are images and targets are captions; an instance of `problems.protocol.Problem`."""

    title = "image models"

    def complete_config(self, config: ConfigDict, workdir: Workdir) -> ConfigDict:
        """Fill in the encoder's settings that its file of pretrained weights decides."""
        from seq2seq_jax.captioning.encoder_weights import with_pretrained_settings

        return with_pretrained_settings(config, workdir)

    def prepare_training(
        self, config: ConfigDict, workdir: Workdir, devices: Devices
    ) -> TrainingData:
        """Check the images, build the vocabulary, load weights, and compute frozen features."""
        from seq2seq_jax.captioning.training_data import prepare_image_training

        return prepare_image_training(config, workdir, devices)

    def prepare_dev(
        self, config: ConfigDict, models: Sequence[LoadedModel], devices: Devices
    ) -> DevData:
        """Read the dev set, and compute features with the non-trainable variables of the model."""
        from seq2seq_jax.captioning.training_data import load_image_dev_data

        if len(models) > 1:
            raise UserError("inference.ensemble", "image models have no ensembles; leave it empty")
        return load_image_dev_data(config, models[0], devices)

    def make_precompute(self, model: nn.Module) -> Precompute:
        """Return a function that replaces the images of a batch by their features."""
        from seq2seq_jax.captioning.models.image2seq import make_precompute

        return make_precompute(model)

    def require_texts(self, config: ConfigDict, where: str) -> None:
        """Refuse every model."""
        raise UserError(
            where,
            f"this command reads texts, but the sources of {config.model} are images;"
            " use infer --page, or prepare",
        )

    def add_infer_arguments(self, parser: argparse._ActionsContainer) -> list[argparse.Action]:
        """Add what to write about the images."""
        return [
            parser.add_argument(
                "--page",
                metavar="FILE",
                help="Write a page of the images, their captions, and the attention of each token.",
            ),
            parser.add_argument(
                "--plots",
                metavar="DIR",
                help="Write the same as one PNG for each image into this directory.",
            ),
            parser.add_argument(
                "--references",
                metavar="FILE",
                help="Reference captions to show on the page and in the plots. File names in it are"
                " relative to its directory.",
            ),
        ]

    def infer(self, arguments: argparse.Namespace, overrides: Overrides, workdir: Workdir) -> None:
        """Write a caption for each image."""
        from seq2seq_jax.captioning.infer import describe_images

        describe_images(arguments, overrides, workdir)

    def served_model(self, overrides: Overrides, workdir: Workdir) -> ServedModel:
        """Load an image model."""
        from seq2seq_jax.captioning.predictor import ImagePredictor
        from seq2seq_jax.captioning.served_images import ServedImages
        from seq2seq_jax.config import resolve
        from seq2seq_jax.inference.loading import load_model

        config = resolve(workdir.config(), overrides)
        loaded = load_model(workdir, config)
        return ServedImages(loaded, ImagePredictor(loaded, config))
