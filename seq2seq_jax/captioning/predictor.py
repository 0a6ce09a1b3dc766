"""A loaded model of pictures: pictures in, captions out."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from ml_collections import ConfigDict

from seq2seq_jax.captioning.data.captioned_image import CaptionedImage
from seq2seq_jax.captioning.data.decoded_images import DecodedImages
from seq2seq_jax.captioning.data.image_batches import image_batches
from seq2seq_jax.captioning.data.images import MAX_PIXELS
from seq2seq_jax.captioning.models.image2seq import image_size, make_precompute
from seq2seq_jax.config import resolve
from seq2seq_jax.devices.parallel import Devices
from seq2seq_jax.inference.loading import LoadedModel, load_model
from seq2seq_jax.inference.predictions import Prediction, to_hypotheses
from seq2seq_jax.inference.search_overrides import override_search
from seq2seq_jax.search.decode_loop import per_example_seeds
from seq2seq_jax.search.decoding import make_decode
from seq2seq_jax.search.search_config import make_inference_config, make_search_config
from seq2seq_jax.storage.workdir import Workdir
from seq2seq_jax.utils.errors import UserError

__all__ = ["PicturePredictor"]


class PicturePredictor:
    """A model of pictures.

        predictor = PicturePredictor.from_workdir("runs/emoji_captioning", beam_width=5)
        predictor.predict([picture_file("cat.png")])[0].text

    What it says of a picture depends on that picture alone.
    """

    def __init__(self, loaded: LoadedModel, config: ConfigDict):
        """
        Args:
          config: resolved, of the model: how to search, and what to do about pictures that cannot
            be used (`input_pipeline_dev.params.on_error`).

        Raises:
          UserError: it asks for an ensemble, or for a function that cannot be imported.
        """
        if config.inference.ensemble:
            raise UserError("inference.ensemble", "models of pictures decide alone; leave it empty")
        self.config, self.vocabulary = config, loaded.vocabularies.target
        self.tokenizer = loaded.tokenizers.target
        self.image_size = image_size(loaded.model.encoder)
        self._devices = Devices(config.parallel)
        self._params = self._devices.replicate(loaded.params)
        self._collections = self._devices.replicate(dict(loaded.non_trainable))
        self._model, self._precompute = loaded.model, make_precompute(loaded.model)
        inference = make_inference_config(config.inference)
        search = make_search_config(inference)
        self._samples = inference.sampling.enable
        self._decode = {
            attention: make_decode(
                loaded.model,
                self.vocabulary,
                dataclasses.replace(search, return_attention=attention),
                kernels=config.kernels,
            )
            for attention in (False, True)
        }

    @classmethod
    def from_workdir(
        cls, workdir: str, overrides: Sequence[tuple[str, str]] = (), **options: object
    ) -> "PicturePredictor":
        """As `Predictor.from_workdir`."""
        opened = Workdir(workdir)
        config = resolve(override_search(resolve(opened.config()), options), overrides)
        return cls(load_model(opened, config), config)

    def predict(
        self, pictures: Sequence[CaptionedImage], *, attention: bool = False
    ) -> list[Prediction]:
        """Says something of each picture, in the order given; of one that cannot be used and is
        passed over, nothing.

        Args:
          pictures: their captions are not looked at.
          attention: whether hypotheses have it: [T, S], the picture's places row by row.

        Raises:
          UserError: a picture cannot be used, and is not to be passed over.
        """
        images = self.decoded(pictures)
        batch_size = 1 if len(pictures) == 1 else self.config.inference.batch_size
        batch_size = self._devices.round_up(batch_size)
        predictions = [Prediction(picture.name, [], []) for picture in pictures]
        seeds = per_example_seeds(
            self.config.inference.sampling.seed, [picture.name for picture in pictures]
        )
        for batch, indices in image_batches(images, batch_size):
            batch = self._devices.shard_global_batch(batch)
            featured = self._precompute(self._params, self._collections, batch)
            drawn = {"seeds": seeds[indices]} if self._samples else {}
            result = self._devices.to_host(
                self._decode[attention](
                    self._params, *self._model.encoder_inputs(featured), **drawn
                )
            )
            positions = featured["image_features"].shape[1]
            for row, index in enumerate(indices):
                if index >= 0:
                    n_best = to_hypotheses(result, row, self.vocabulary, self.tokenizer, positions)
                    predictions[index] = Prediction(pictures[index].name, [], n_best)
        return predictions

    def decoded(self, pictures: Sequence[CaptionedImage]) -> DecodedImages:
        """The pictures as the model sees them."""
        params = self.config.input_pipeline_dev.params
        return DecodedImages(
            pictures,
            *self.image_size,
            on_error=params.get("on_error", "fail"),
            max_pixels=params.get("max_pixels", MAX_PIXELS),
        )

    def attention_map(self, weights: np.ndarray) -> np.ndarray:
        """Attention [T, S] of a hypothesis -> [T, h, w], its places as they lie in the picture."""
        return weights.reshape(len(weights), *self._map_size(weights.shape[1]))

    def _map_size(self, cells: int) -> tuple[int, int]:
        """h and w of a map of so many cells: of those that fit, the one most like the picture."""
        height, width = self.image_size
        fitting = [h for h in range(1, cells + 1) if cells % h == 0]
        best = min(fitting, key=lambda h: abs(np.log(h * h / cells) - np.log(height / width)))
        return best, cells // best
