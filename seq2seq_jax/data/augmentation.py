"""Artificial training pairs: hallucinated stems, and copies of targets.

Hallucination (Anastasopoulos and Neubig 2019, arXiv:1908.05838) invents pairs for morphological
inflection. Where source and target agree in three or more letters in a row is taken for the stem.
Random letters of the same language replace letters of the stem, the same ones on both sides, and
affixes and features stay: from "walk, walked" come "wgrk, wgrked" and others. As in the code of the
paper, each letter of a stem is replaced with probability one half, except for the first and the
last one of a stem of more than five letters.

Copies (Currey, Miceli Barone and Heafield 2017) are pairs whose source is a target. Their only
feature is `COPY`.
"""

import dataclasses
import hashlib
import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, NamedTuple

from seq2seq_jax.data.languages import split_tag, tag_source
from seq2seq_jax.data.readers.input_pipeline import Example, TextExample
from seq2seq_jax.data.tokenizers import DelimiterTokenizer
from seq2seq_jax.schema.rules import SEED, between
from seq2seq_jax.utils.errors import UserError

COPY = "COPY"
"""The feature of pairs whose source is a copy of the target."""

MIN_STEM = 3
"""Letters in a row that source and target must share."""

_Stem = tuple[int, int, int]  # the beginning in the source and in the target, and the length
_LONG_STEM = 5
_ATTEMPTS = 20


@dataclasses.dataclass(frozen=True)
class AugmentationConfig:
    """Artificial pairs that are added to the training data.

    Attributes:
      hallucinated_pairs: Number of pairs with random letters in their stems.
      copied_targets: Number of pairs whose source is a copy of a target, with the feature COPY.
      seed: Seed of both.
    """

    hallucinated_pairs: Annotated[int, between(0, 10_000_000)] = 0
    copied_targets: Annotated[int, between(0, 10_000_000)] = 0
    seed: Annotated[int, SEED] = 0

    @property
    def adds_pairs(self) -> bool:
        """Whether there is anything to add."""
        return bool(self.hallucinated_pairs or self.copied_targets)


class NewPair(NamedTuple):
    """An artificial pair.

    Attributes:
      origin: The index of the pair from which it was made.
      source: Its source.
      target: Its target.
    """

    origin: int
    source: str
    target: str


class Augmenter:
    """Makes artificial pairs from the pairs of a corpus; the same seed makes the same pairs."""

    def __init__(
        self,
        pairs: Sequence[tuple[str, str]],
        source: DelimiterTokenizer,
        target: DelimiterTokenizer,
        where: str,
    ) -> None:
        """Take the pairs.

        Args:
          pairs: Sources, which may have tags of languages, and targets.
          source: Has the delimiter of source tokens; empty: tokens are grapheme clusters.
          target: Has the delimiter of target tokens.
          where: Names the pairs, for errors.
        """
        self._pairs, self._where = pairs, where
        self._source, self._target = (
            DelimiterTokenizer(words.delimiter, grapheme_clusters=True)
            for words in (source, target)
        )

    def hallucinate(self, count: int, seed: int) -> list[NewPair]:
        """Replace letters of stems by random letters.

        Args:
          count: The number of pairs to make. Their origins are drawn uniformly from the pairs that
            have a stem.
          seed: The seed.

        Raises:
          UserError: No pair has a stem.
        """
        chance = random.Random(f"hallucinate {seed}")
        stems, alphabets = self._stems_and_alphabets()
        origins = [index for index, found in enumerate(stems) if found]
        if count and not origins:
            what = f"no source shares {MIN_STEM} letters in a row with its target"
            raise UserError(self._where, f"{what}, so there are no stems; use other columns")
        made = []
        for _ in range(count):
            origin = origins[_draw(chance, len(origins))]
            language, source_text = split_tag(self._pairs[origin][0])
            source = self._source.split(source_text)
            target = self._target.split(self._pairs[origin][1])
            for _ in range(_ATTEMPTS):
                if _replace(chance, source, target, stems[origin], alphabets[language]):
                    break
            text = tag_source(self._source.join(source), language)
            made.append(NewPair(origin, text, self._target.join(target)))
        return made

    def copy(self, count: int, seed: int) -> list[NewPair]:
        """Make pairs whose source is a target, in the language of the target.

        Args:
          count: The number of pairs to make. Each target is copied equally often, up to one.
          seed: The seed.
        """
        chance = random.Random(f"copy {seed}")
        texts = {
            (split_tag(source)[0], target): index
            for index, (source, target) in enumerate(self._pairs)
            if target
        }
        order = sorted(texts.items(), key=lambda item: (chance.random(), item[1]))
        made = []
        for i in range(count if order else 0):
            (language, target), origin = order[i % len(order)]
            copied = self._source.join(self._target.split(target))
            made.append(NewPair(origin, tag_source(copied, language), target))
        return made

    def _stems_and_alphabets(self) -> tuple[list[list[_Stem]], dict[str, dict[bool, list[str]]]]:
        """Return the stems of each pair, and the letters of each language by their case."""
        from rapidfuzz.distance import Levenshtein

        stems: list[list[_Stem]] = []
        letters: dict[str, tuple[set[str], set[str]]] = {}
        for source_text, target_text in self._pairs:
            language, text = split_tag(source_text)
            source, target = self._source.split(text), self._target.split(target_text)
            for known, tokens in zip(
                letters.setdefault(language, (set(), set())), (source, target), strict=True
            ):
                known.update(filter(_is_letter, tokens))
            blocks = Levenshtein.opcodes(source, target)
            found = [
                stem
                for block in blocks
                if block.tag == "equal"
                for stem in _runs(source, block.src_start, block.src_end, block.dest_start)
            ]
            stems.append(found)
        alphabets = {
            language: {
                case: sorted(letter for letter in source & target if letter.isupper() == case)
                for case in (False, True)
            }
            for language, (source, target) in letters.items()
        }
        return stems, alphabets


