"""Pictures: from the bytes of a file to pixels of one size.

JPEG, PNG, WebP, GIF (its first frame), BMP and TIFF, told by their content and never by their name,
become red, green and blue of 8 bits each:

  transparency   lies on white: most drawings and product pictures with transparent parts were made
                 to be seen on a white page, and black outlines stay visible there
  16 bits        grey: value / 257, rounded, so that 65,535 becomes 255; colour: the upper 8 bits
  CMYK, palette  by Pillow's plain conversion; colour profiles are not applied
  EXIF           a picture is turned upright, as a camera's note says; a damaged note is passed over

A decoder is an easy prey for files made to harm: only these formats are opened, the size is asked
before a pixel is unpacked, and whatever a decoder trips over is one UserError that names the file.
"""

import io
import os
import threading
from typing import Any

import numpy as np

from seq2seq_jax.data.readers.text_lines import check_readable
from seq2seq_jax.utils.errors import UserError

MAX_PIXELS = 50_000_000
"""More than any camera phone's ordinary picture; unpacked they are 150 MB."""


def load_image(
    data: bytes, where: str, height: int, width: int, *, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """Decodes and resizes: [height, width, 3] uint8. Errors as `decode_image`."""
    return resize_image(decode_image(data, where, max_pixels=max_pixels), height, width)


def decode_image(data: bytes, where: str, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Pixels of an encoded picture: [H, W, 3] uint8, red, green, blue.

    Args:
      data: a whole file.
      where: names it in errors: a file, or `FILE record N`.
      max_pixels: larger pictures are refused before they are unpacked.

    Raises:
      UserError: not a picture, broken, truncated, or too large.
    """
    picture = _open(data, where, max_pixels)
    try:
        picture.load()
        return _pixels(_upright(picture))
    except Exception as error:  # decoders meet damage with exceptions of every kind
        raise UserError(where, f"the picture is broken ({_one_line(error)})") from error


def check_image(data: bytes, where: str, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Height and width by the file's head, no pixel unpacked; errors as `decode_image`.

    Damage behind the head is not seen.
    """
    picture = _open(data, where, max_pixels)
    return picture.height, picture.width


def resize_image(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear, whatever the proportions were; antialiased where it shrinks.

    Antialiased means that the triangle is widened until it covers all pixels that become one, as in
    `jax.image.resize`; without that, a picture of 4,000 pixels shrunk to 299 keeps one in thirteen.

    Args:
      image: [H, W, 3] uint8.

    Returns:
      [height, width, 3] uint8.
    """
    if image.shape[:2] == (height, width):
        return image
    pillow = _pillow()
    picture = pillow.fromarray(image)
    return np.asarray(picture.resize((width, height), pillow.Resampling.BILINEAR))


def read_image_file(path: str | os.PathLike, *, max_pixels: int = MAX_PIXELS) -> bytes:
    """The bytes of a picture file.

    Raises:
      UserError: it cannot be read, or is larger than any picture of so many pixels.
    """
    name = os.fspath(path)
    try:
        with open(name, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > 8 * max_pixels + _HEAD_BYTES:  # four channels of 16 bits, not compressed
                raise UserError(
                    name, f"{size:,} bytes: more than a picture of {max_pixels:,} pixels can have"
                )
            return file.read()
    except OSError as error:
        raise UserError(name, f"cannot be read ({error.strerror or error})") from error


def image_files(path: str | os.PathLike) -> list[str]:
    """The picture files of a folder and of those in it, by their names' endings, sorted; or the one
    file that is named, whatever its ending.

    Raises:
      UserError: there is no such file or folder, or no picture in it.
    """
    name = os.fspath(path)
    if not os.path.isdir(name):
        check_readable(name)
        return [name]
    files = sorted(
        os.path.join(folder, file)
        for folder, _, files in os.walk(name)
        for file in files
        if file.lower().endswith(_ENDINGS)
    )
    if not files:
        raise UserError(name, f"no picture in this folder; names end in {', '.join(_ENDINGS)}")
    return files


_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_HEAD_BYTES = 1 << 24
_lock = threading.Lock()


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise UserError(
            "pictures", "Pillow is not installed: pip install 'seq2seq-jax[images]'"
        ) from error
    return Image


def _open(data: bytes, where: str, max_pixels: int) -> Any:
    """A picture of which only the head was read."""
    pillow = _pillow()
    # Pillow has a limit of its own, one for the whole process; ours takes its place meanwhile.
    with _lock:
        pillows_own, pillow.MAX_IMAGE_PIXELS = pillow.MAX_IMAGE_PIXELS, None
        try:
            picture = pillow.open(io.BytesIO(data), formats=_FORMATS)
        except pillow.UnidentifiedImageError as error:
            kind = "an empty file" if not data else "no picture of a known format"
            raise UserError(
                where, f"{kind}; JPEG, PNG, WebP, GIF, BMP and TIFF can be read"
            ) from error
        except Exception as error:
            raise UserError(where, f"the picture is broken ({_one_line(error)})") from error
        finally:
            pillow.MAX_IMAGE_PIXELS = pillows_own
    if picture.width * picture.height > max_pixels:
        raise UserError(
            where,
            f"{picture.width} x {picture.height} pixels are more than max_pixels, {max_pixels:,}; "
            "make the picture smaller, or raise the limit",
        )
    return picture


def _upright(picture: Any) -> Any:
    try:
        orientation = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # a damaged note says nothing of the pixels
        return picture
    turn = _TURNS.get(orientation)
    return picture if turn is None else picture.transpose(getattr(_pillow().Transpose, turn))


_ORIENTATION = 0x0112
# What undoes each of EXIF's orientations.
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}


def _pixels(picture: Any) -> np.ndarray:
    if picture.mode.startswith("I;16"):
        grey = (np.asarray(picture).astype(np.uint32) + 128) // 257
        return np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2)
    if picture.mode in ("I", "F"):
        raise ValueError("pixels of 32 bits have no agreed scale; save it with 8 or 16")
    if picture.has_transparency_data:
        white = _pillow().new("RGBA", picture.size, "white")
        white.alpha_composite(picture.convert("RGBA"))
        picture = white
    return np.asarray(picture.convert("RGB"))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
