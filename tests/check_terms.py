"""Finds terms that this project replaces by those of the field; `make lint` runs it.

    python tests/check_terms.py [ROOT]

CONTRIBUTING.md lists the terms. The script prints FILE:LINE, the term and its replacement for each
hit, and exits with status 1 if there are any. A line that must name such a term, like one that
quotes another program, ends with the comment `terms: ok`.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

# A pattern, and what to write instead. Prose patterns ignore case and apply to all files.
PROSE = {
    r"ways? (?:back|forth)": "backward pass, forward pass",
    r"would do": "use ...",
    r"besides?": "next to, compared with, also",
    r"so many": "n, this number of",
    r"whatever": "any, what",
    r"(?:is|are|was|were) told": "is reported, is given",
    r"tells? (?:the|which|its|what)": "says, shows",
    r"(?:goes|going|go|went) on": "continues, resumes",
    r"hands? (?:out|over)": "returns, passes",
    r"in (?:the|its|their) place of": "instead of",
    r"of (?:your|one's|its|their|our) own": "custom, separate",
    r"at the (?:most|least)": "at most, at least",
    r"by (?:itself|themselves)": "alone, automatically",
    r"turn(?:s|ed)? round|roundabout|elder": "the plain word",
    r"anew": "again",
    r"by heart": "the plain word",
}
# Names in Python files.
NAMES = {
    r"\w*pictures?\w*": "image (input of a model), plot or figure (drawing)",
    r"top_words|word_losses|most_words|longest_words|NO_WORDS": "a name with token",
    r"whole_files|write_whole|replaced_when_done": "atomic_io, atomic_write, atomic_replace",
    r"user_cache|keep_memory|join_hosts|find_class": "cache_dir, malloc tuning, resolve_class",
    r"time_loop|folded_attention|look_ahead|epoch_order|line_stream": "the field's term",
    r"of_(?:each|input|query|group|chosen|parents?|text|others|part|all_parts|a_seed)": "a verb",
    r"in_markdown|to_the_end|goes_on|_as_given|_for_a_file": "a verb or a noun",
    r"(?:encoder_)?rate_scale": "lr_scale, encoder_lr_multiplier",
    r"best_params|owns_rows|so_far|want_\w+": "eval_params, is_local, prefix, return_*",
    r"SEEN|MADE_READY|taps?|computing_in": "intermediates, precomputed, perturbation",
}
OPENINGS = (
    r'(?:"""|^#+ |^\s*# )'
    r"(?:Of (?:the|several|each|all|many|one|some)|(?:That|Those) (?:of|that|which))\b"
)
HEADINGS = r"^#+ (?:What|Where|When|Who|How) (?!to\b)"
PLACES = ["seq2seq_jax", "configs", "experiments", "benchmarks", "docs", "tests"]
FILES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile", "main.py"]


def find_terms(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yields the line number, the term and its replacement for each hit in a file."""
    patterns = [(re.compile(rf"\b(?:{p})\b", re.IGNORECASE), use) for p, use in PROSE.items()]
    patterns += [(re.compile(OPENINGS), "a sentence with subject and verb")]
    if path.suffix == ".py":
        patterns += [(re.compile(rf"\b(?:{p})\b"), use) for p, use in NAMES.items()]
    if path.suffix == ".md":
        patterns += [(re.compile(HEADINGS), "a heading that names the content")]
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        is_table_of_terms = path.name == "CONTRIBUTING.md" and line.startswith("|")
        if is_table_of_terms or line.endswith("terms: ok"):
            continue
        for pattern, use in patterns:
            for match in pattern.finditer(line):
                yield number, match.group().strip(), use


def main(root: Path) -> int:
    """Prints all hits below a directory; returns the exit status."""
    paths = [root / name for name in FILES]
    for place in PLACES:
        paths += sorted(p for p in (root / place).rglob("*") if p.suffix in {".py", ".md", ".js"})
    hits = 0
    for path in paths:
        if path.name == Path(__file__).name or "golden" in path.parts:
            continue
        for number, term, use in find_terms(path):
            print(f"{path.relative_to(root)}:{number}: {term!r}; use: {use}")
            hits += 1
    return 1 if hits else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