class AugmentedPairs:
    """The pairs of an input pipeline, followed by artificial ones; itself an input pipeline."""

    def __init__(
        self,
        pairs: Iterable[Example],
        config: AugmentationConfig,
        source: DelimiterTokenizer,
        target: DelimiterTokenizer,
        content_digest: str,
    ) -> None:
        """Wrap a pipeline; nothing is read yet.

        Args:
          pairs: The pipeline.
          config: How many pairs to add.
          source: Splits sources into tokens.
          target: Splits targets into tokens.
          content_digest: Identifies the content of the pipeline.
        """
        self._pairs, self._config, self._digest = pairs, config, content_digest
        self._words = source, target

    def __iter__(self) -> Iterator[Example]:
        """Yield the pairs, those with hallucinated stems, and the copies.

        Raises:
          UserError: The pipeline cannot be read, or no pair has a stem.
        """
        config, examples = self._config, []
        for example in self._pairs:
            examples.append(example)
            yield example
        pairs = [(example[0], example[1]) for example in examples]
        augmenter = Augmenter(pairs, *self._words, "augmentation.hallucinated_pairs")
        for new in augmenter.hallucinate(config.hallucinated_pairs, config.seed):
            yield type(examples[new.origin])(new.source, new.target, *examples[new.origin][2:])
        for new in augmenter.copy(config.copied_targets, config.seed):
            example = examples[new.origin]
            copied = type(example)(new.source, new.target, *example[2:])
            if isinstance(copied, TextExample):
                copied = copied._replace(features=COPY)
            yield copied

    def content_digest(self) -> str:
        """Return hexadecimal digits that identify the pairs and how they are augmented."""
        parts = (self._digest, self._config, *self._words)
        return hashlib.sha256(repr(parts).encode()).hexdigest()


def _is_letter(token: str) -> bool:
    return token[:1].isalpha()


def _runs(source: Sequence[str], start: int, end: int, target_start: int) -> Iterator[_Stem]:
    """Yield the runs of letters in a block of the source that equals one of the target."""
    begin = start
    for i in range(start, end + 1):
        if i == end or not _is_letter(source[i]):
            if i - begin >= MIN_STEM:
                yield begin, target_start + begin - start, i - begin
            begin = i + 1


def _draw(chance: random.Random, count: int) -> int:
    return int(chance.random() * count)  # `randrange` may change between versions of Python


def _replace(
    chance: random.Random,
    source: list[str],
    target: list[str],
    stems: Sequence[_Stem],
    alphabet: dict[bool, list[str]],
) -> bool:
    """Replace letters of the stems, and return whether any changed."""
    changed = False
    for in_source, in_target, length in stems:
        margin = int(length > _LONG_STEM)
        for i in range(margin, length - margin):
            if chance.random() < 0.5:
                old = source[in_source + i]
                letters = alphabet[old.isupper()]
                new = letters[_draw(chance, len(letters))]
                source[in_source + i] = target[in_target + i] = new
                changed = changed or new != old
    return changed
