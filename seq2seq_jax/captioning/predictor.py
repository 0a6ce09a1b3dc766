"""A loaded image model: images in, captions out."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
from ml_collections import ConfigDict

from seq2seq_jax.captioning.data.captioned_image import CaptionedImage
from seq2seq_jax.captioning.data.decoded_images import DecodedImages
from seq2seq_jax.captioning.data.image_batches import image_batches
from seq2seq_jax.captioning.data.images import image_options
from seq2seq_jax.captioning.models.image2seq import make_precompute
from seq2seq_jax.config import Trust, resolve, trusted_names
from seq2seq_jax.devices.parallel import Devices
from seq2seq_jax.inference.allowed_outputs import load_allowed_outputs
from seq2seq_jax.inference.loading import LoadedModel, load_model
from seq2seq_jax.inference.predictions import Prediction, merge_equal_texts, to_hypotheses
from seq2seq_jax.inference.search_overrides import override_search
from seq2seq_jax.search.decode_loop import per_example_seeds
from seq2seq_jax.search.decoding import make_decode
from seq2seq_jax.search.search_config import make_inference_config, make_search_config
from seq2seq_jax.storage.workdir import Workdir
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.logging import slow_work


class ImagePredictor:
    """A trained image model.

        predictor = ImagePredictor.from_workdir("runs/image_captioning", beam_width=5)
        predictor.predict([captioned_file("cat.png")])[0].text

    The caption of an image does not depend on the other images.
    """

    def __init__(self, loaded: LoadedModel, config: ConfigDict) -> None:
        """Create a predictor; it compiles when it is first used.

        Args:
          loaded: The model.
          config: The resolved configuration of the model. It says how to search, and what to do
            about images that cannot be used (`input_pipeline_dev.params.on_error`).

        Raises:
          UserError: It asks for an ensemble, or for a function that cannot be imported.
        """
        if config.inference.ensemble:
            raise UserError("inference.ensemble", "image models have no ensembles; leave it empty")
        for name in ("prefix_file", "allowed_tokens_file"):
            if config.inference[name]:
                what = "is for text models, not for image models; leave it empty"
                raise UserError(f"inference.{name}", what)
        self.config, self.vocabulary = config, loaded.vocabularies.target
        self.tokenizer = loaded.tokenizers.target
        encoder = loaded.model.encoder
        self.image_size = encoder.resize_height, encoder.resize_width
        self._devices = Devices(config.parallel)
        self._params = self._devices.replicate(loaded.params)
        self._non_trainable = self._devices.replicate(dict(loaded.non_trainable))
        self._model, self._precompute = loaded.model, make_precompute(loaded.model)
        self._set_search(config)

    @classmethod
    def from_workdir(
        cls,
        workdir: str,
        overrides: Sequence[tuple[str, str]] = (),
        trust_custom_code: Trust = False,
        **options: object,
    ) -> "ImagePredictor":
        """Load the model of a workdir.

        Args:
          workdir: The directory of the run.
          overrides: Pairs of a dotted key and a text, as on the command line.
          trust_custom_code: Whether the workdir may name classes from outside of this package,
            whose code then runs; or the names of those that it may name.
          **options: Keys of `inference` by their last names, as in `Predictor.from_workdir`.

        Raises:
          UserError: Nothing was trained there, or an override or an option is wrong.
        """
        opened = Workdir(workdir, trust_custom_code or trusted_names(overrides))
        config = resolve(override_search(resolve(opened.config()), options), overrides)
        with slow_work(f"Loading the model of {workdir}"):
            return cls(load_model(opened, config), config)

    def with_search_options(self, **options: object) -> "ImagePredictor":
        """Return a predictor that shares the parameters in memory but searches differently.

        Args:
          **options: As for `from_workdir`; those that select parameters have no effect.

        Raises:
          UserError: An option is wrong.
        """
        other = object.__new__(ImagePredictor)
        other.__dict__.update(self.__dict__)
        other._set_search(resolve(override_search(self.config, options)))
        return other

    def predict(
        self, images: Iterable[CaptionedImage], *, attention: bool = False
    ) -> list[Prediction]:
        """Describe images.

        Args:
          images: The images; their captions are not used.
          attention: Whether hypotheses have attention weights, [T, S], over the spatial positions
            row by row.

        Returns:
          A prediction for each image, in the same order. That of an image that cannot be used and
          is skipped is empty.

        Raises:
          UserError: An image cannot be used, and is not to be skipped.
        """
        images = list(images)
        batch_size = 1 if len(images) == 1 else self.config.inference.batch_size
        batch_size = self._devices.round_up(batch_size)
        predictions = [Prediction(image.name, [], []) for image in images]
        names = [image.name for image in images]
        seeds = per_example_seeds(self.config.inference.sampling.seed, names)
        for batch, indices in image_batches(self.decode(images), batch_size):
            batch = self._devices.shard_global_batch(batch)
            with slow_work(f"Computing the captions of {np.count_nonzero(indices >= 0)} images"):
                featured = self._precompute(self._params, self._non_trainable, batch)
                drawn = {"seeds": seeds[indices]} if self._samples else {}
                result = self._devices.to_host(
                    self._decode[attention](
                        self._params,
                        *self._model.encoder_inputs(featured),
                        **drawn,
                        trie=self._trie,
                    )
                )
            positions = featured["image_features"].shape[1]
            for row, index in enumerate(indices):
                if index >= 0:
                    n_best = to_hypotheses(result, row, self.vocabulary, self.tokenizer, positions)
                    n_best = n_best if self._samples else merge_equal_texts(n_best)
                    predictions[index] = Prediction(images[index].name, [], n_best)
        return predictions

    def decode(self, images: Sequence[CaptionedImage]) -> DecodedImages:
        """Return the images as the model reads them: resized pixels.

        Args:
          images: The images.
        """
        params = self.config.input_pipeline_dev.params
        return DecodedImages(
            images,
            *self.image_size,
            **image_options(params),
        )

    def attention_map(self, weights: np.ndarray) -> np.ndarray:
        """Arrange the attention weights of a hypothesis as the image: [T, S] -> [T, h, w].

        Args:
          weights: The attention weights over the spatial positions.
        """
        return weights.reshape(len(weights), *self._map_size(weights.shape[1]))

    def _set_search(self, config: ConfigDict) -> None:
        self.config = config
        inference = make_inference_config(config.inference)
        search = make_search_config(inference)
        trie = load_allowed_outputs(inference, self.tokenizer, self.vocabulary)
        self._trie = self._devices.replicate(trie)
        self._samples = inference.sampling.enable
        self._decode = {
            attention: make_decode(
                self._model,
                self.vocabulary,
                dataclasses.replace(search, return_attention=attention),
                kernels=config.kernels,
            )
            for attention in (False, True)
        }

    def _map_size(self, positions: int) -> tuple[int, int]:
        """Return the h and w with h w = positions whose proportions are closest to the image's."""
        height, width = self.image_size
        divisors = [h for h in range(1, positions + 1) if positions % h == 0]
        best = min(divisors, key=lambda h: abs(np.log(h * h / positions) - np.log(height / width)))
        return best, positions // best
