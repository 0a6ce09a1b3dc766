import hashlib
import lzma

import pytest

from experiments.package_descriptions import debian_index
from experiments.package_descriptions.corpus import (
    assign_split,
    package_descriptions,
    tokenize,
    write_package_descriptions,
)
from experiments.package_descriptions.debian_index import fetch_index, read_paragraphs
from seq2seq_jax.utils.errors import UserError

SOURCES = """\
Package: bar
Binary: bar, libbar1,
 libbar-dev

Package: foo
Binary: foo
"""
DESCRIPTIONS = """\
Package: libbar-dev
Description-en: development files for Bar
 Bar counts the sheep of X.org's 12 users.
 .
 This package has the headers.

Package: bar
Description-en: counter of sheep
 Bar counts the sheep of X.org's 13 users.

Package: foo
Description-en: a player (for the terminal)
 Foo plays what it is given:
  * songs
  * games.

Package: foo-old
Description-en: transitional package
 This is a transitional package, which can safely be removed.

Package: foo-data
Description-en: data of Foo
 Data of Foo.
"""


@pytest.fixture
def indices(tmp_path):
    descriptions, sources = tmp_path / "Translation-en.xz", tmp_path / "Sources"
    descriptions.write_bytes(lzma.compress(DESCRIPTIONS.encode()))
    sources.write_text(SOURCES)
    return descriptions, sources


def test_of_packages_that_begin_with_the_same_paragraph_the_shortest_is_kept(indices):
    found = list(package_descriptions(*indices))
    assert [each.package for each in found] == ["bar", "foo"]
    assert found[0].source_package == "bar"


def test_texts_are_words_and_punctuation_in_lower_case(indices):
    bar, foo = package_descriptions(*indices)
    assert bar.long == "bar counts the sheep of x.org's 13 users ."
    assert foo.long == "foo plays what it is given : * songs * games ."
    assert foo.short == "a player ( for the terminal )"
    assert tokenize("GNU/Linux, x86-64  (C++)") == "gnu / linux , x86-64 ( c + + )"


def test_a_source_package_and_its_other_versions_are_in_one_split():
    assert {assign_split(f"gcc-{version}-cross") for version in (10, 11, 12)} == {
        assign_split("gcc-9-cross")
    }
    assert assign_split("postgresql-15") == assign_split("postgresql")
    names = [f"{a}{b}{c}" for a in "abcdefghij" for b in "aeiou" for c in "bcdfghjklmnpqrst"]
    splits = [assign_split(name) for name in names]
    assert 0.01 < splits.count("dev") / len(names) < 0.05
    assert 0.03 < splits.count("test") / len(names) < 0.07
    # Whoever changes the hash changes what the published scores were measured on.
    assert [assign_split(name) for name in ("bash", "vim", "abiword")] == ["train", "dev", "test"]


def test_the_tables_hold_every_description_once_whoever_writes_them(indices, tmp_path):
    tables = write_package_descriptions(*indices, tmp_path / "one")
    again = write_package_descriptions(*indices, tmp_path / "two")
    texts = {split: table.read_text("utf-8") for split, table in tables.items()}
    assert texts == {split: table.read_text("utf-8") for split, table in again.items()}
    rows = [row for text in texts.values() for row in text.splitlines()]
    header = "package\tsource_package\tlong\tshort"
    assert rows.count(header) == 3
    assert len(rows) == 5
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == [
        "dev.tsv",
        "test.tsv",
        "train.tsv",
    ]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"Package: a\n b\nc\n", ":3: must be `Key: value`; got 'c'"),
        (b"Package: \xff\n", ":1: not UTF-8"),
    ],
)
def test_a_file_that_is_no_index_is_named_with_its_line(tmp_path, text, error):
    index = tmp_path / "index"
    index.write_bytes(text)
    with pytest.raises(UserError) as raised:
        list(read_paragraphs(index))
    assert str(raised.value).startswith(f"{index}{error}")


def test_an_archive_that_breaks_off_is_one_line(tmp_path):
    index = tmp_path / "index.xz"
    index.write_bytes(lzma.compress(DESCRIPTIONS.encode())[:100])
    with pytest.raises(UserError, match=r"index.xz: cannot be read"):
        list(read_paragraphs(index))


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A mirror in a folder, and the user's cache in another."""
    monkeypatch.setattr(debian_index, "cache_dir", lambda name: tmp_path / "cache" / name)
    folder = tmp_path / "mirror" / "dists" / "any"
    folder.mkdir(parents=True)
    checksum = hashlib.sha256(SOURCES.encode()).hexdigest()
    (folder / "Release").write_text(f"Suite: any\nSHA256:\n {checksum} {len(SOURCES)} Sources\n")
    (folder / "Sources").write_text(SOURCES)
    return folder


def address(mirror):
    return mirror.parents[1].as_uri()


def test_an_index_is_fetched_once(mirror):
    file = fetch_index("Sources", mirror=address(mirror), release="any")
    assert file.read_text() == SOURCES
    (mirror / "Sources").unlink()
    assert fetch_index("Sources", mirror=address(mirror), release="any") == file


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("Sources", "does not match its checksum"),
        ("Packages", "lists no Packages"),
    ],
)
def test_what_the_release_does_not_vouch_for_is_refused(mirror, name, error):
    (mirror / "Sources").write_text("another\n")
    with pytest.raises(UserError, match=error):
        fetch_index(name, mirror=address(mirror), release="any")


def test_a_mirror_that_does_not_answer_is_one_line(tmp_path, mirror):
    with pytest.raises(UserError, match=r"nowhere/dists/any/Release: cannot be fetched"):
        fetch_index("Sources", mirror=(tmp_path / "nowhere").as_uri(), release="any")
