"""An image model behind a service: the bytes of images in, values of JSON out."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from seq2seq_jax.captioning.data.captioned_image import CaptionedImage
from seq2seq_jax.captioning.data.images import MAX_PIXELS, check_image
from seq2seq_jax.captioning.predictor import ImagePredictor
from seq2seq_jax.inference.json_lines import prediction_values
from seq2seq_jax.inference.loading import LoadedModel
from seq2seq_jax.inference.served_model import (
    PredictOptions,
    SearchCache,
    TextInput,
    describe_model,
)
from seq2seq_jax.utils.errors import UserError


class ServedImages:
    """An image model; an instance of `ServedModel`."""

    input = "image"

    def __init__(self, loaded: LoadedModel, predictor: ImagePredictor) -> None:
        """Initialize a model.

        Args:
          loaded: The model.
          predictor: Its predictor.
        """
        self._about = describe_model([loaded], predictor.config)
        self._predictor, self._has_attention = predictor, loaded.has_attention
        self.batch_size: int = predictor.config.inference.batch_size
        params = predictor.config.input_pipeline_dev.params
        self._max_pixels: int = params.get("max_pixels", MAX_PIXELS)
        self._predictors = SearchCache(predictor)

    def describe(self) -> dict[str, Any]:
        """Return the model, its search and its limits."""
        return {
            **self._about,
            "input": self.input,
            "has_attention": self._has_attention,
            "has_beam": False,
            "vocabulary_sizes": {"target": self._predictor.vocabulary.size},
            "max_pixels": self._max_pixels,
            "batch_size": self.batch_size,
        }

    def warm_up(self, max_beam_width: int) -> Iterator[None]:
        """Compile the configured search for one image and for a batch.

        Args:
          max_beam_width: The page asks for no wider beam.
        """
        for count in sorted({1, self.batch_size}):
            self._predictor.predict([_blank()] * count)
            yield
        if self._has_attention:
            self._predictor.predict([_blank()], attention=True)
            yield

    def check(self, inputs: Sequence[bytes], options: PredictOptions) -> None:
        """Refuse what is no image or too large, and options that contradict each other.

        Args:
          inputs: The bytes of images.
          options: What the request asks for.

        Raises:
          UserError: As above.
        """
        if options.attention and not self._has_attention:
            raise UserError("attention", "this model has none; use false")
        if options.beam:
            raise UserError("beam", "image models do not return their beams; use false")
        self._predictors.get(options.search)
        for index, image in enumerate(inputs):
            check_image(image, f"images[{index}]", max_pixels=self._max_pixels)

    def predict(self, inputs: Sequence[bytes], options: PredictOptions) -> list[dict[str, Any]]:
        """Describe images.

        Args:
          inputs: The bytes of the images.
          options: What the requests ask for.

        Returns:
          The objects of `infer --json` without `source`, and with `source_tokens`, which is empty,
          and `attention_shape`, the height and width of the positions that attention refers to.

        Raises:
          UserError: An image is broken.
        """
        predictor = self._predictors.get(options.search)
        images = [_image(data) for data in inputs]
        try:
            predictions = predictor.predict(images, attention=options.attention)
        except UserError as error:
            index = [image.name for image in images].index(error.where)
            raise UserError(f"images[{index}]", error.what) from error
        answers = []
        for index, one in enumerate(predictions):
            if not one.n_best:  # The configuration skips broken images.
                raise UserError(f"images[{index}]", "the image is broken")
            values = prediction_values(one, attention=options.attention)
            values.pop("source")
            values["source_tokens"] = []
            if options.attention and one.attention is not None:
                values["attention_shape"] = predictor.attention_map(one.attention).shape[1:]
            answers.append(values)
        return answers

    def score(
        self, pairs: Sequence[tuple[TextInput, str]], attention: bool
    ) -> list[dict[str, Any]]:
        """Refuse: the sources are images.

        Args:
          pairs: Source and target.
          attention: Return attention weights.

        Raises:
          UserError: Always.
        """
        raise UserError("model", "reads images, which cannot be scored; use a text model")


def _image(data: bytes) -> CaptionedImage:
    # Samples depend on the name: on the content of the image, that is, and not on its place.
    return CaptionedImage(hashlib.sha256(data).hexdigest(), lambda: data, [])


def _blank() -> CaptionedImage:
    from io import BytesIO

    from PIL import Image

    buffer = BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    return _image(buffer.getvalue())
