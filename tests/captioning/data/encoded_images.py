"""Small encoded images for tests."""

import io

from PIL import Image

from seq2seq_jax.captioning.data.captioned_image import CaptionedImage


def png(colour, width: int = 4, height: int = 3) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, "PNG")
    return file.getvalue()


def grey(level: int, *captions: str) -> CaptionedImage:
    """An image of one grey, which tells it from the others."""
    data = png((level, level, level))
    return CaptionedImage(f"{level}.png", lambda: data, list(captions))


def truncated(level: int, *captions: str) -> CaptionedImage:
    """Its head is whole, its pixels are not."""
    data = png((level, level, level), 64, 64)[:-40]
    return CaptionedImage(f"{level}.png", lambda: data, list(captions))
