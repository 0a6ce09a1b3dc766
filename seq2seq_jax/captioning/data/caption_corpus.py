"""A corpus of captioned images: the images that can be used, and their captions as ids."""

import dataclasses
import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from seq2seq_jax.captioning.data.captioned_image import CaptionedImage
from seq2seq_jax.captioning.data.images import MAX_PIXELS, check_image, decode_image
from seq2seq_jax.data.prefetch import prefetch
from seq2seq_jax.data.ragged import Ragged
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.logging import progress_count

_log = logging.getLogger(__name__)

Split = Callable[[str], Sequence[str]]


@dataclasses.dataclass(frozen=True)
class CheckedImages:
    """The images that can be used.

    Attributes:
      examples: The images; each has at least one caption, and no caption is empty.
      without_caption: The number of images that are left out because they have no caption.
      images_digest: Identifies the bytes of the examples' images, in order.
    """

    examples: list[CaptionedImage]
    without_caption: int
    images_digest: str


@dataclasses.dataclass(frozen=True, eq=False)
class CaptionCorpus:
    """M images with N captions: an image with one of its captions is a training example.

    Attributes:
      images: M images with their captions.
      image_of: [N] int32, the index of each caption's image.
      targets: N rows: START, tokens, END.
      truncated: The number of captions that were longer than the longest row.
      oov_rate: The fraction of tokens that are out of the vocabulary, 0 to 1.
      digest: Identifies the images and the ids.
    """

    images: list[CaptionedImage]
    image_of: np.ndarray
    targets: Ragged
    truncated: int
    oov_rate: float
    digest: str

    def id_counts(self, vocabulary: Vocabulary) -> np.ndarray:
        """Return [vocabulary size], the number of occurrences of each id after START.

        Args:
          vocabulary: The vocabulary of the captions.
        """
        counts = np.bincount(self.targets.ids, minlength=vocabulary.size)
        counts[vocabulary.sequence_start_id] = 0
        return counts

    def __len__(self) -> int:
        return len(self.targets)


def check_images(
    examples: Iterable[CaptionedImage],
    *,
    on_error: str = "fail",
    max_pixels: int = MAX_PIXELS,
    decode: bool = False,
    merge_same: bool = False,
    key: str = "input_pipeline_train.params",
) -> CheckedImages:
    """Read every image once, in several threads, and select those that can be used.

    Args:
      examples: The captioned images.
      on_error: "fail", or "skip": leave out broken images, and log how many there are.
      max_pixels: Larger images cannot be used.
      decode: Whether to decode every image. Otherwise damage after the header of a file is found
        only when a batch needs the image.
      merge_same: Whether examples with the same image, byte for byte, become one example with all
        their captions.
      key: The dotted key of the data in the configuration, for errors.

    Raises:
      UserError: No image is left; or `on_error` is "fail" and an image cannot be used.
    """
    kept: list[CaptionedImage] = []
    contents: dict[bytes, int] = {}
    broken: list[str] = []
    read = without_caption = 0
    digest = hashlib.sha256()

    def check(example: CaptionedImage) -> tuple[CaptionedImage, bytes, UserError | None]:
        try:
            data = example.read()
            (decode_image if decode else check_image)(data, example.name, max_pixels=max_pixels)
        except UserError as error:
            return example, b"", error
        return example, hashlib.sha256(data).digest(), None

    with progress_count("checking images") as show:
        for example, content, error in prefetch(check, examples, buffer_size=64):
            read += 1
            show(read)
            if error is not None:
                if on_error == "fail":
                    raise UserError(
                        error.where,
                        f"{error.what}; repair or remove it, or use on_error=skip",
                    )
                broken.append(str(error))
                continue
            captions = [caption for caption in example.captions if caption.strip()]
            if not captions:
                without_caption += 1
                continue
            if merge_same and content in contents:
                kept[contents[content]].captions.extend(captions)
                continue
            contents[content] = len(kept)
            kept.append(example._replace(captions=captions))
            digest.update(content)
    if not kept:
        raise UserError(
            key,
            f"no image is left of the {read} that were read ({len(broken)} cannot be used, "
            f"{without_caption} have no caption)" + "".join(f"; {line}" for line in broken[:1]),
        )
    if broken:
        _log.warning(
            "%s of %s images cannot be used and are skipped; the first: %s",
            f"{len(broken):,}",
            f"{read:,}",
            broken[0],
        )
    return CheckedImages(kept, without_caption, digest.hexdigest())


def make_caption_corpus(
    checked: CheckedImages, split: Split, vocabulary: Vocabulary, *, max_len: int
) -> CaptionCorpus:
    """Encode the captions.

    Args:
      checked: The images and their captions.
      split: Splits a caption into tokens.
      vocabulary: Numbers the tokens.
      max_len: The length of the longest row, START and END included. Longer rows are truncated and
        lose their END.
    """
    start, end = vocabulary.sequence_start_id, vocabulary.sequence_end_id
    truncated = 0

    def rows() -> Iterator[list[int]]:
        nonlocal truncated
        for example in checked.examples:
            for caption in example.captions:
                row = [start, *vocabulary.encode(split(caption)), end]
                truncated += len(row) > max_len
                yield row[:max_len]

    targets = Ragged.from_rows(rows())
    counts = [len(example.captions) for example in checked.examples]
    tokens = int(np.count_nonzero(targets.ids <= vocabulary.unk_id))
    oov = int(np.count_nonzero(targets.ids == vocabulary.unk_id))
    image_of = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    digest = hashlib.sha256(checked.images_digest.encode())
    for array in (targets.ids, targets.offsets, image_of):
        digest.update(array.tobytes())
    return CaptionCorpus(
        images=checked.examples,
        image_of=image_of,
        targets=targets,
        truncated=truncated,
        oov_rate=oov / max(tokens, 1),
        digest=digest.hexdigest()[:16],
    )
