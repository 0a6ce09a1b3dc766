"""Small generated samples for the configurations that `init` writes."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

from seq2seq_jax.commands.data.text_files import write_lines

_SIZES = {"train": 2000, "dev": 100}
_IMAGES = {"train": 600, "dev": 60}


def write_sample(task: str, directory: Path) -> None:
    """Write a training and a dev set: train.tsv and dev.tsv, without header.

    No example of the dev set is in the training set, except for captions.

    Args:
      task: `translation`, `g2p`, `inflection` or `captions`.
      directory: The directory of the files, which is created.

    Raises:
      UserError: A file cannot be written.
    """
    generator = random.Random(0)
    if task == "captions":
        directory.mkdir(parents=True, exist_ok=True)
        for split, count in _IMAGES.items():
            names = [f"{split}{number}.png" for number in range(count)]
            rows = [f"{name}\t{_draw(directory / name, generator)}" for name in names]
            write_lines(directory / f"{split}.tsv", rows)
        return
    makers = {"translation": _sentence, "g2p": _word, "inflection": _inflected}
    examples = _distinct(makers[task], generator)
    for split, count in _SIZES.items():
        rows = ["\t".join(next(examples)) for _ in range(count)]
        write_lines(directory / f"{split}.tsv", rows)


def _distinct(
    make: Callable[[random.Random], tuple[str, ...]], generator: random.Random
) -> Iterator[tuple[str, ...]]:
    seen = set()
    while True:
        pair = make(generator)
        if pair not in seen:
            seen.add(pair)
            yield pair


def _sentence(generator: random.Random) -> tuple[str, str]:
    """Return a sentence in English and in German, where the verb stays in the second place."""
    (subject, subjekt), (verb, tut), (when, wann) = map(
        generator.choice, (_SUBJECTS, _VERBS, _TIMES)
    )
    (adjective, eigenschaft), (noun, ding) = map(generator.choice, (_ADJECTIVES, _NOUNS))
    english = f"{subject} {verb} a {adjective} {noun} {when}"
    return english, f"{wann} {tut} {subjekt} ein {eigenschaft} {ding}"


def _word(generator: random.Random) -> tuple[str, str]:
    """Return an invented word and its phones, by the spelling rules of Spanish."""
    spelled, spoken = "", []
    for _ in range(generator.randint(2, 4)):
        vowel = generator.choice("aeiou")
        onset, phone = generator.choice(_ONSETS)
        onset = _BEFORE_FRONT_VOWELS.get(onset, onset) if vowel in "ei" else onset
        coda = generator.choice(["", "", "", "n", "s", "l", "r"])
        spelled += f"{onset}{vowel}{coda}"
        spoken += [part for part in (phone, vowel.upper(), coda.upper()) if part]
    return spelled, " ".join(spoken)


def _inflected(generator: random.Random) -> tuple[str, str, str]:
    """Return an invented noun, an inflected form and its features, in a language with harmony.

    As in Turkish, the vowels of suffixes are front or back as those of the stem are, and final p, t
    and k are voiced before a vowel.
    """
    vowels = generator.choice(("aou", "eiü"))
    syllables = generator.randint(1, 3)
    stem = "".join(
        generator.choice("bdgklmnprst") + generator.choice(vowels) for _ in range(syllables)
    )
    stem += generator.choice(("", "k", "l", "m", "n", "p", "r", "t"))
    front = vowels == "eiü"
    case, number = generator.choice(tuple(_CASES)), generator.choice(("SG", "PL"))
    suffix = "ler" if front else "lar"
    form = stem + suffix if number == "PL" else stem
    ending = _CASES[case][front]
    if ending[:1] in ("ı", "i", "a", "e") and number == "SG":
        form = form[:-1] + _VOICED.get(form[-1], form[-1])
        ending = ("y" if form[-1] in "aoueiü" else "") + ending
    return stem, form + ending, f"N;{case};{number}"


_CASES = {
    "NOM": ("", ""),
    "ACC": ("ı", "i"),
    "DAT": ("a", "e"),
    "LOC": ("da", "de"),
    "ABL": ("dan", "den"),
}
"""The endings after back and after front vowels."""
_VOICED = {"p": "b", "t": "d", "k": "g"}


def _draw(file: Path, generator: random.Random) -> str:
    """Draw a shape, and return its caption."""
    from PIL import Image, ImageDraw

    shape, color = generator.choice(_SHAPES), generator.choice(_COLORS)
    size, radius = generator.choice([("small", 12), ("large", 26)])
    x, y = (generator.randint(radius + 2, 94 - radius) for _ in range(2))
    image = Image.new("RGB", (96, 96), "white")
    draw = ImageDraw.Draw(image)
    box = (x - radius, y - radius, x + radius, y + radius)
    if shape == "circle":
        draw.ellipse(box, fill=color)
    elif shape == "square":
        draw.rectangle(box, fill=color)
    else:
        draw.regular_polygon((x, y, radius), 3, fill=color)
    image.save(file)
    return f"a {size} {color} {shape}"


_SUBJECTS = (
    ("the man", "der Mann"),
    ("the woman", "die Frau"),
    ("the child", "das Kind"),
    ("the dog", "der Hund"),
    ("the cat", "die Katze"),
    ("the teacher", "die Lehrerin"),
)
_VERBS = (("sees", "sieht"), ("finds", "findet"), ("needs", "braucht"), ("paints", "malt"))
_ADJECTIVES = (
    ("red", "rotes"),
    ("small", "kleines"),
    ("big", "großes"),
    ("green", "grünes"),
    ("new", "neues"),
)
_NOUNS = (
    ("house", "Haus"),
    ("book", "Buch"),
    ("car", "Auto"),
    ("bed", "Bett"),
    ("boat", "Boot"),
    ("horse", "Pferd"),
)
_TIMES = (("today", "heute"), ("now", "jetzt"), ("often", "oft"), ("here", "hier"))

_ONSETS = (
    ("b", "B"),
    ("v", "B"),
    ("c", "K"),
    ("z", "TH"),
    ("ch", "CH"),
    ("d", "D"),
    ("f", "F"),
    ("g", "G"),
    ("h", ""),
    ("j", "H"),
    ("l", "L"),
    ("ll", "Y"),
    ("m", "M"),
    ("n", "N"),
    ("ñ", "NY"),
    ("p", "P"),
    ("r", "R"),
    ("s", "S"),
    ("t", "T"),
)
# The letters that stand for the same phone before e and i.
_BEFORE_FRONT_VOWELS = {"c": "qu", "z": "c", "g": "gu"}

_SHAPES = ("circle", "square", "triangle")
_COLORS = ("red", "green", "blue", "yellow", "purple")
