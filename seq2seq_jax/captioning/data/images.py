"""Images: from the bytes of a file to pixels of one size.

JPEG, PNG, WebP, GIF (its first frame), BMP and TIFF are recognized by their content, never by their
name, and become red, green and blue of 8 bits each:

  transparency   on white: most drawings and product images with transparent parts are made for
                 white pages, and black outlines stay visible
  16 bits        grey: value / 257, rounded, so that 65,535 becomes 255; colour: the upper 8 bits
  CMYK, palette  Pillow's conversion; colour profiles are not applied
  EXIF           images are rotated as EXIF says; damaged EXIF data are ignored

Image decoders are a target of malicious files: only these formats are opened, the size is checked
before pixels are decompressed, and every failure of a decoder is one UserError that names the file.
"""

import io
import os
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from seq2seq_jax.data.readers.text_lines import check_readable
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.installation import install_command

MAX_PIXELS = 50_000_000
"""The default limit; this number of pixels takes 150 MB."""


def image_options(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a pipeline that say which images can be used.

    Args:
      params: All parameters of the pipeline; a pipeline of a user's own may lack these.

    Returns:
      Those of `on_error` and `max_pixels` that there are, as keywords.
    """
    return {name: params[name] for name in ("on_error", "max_pixels") if name in params}


def load_image(
    data: bytes, where: str, height: int, width: int, *, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """Decode and resize an image.

    Args:
      data: The bytes of the whole file.
      where: The name of the image, for errors.
      height: The height of the result in pixels.
      width: The width of the result in pixels.
      max_pixels: Larger images are refused.

    Returns:
      [height, width, 3] uint8.

    Raises:
      UserError: As in `decode_image`.
    """
    return resize_image(decode_image(data, where, max_pixels=max_pixels), height, width)


def decode_image(data: bytes, where: str, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode an image.

    Args:
      data: The bytes of the whole file.
      where: The name of the image, for errors: a file, or `FILE record N`.
      max_pixels: Larger images are refused before they are decompressed.

    Returns:
      [H, W, 3] uint8: red, green, blue.

    Raises:
      UserError: It is no image, broken, truncated or too large.
    """
    image = _open(data, where, max_pixels)
    try:
        image.load()
        return _to_rgb(_rotate_upright(image))
    except Exception as error:  # Decoders raise exceptions of every kind for damaged files.
        raise UserError(where, f"the image is broken ({_one_line(error)})") from error


def check_image(data: bytes, where: str, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Read the size of an image from its header. Damage after the header is not found.

    Args:
      data: The bytes of the whole file.
      where: The name of the image, for errors.
      max_pixels: Larger images are refused.

    Returns:
      Height and width in pixels.

    Raises:
      UserError: As in `decode_image`.
    """
    image = _open(data, where, max_pixels)
    return image.height, image.width


def resize_image(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize an image bilinearly, regardless of its proportions; with antialiasing if it shrinks.

    Antialiasing widens the triangle filter until it covers all pixels that become one, as in
    `jax.image.resize`. Without it, an image of 4,000 pixels that shrinks to 299 would keep one in
    thirteen.

    Args:
      image: [H, W, 3] uint8.
      height: The height of the result in pixels.
      width: The width of the result in pixels.

    Returns:
      [height, width, 3] uint8.

    Example:
      >>> resize_image(np.zeros((40, 60, 3), np.uint8), 20, 20).shape
      (20, 20, 3)
    """
    if image.shape[:2] == (height, width):
        return image
    pillow = _pillow()
    return np.asarray(pillow.fromarray(image).resize((width, height), pillow.Resampling.BILINEAR))


def read_image_file(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> bytes:
    """Return the bytes of an image file.

    Args:
      path: The file.
      max_pixels: The largest image that is accepted.

    Raises:
      UserError: It cannot be read, or is larger than any image with that number of pixels.
    """
    name = os.fspath(path)
    try:
        with open(name, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > 8 * max_pixels + _HEAD_BYTES:  # Four channels of 16 bits without compression.
                raise UserError(
                    name, f"{size:,} bytes: more than an image of {max_pixels:,} pixels can have"
                )
            return file.read()
    except OSError as error:
        raise UserError(name, f"cannot be read ({error.strerror or error})") from error


def image_files(path: str | os.PathLike[str]) -> list[str]:
    """List the image files of a directory and its subdirectories.

    Args:
      path: A directory, in which the suffixes of names decide; or an image file with any suffix.

    Returns:
      The sorted paths, or the one file.

    Raises:
      UserError: There is no such file or directory, or no image in it.
    """
    name = os.fspath(path)
    if not os.path.isdir(name):
        check_readable(name)
        return [name]
    files = sorted(
        os.path.join(directory, file)
        for directory, _, files in os.walk(name)
        for file in files
        if file.lower().endswith(_SUFFIXES)
    )
    if not files:
        raise UserError(
            name, f"no image in this directory; the suffixes of images are {', '.join(_SUFFIXES)}"
        )
    return files


_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_HEAD_BYTES = 1 << 24
_lock = threading.Lock()


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise UserError(
            "images", f"Pillow is not installed; use {install_command('images')}"
        ) from error
    return Image


def _open(data: bytes, where: str, max_pixels: int) -> Any:
    """Read the header of an image."""
    pillow = _pillow()
    # Pillow has one limit for the whole process; replace it with ours for this call.
    with _lock:
        pillow_limit, pillow.MAX_IMAGE_PIXELS = pillow.MAX_IMAGE_PIXELS, None
        try:
            image = pillow.open(io.BytesIO(data), formats=_FORMATS)
        except pillow.UnidentifiedImageError as error:
            kind = "an empty file" if not data else "not an image of a known format"
            raise UserError(
                where, f"{kind}; JPEG, PNG, WebP, GIF, BMP and TIFF can be read"
            ) from error
        except Exception as error:
            raise UserError(where, f"the image is broken ({_one_line(error)})") from error
        finally:
            pillow.MAX_IMAGE_PIXELS = pillow_limit
    if image.width * image.height > max_pixels:
        raise UserError(
            where,
            f"has {image.width} x {image.height} pixels, more than max_pixels, {max_pixels:,};"
            " shrink the image, or use a larger max_pixels",
        )
    return image


def _rotate_upright(image: Any) -> Any:
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # Damaged EXIF data.
        return image
    name = _TRANSPOSITIONS.get(orientation)
    return image if name is None else image.transpose(getattr(_pillow().Transpose, name))


_ORIENTATION = 0x0112
# The transposition that undoes each orientation of EXIF.
_TRANSPOSITIONS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}


def _to_rgb(image: Any) -> np.ndarray:
    if image.mode.startswith("I;16"):
        grey = (np.asarray(image).astype(np.uint32) + 128) // 257
        return np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2)
    if image.mode in ("I", "F"):
        raise ValueError("pixels of 32 bits have no agreed scale; save it with 8 or 16")
    if image.has_transparency_data:
        white = _pillow().new("RGBA", image.size, "white")
        white.alpha_composite(image.convert("RGBA"))
        image = white
    return np.asarray(image.convert("RGB"))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
