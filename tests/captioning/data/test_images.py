import io
import struct
import zlib

import jax
import numpy as np
import pytest
from PIL import Image

from seq2seq_jax.captioning.data.images import (
    check_image,
    decode_image,
    image_files,
    load_image,
    read_image_file,
    resize_image,
)
from seq2seq_jax.utils.errors import UserError

RED, GREEN, BLUE, WHITE = [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def two_colours() -> Image.Image:
    """Left red, right blue; three wide, two high."""
    image = Image.new("RGB", (3, 2), "red")
    image.paste("blue", (2, 0, 3, 2))
    return image


def photograph() -> Image.Image:
    """Large enough that truncation hurts, with something in it."""
    y, x = np.mgrid[:90, :120]
    pixels = np.stack([x * 2, y * 2, (x * y) % 256], 2).astype(np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_every_lossless_format_gives_its_pixels(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    pixels = decode_image(encoded(two_colours(), kind, **options), "an image")
    assert pixels.dtype == np.uint8
    assert pixels.tolist() == [[RED, RED, BLUE]] * 2


def test_jpeg_is_close_in_colour_grey_and_cmyk():
    image = photograph().resize((16, 16))
    for mode in ("RGB", "L", "CMYK"):
        # Colours at full resolution, and no quantisation to speak of.
        data = encoded(image.convert(mode), "JPEG", quality=100, subsampling=0)
        wanted = np.asarray(image.convert(mode).convert("RGB")).astype(int)
        assert np.abs(decode_image(data, "an image") - wanted).max() <= 6


def test_the_first_frame_of_a_gif_counts():
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("green", "red")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode_image(data, "an image")[0, 0].tolist() == [0, 128, 0]


def test_transparent_pixels_are_white_whatever_says_that_they_are():
    rgba = Image.new("RGBA", (2, 1), (255, 0, 0, 255))
    rgba.putpixel((1, 0), (0, 0, 0, 0))
    palette = Image.new("P", (2, 1), 0)
    palette.putpalette([255, 0, 0, 0, 0, 0])
    palette.putpixel((1, 0), 1)
    grey = Image.new("LA", (2, 1), (0, 255))
    grey.putpixel((1, 0), (0, 0))
    half = Image.new("RGBA", (1, 1), (0, 0, 0, 128))

    assert decode_image(encoded(rgba, "PNG"), "a").tolist() == [[RED, WHITE]]
    assert decode_image(encoded(palette, "PNG", transparency=1), "a").tolist() == [[RED, WHITE]]
    assert decode_image(encoded(palette, "GIF", transparency=1), "a").tolist() == [[RED, WHITE]]
    assert decode_image(encoded(grey, "PNG"), "a").tolist() == [[[0, 0, 0], WHITE]]
    assert decode_image(encoded(half, "PNG"), "a").tolist() == [[[127, 127, 127]]]


def test_sixteen_bits_are_scaled_not_cut():
    values = np.array([[0, 256, 32768, 65279, 65535]], np.uint16)
    for kind in ("PNG", "TIFF"):
        pixels = decode_image(encoded(Image.fromarray(values), kind), "an image")
        assert pixels[0, :, 0].tolist() == [0, 1, 128, 254, 255]
        assert (pixels == pixels[:, :, :1]).all()
    colour = _png_of_16_bit_colour([65535, 0, 32896])
    assert decode_image(colour, "an image").tolist() == [[[255, 0, 128]]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_upright(orientation):
    upright = np.asarray(photograph().resize((4, 3)))
    # What a camera held so would have stored, undone by the definition of the eight values.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(np.ascontiguousarray(stored)), "PNG", exif=exif)
    np.testing.assert_array_equal(decode_image(data, "an image"), upright)


def test_a_damaged_exif_note_is_passed_over():
    data = encoded(two_colours(), "PNG", exif=b"Exif\0\0nonsense")
    assert decode_image(data, "an image").tolist() == [[RED, RED, BLUE]] * 2


def test_resizing_is_bilinear_and_antialiased():
    image = np.random.default_rng(0).integers(0, 256, (37, 53, 3)).astype(np.uint8)
    for height, width in ((9, 11), (75, 60), (37, 20)):
        wanted = jax.image.resize(image.astype(np.float32), (height, width, 3), "bilinear")
        resized = resize_image(image, height, width)
        assert resized.dtype == np.uint8
        np.testing.assert_allclose(resized, wanted, atol=1.01)  # rounded once for each direction
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    assert set(np.unique(resize_image(stripes, 8, 8)[:, 1:-1])) <= {127, 128}


def test_what_is_no_image_is_one_line_that_names_it():
    for data, what in (
        (b"", "an empty file"),
        (b"hello, world " * 50, "not an image of a known format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image of a known format"),
    ):
        with pytest.raises(UserError, match=what) as caught:
            decode_image(data, "cats.tfrecord record 7")
        assert str(caught.value).startswith("cats.tfrecord record 7: ")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_file_cut_or_spoilt_anywhere_is_one_line_or_an_image(kind):
    data = encoded(photograph(), kind)
    random = np.random.default_rng(1)
    broken = 0
    for _ in range(40):
        damaged = bytearray(data[: random.integers(1, len(data))])
        for place in random.integers(0, len(damaged), 3):
            damaged[place] ^= 0xFF
        try:
            assert decode_image(bytes(damaged), "cat.jpg").shape[2] == 3
        except UserError as error:
            broken += 1
            assert str(error).startswith("cat.jpg: ") and "\n" not in str(error)
    assert broken > 20


def test_a_bomb_is_refused_by_its_head():
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = _png([_chunk(b"IHDR", head), _chunk(b"IDAT", b"")])
    with pytest.raises(UserError, match=r"has 60000 x 60000 pixels, more than max_pixels"):
        decode_image(bomb, "bomb.png")
    with pytest.raises(UserError, match="more than max_pixels, 5;"):
        check_image(encoded(two_colours(), "PNG"), "a.png", max_pixels=5)
    assert check_image(encoded(two_colours(), "PNG"), "a.png", max_pixels=6) == (2, 3)


def test_files_that_are_missing_or_far_too_large_are_not_read(tmp_path):
    with pytest.raises(UserError, match=r"none\.png: cannot be read \(No such file"):
        read_image_file(tmp_path / "none.png")
    with open(tmp_path / "huge.jpg", "wb") as file:
        file.truncate(1 << 40)  # takes no room on the disk
    with pytest.raises(UserError, match="1,099,511,627,776 bytes: more than an image of"):
        read_image_file(tmp_path / "huge.jpg")


def test_a_directory_s_images_are_found_by_their_endings(tmp_path):
    (tmp_path / "a").mkdir()
    for name in ("b.PNG", "notes.txt", "a/c.jpeg"):
        (tmp_path / name).touch()
    assert image_files(tmp_path) == [str(tmp_path / "a/c.jpeg"), str(tmp_path / "b.PNG")]
    assert image_files(tmp_path / "notes.txt") == [str(tmp_path / "notes.txt")]
    (tmp_path / "none").mkdir()
    for name, message in (("none", "no image in this directory"), ("no.png", "cannot be read")):
        with pytest.raises(UserError, match=message):
            image_files(tmp_path / name)


def test_loading_decodes_and_resizes():
    assert load_image(encoded(two_colours(), "PNG"), "a", 4, 5).shape == (4, 5, 3)


def _png(chunks: list[bytes]) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    crc = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


def _png_of_16_bit_colour(pixel: list[int]) -> bytes:
    """One pixel, which Pillow cannot write."""
    return _png(
        [
            _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)),
            _chunk(b"IDAT", zlib.compress(b"\0" + struct.pack(">3H", *pixel))),
            _chunk(b"IEND", b""),
        ]
    )
