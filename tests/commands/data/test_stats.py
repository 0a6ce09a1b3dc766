import struct

import pytest

from seq2seq_jax.utils.errors import UserError


def flat(text: str) -> list[str]:
    """Return the lines of a text, with single spaces."""
    return [" ".join(line.split()) for line in text.splitlines()]


def image_size(path) -> tuple[int, int]:
    header = path.read_bytes()[:24]
    assert header.startswith(b"\x89PNG")
    return struct.unpack(">II", header[16:])


PAIRS = [
    ("a b c", "x y z"),
    ("a b c", "x y z"),
    ("a", "w " * 9),
    ("same", "same"),
    ("", "x"),
    ("a\u00a0b \0", "x"),
    ("笑", ""),
]


def without_forms(text):
    """Return the statistics without the part that names the files."""
    return text.partition("\nUnicode normalization form\n")[0]


@pytest.fixture
def files(tmp_path):
    for name, texts in zip(("s", "t"), zip(*PAIRS, strict=True), strict=True):
        (tmp_path / name).write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return [f"--source={tmp_path / 's'}", f"--target={tmp_path / 't'}"]


def test_two_files_are_counted_and_plotted(command, files, tmp_path):
    figure = tmp_path / "deep" / "lengths.png"
    out, err = command("stats", *files, f"--plot={figure}")
    lines = flat(out)
    assert lines[:6] == [
        "pairs 7",
        "empty 1 sources, 1 targets",
        "repeated 1 that equal an earlier pair",
        "copies 1 whose target equals their source",
        "unbalanced 1 whose length ratio, target to source, differs from the median, 1.00, by a"
        " factor above 3",
        "pair 3: 1 source and 9 target tokens",
    ]
    for line in (
        "source target",
        "tokens 11 18",
        "different tokens 7 5",
        "that occur once 57.1% 20.0%",
        "that cover 95 % of the text 7 5",
        "different characters 9 8",
        "source 0 0 1 1 3 3 3 3 1.6 longest: pair 1",
        "target 0 0 1 1 3 9 9 9 2.6 longest: pair 3",
        "source a 27.3% b 18.2% c 18.2% '\\x00' 9.1% 'a\\xa0b' 9.1% same 9.1% 笑 9.1%",
        "source U+0000 1, U+00A0 no-break space 1",
        "target none",
    ):
        assert line in lines
    assert err == f"Plot in {figure}\n"
    assert image_size(figure) == (1200, 480)


def test_lines_of_standard_input_have_a_source_a_tab_and_a_target(command, files):
    text = "".join(f"{source}\t{target}\n" for source, target in PAIRS)
    out, err = command("stats", "--plot=", stdin=text.encode())
    assert without_forms(out) == without_forms(command("stats", *files, "--plot=")[0])
    assert "  <stdin>: sources and targets the same in NFC and NFD" in out
    assert err == ""


@pytest.mark.parametrize("head", ["", "id\tlemma\tform\n"])
def test_a_table_of_pairs_is_one_file(command, tmp_path, head):
    rows = [f"{source}\t{target}\n" for source, target in PAIRS[:3]]
    table = tmp_path / "pairs.tsv"
    number = "0\t" if head else ""
    table.write_text(head + "".join(number + row for row in rows))
    out, err = command("stats", f"--source={table}", "--plot=")
    lines = command("stats", "--plot=", stdin="".join(rows).encode())[0]
    assert without_forms(out) == without_forms(lines)
    assert f"  {table}: sources" in out
    assert err.startswith(f"{table}: {'column names found' if head else 'no header'}")


def test_delimiters_and_lower_case_are_options(command):
    flags = ("--plot=", "--source-delimiter=", "--target-delimiter=|", "--lowercase")
    out, _ = command("stats", *flags, stdin=b"ABa\tX y|z\n")
    assert "source a 66.7% b 33.3%" in flat(out)
    assert "target X y 50.0% z 50.0%" in flat(out)


def test_the_corpus_of_a_configuration_is_split_by_its_delimiters(command, tmp_path):
    config = tmp_path / "config.py"
    config.write_text(
        "from seq2seq_jax.config import default_config\n"
        "def get_config():\n"
        "    config = default_config('AttentionSeq2Seq')\n"
        "    config.input_pipeline_train.params = {'builtin': 'toy_copy'}\n"
        "    config.input_pipeline_dev.params = {'builtin': 'toy_reverse'}\n"
        "    return config\n"
    )
    dev = "--config.input_pipeline_dev.params.split=test"
    out, _ = command("stats", f"--config={config}", "--part=dev", dev, "--plot=")
    lines = flat(out)
    assert lines[0] == "pairs 1,000"
    assert "different tokens 20 20" in lines


@pytest.mark.parametrize(
    "pairs", [b"\t\n", b"a\tb\n", b"a " * 3000 + b"\tb\n" + b"a\tb\n" * 400], ids=len
)
def test_corpora_of_all_sizes_are_plotted(command, tmp_path, pairs):
    command("stats", f"--plot={tmp_path / 'a.png'}", stdin=pairs)
    assert image_size(tmp_path / "a.png") == (1200, 480)


@pytest.mark.parametrize(
    ("argv", "stdin", "expected"),
    [
        ((), b"", "<stdin>: holds no pairs"),
        ((), b"a\tb\nc\n", "<stdin>:2: must be a source, a tab and its target; has 0 tabs"),
        (("--source=a",), b"", "--target: is missing: every source file needs its target file"),
        (
            ("--config=a", "--source=b"),
            b"",
            "--config: names a corpus, and so do --source and --target; which?",
        ),
        (
            ("--config.seed=1",),
            b"",
            "--config.seed: changes a configuration; name --config=FILE",
        ),
    ],
)
def test_invalid_arguments_are_reported_in_one_line(command, argv, stdin, expected):
    with pytest.raises(UserError) as error:
        command("stats", *argv, stdin=stdin)
    assert str(error.value) == expected
