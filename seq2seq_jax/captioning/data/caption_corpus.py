"""A corpus of pictures and captions: which pictures can be used, and their captions as ids."""

import dataclasses
import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from seq2seq_jax.captioning.data.captioned_image import CaptionedImage
from seq2seq_jax.captioning.data.images import MAX_PIXELS, check_image, decode_image
from seq2seq_jax.data.batches import prefetch
from seq2seq_jax.data.ragged import Ragged
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.logging import progress_count

_log = logging.getLogger(__name__)

Split = Callable[[str], Sequence[str]]


@dataclasses.dataclass(frozen=True)
class CheckedImages:
    """The pictures that can be used.

    Attributes:
      examples: each with a caption or more, none empty.
      read: pictures that were read.
      broken: of those, what is wrong with each that was left out, one line each.
      without_caption: of those, how many had none.
      images_digest: names the content: the bytes of the examples' pictures, in their order.
    """

    examples: list[CaptionedImage]
    read: int
    broken: list[str]
    without_caption: int
    images_digest: str


@dataclasses.dataclass(frozen=True, eq=False)
class CaptionCorpus:
    """M pictures with N captions: each picture with one of its captions is a training example.

    Attributes:
      images: M pictures with their captions.
      image_of: [N] int32, the picture of each caption.
      targets: N rows START, words, END.
      target_cut: captions that were longer than the longest row.
      unknown: share of UNK among the words kept, 0 to 1.
      digest: names the content, ids included.
    """

    images: list[CaptionedImage]
    image_of: np.ndarray
    targets: Ragged
    target_cut: int
    unknown: float
    digest: str

    def id_counts(self, vocabulary: Vocabulary) -> np.ndarray:
        """[size of the vocabulary]: how often each id occurs behind START."""
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
    unpack: bool = False,
    merge_same: bool = False,
    key: str = "input_pipeline_train.params",
) -> CheckedImages:
    """Reads every picture once, in several threads, and sorts out what cannot be used.

    Args:
      on_error: "fail", or "skip": leave out what is broken, say so, and count it.
      unpack: every picture is decoded; otherwise damage behind a file's head is met only when a
        batch needs it. For small sets, and for those where every answer counts.
      merge_same: examples whose pictures are the same, byte for byte, become one with the captions
        of all: where a picture comes again with each of its captions.
      key: where the data stand in the configuration, for error messages.

    Raises:
      UserError: no picture is left; or, with on_error "fail", what is wrong with the first one that
        cannot be used.
    """
    kept: list[CaptionedImage] = []
    contents: dict[bytes, int] = {}
    broken: list[str] = []
    read = without_caption = 0
    digest = hashlib.sha256()

    def look_at(example: CaptionedImage) -> tuple[CaptionedImage, bytes, UserError | None]:
        try:
            data = example.read()
            (decode_image if unpack else check_image)(data, example.name, max_pixels=max_pixels)
        except UserError as error:
            return example, b"", error
        return example, hashlib.sha256(data).digest(), None

    with progress_count("looking at pictures") as show:
        for example, content, error in prefetch(look_at, examples, buffer_size=64):
            read += 1
            show(read)
            if error is not None:
                if on_error == "fail":
                    raise UserError(
                        error.where,
                        f"{error.what}; mend or remove it, or pass over such pictures: "
                        "on_error=skip",
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
            f"no picture is left of the {read} that were read ({len(broken)} cannot be used, "
            f"{without_caption} have no caption)" + "".join(f"; {line}" for line in broken[:1]),
        )
    if broken:
        _log.warning(
            "%s of %s pictures cannot be used and are passed over; the first: %s",
            f"{len(broken):,}",
            f"{read:,}",
            broken[0],
        )
    return CheckedImages(kept, read, broken, without_caption, digest.hexdigest())


def make_caption_corpus(
    checked: CheckedImages, split: Split, vocabulary: Vocabulary, *, max_len: int
) -> CaptionCorpus:
    """Encodes the captions.

    Args:
      split: a tokenizer's.
      max_len: longest row, START and END included; what is longer is cut behind and so loses its
        END.
    """
    start, end = vocabulary.sequence_start_id, vocabulary.sequence_end_id
    cut = 0

    def rows() -> Iterator[list[int]]:
        nonlocal cut
        for example in checked.examples:
            for caption in example.captions:
                row = [start, *vocabulary.encode(split(caption)), end]
                cut += len(row) > max_len
                yield row[:max_len]

    targets = Ragged.from_rows(rows())
    counts = [len(example.captions) for example in checked.examples]
    words = int(np.count_nonzero(targets.ids <= vocabulary.unk_id))
    unknown = int(np.count_nonzero(targets.ids == vocabulary.unk_id))
    image_of = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    digest = hashlib.sha256(checked.images_digest.encode())
    for array in (targets.ids, targets.offsets, image_of):
        digest.update(array.tobytes())
    return CaptionCorpus(
        images=checked.examples,
        image_of=image_of,
        targets=targets,
        target_cut=cut,
        unknown=unknown / max(words, 1),
        digest=digest.hexdigest()[:16],
    )
