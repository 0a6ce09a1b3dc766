import gzip

import pytest

from seq2seq_jax.data.readers.parallel_text import ParallelTextInputPipeline
from seq2seq_jax.utils.errors import UserError

KEY = "input_pipeline_train.params"


def pipeline(source_files="", target_files="", **others) -> ParallelTextInputPipeline:
    return ParallelTextInputPipeline(str(source_files), str(target_files), key=KEY, **others)


def write(path, text: str) -> str:
    data = text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return str(path)


def message(*files, **others) -> str:
    with pytest.raises(UserError) as error:
        list(pipeline(*files, **others))
    return str(error.value)


def test_files_are_read_one_after_the_other_plain_or_gzipped(tmp_path):
    a, b = write(tmp_path / "a", "A b\nc\n"), write(tmp_path / "b.gz", "D\n")
    x, y = write(tmp_path / "x", "xyz\n笑\n"), write(tmp_path / "y.gz", "Z\n")
    pairs = pipeline(f"{a}, {b}", f"{x},{y}", builtin="toy_copy")
    assert list(pairs) == [("A b", "xyz"), ("c", "笑"), ("D", "Z")]
    assert list(pairs) == list(pairs)


def test_a_file_of_features_is_read_line_by_line_with_the_pairs(tmp_path):
    a, x = write(tmp_path / "a", "walk\nbe\n"), write(tmp_path / "x", "walked\nis\n")
    f = write(tmp_path / "f.gz", "V;PST\n\n")
    pairs = pipeline(a, x, features_files=f)
    assert list(pairs) == [("walk", "walked", "V;PST"), ("be", "is", "")]
    assert pairs.content_digest() != pipeline(a, x).content_digest()


def test_a_file_of_features_has_a_line_for_each_pair(tmp_path):
    a, x = write(tmp_path / "a", "walk\nbe\n"), write(tmp_path / "x", "walked\nis\n")
    f = write(tmp_path / "f", "V;PST\n")
    assert f"{a}: has 2 lines, but {f} has 1; line i of all files" in message(
        a, x, features_files=f
    )
    assert "features_files: must be as many as source_files, which are 2; got 1" in message(
        f"{a},{a}", f"{x},{x}", features_files=f
    )


def test_wildcards_match_files_in_the_order_of_their_names(tmp_path):
    for number in (10, 2, 1):
        write(tmp_path / f"part{number}.s", f"s{number}\n")
        write(tmp_path / f"part{number}.t", f"t{number}\n")
    write(tmp_path / "part[1].s", "literally\n")
    pairs = pipeline(tmp_path / "part*[0-9].s", tmp_path / "part*.t")
    assert list(pairs) == [("s1", "t1"), ("s10", "t10"), ("s2", "t2")]
    literal = pipeline(tmp_path / "part[1].s", tmp_path / "part1.t")
    assert list(literal) == [("literally", "t1")]
    nested = tmp_path / "a" / "b"
    nested.mkdir(parents=True)
    write(nested / "x.s", "deep\n")
    assert list(pipeline(tmp_path / "**" / "x.s", tmp_path / "part1.t")) == [("deep", "t1")]


def test_a_pattern_without_any_file_is_an_error(tmp_path):
    assert message(tmp_path / "*.de", tmp_path / "*.en") == (
        f"{tmp_path}/*.de: matches no file; use the name of a file or another pattern"
    )


def test_a_comma_in_a_name_has_a_backslash(tmp_path):
    write(tmp_path / "fine,1.s", "a\n")
    write(tmp_path / "t", "b\n")
    assert list(pipeline(tmp_path / r"fine\,1.s", tmp_path / "t")) == [("a", "b")]


def test_other_line_separators_do_not_split_a_line(tmp_path):
    source = write(tmp_path / "s", "a\u2028b\x85c\r\nd\r\n")
    target = write(tmp_path / "t", "1\n2\n")
    assert list(pipeline(source, target)) == [("a\u2028b\x85c", "1"), ("d", "2")]


def test_empty_lines_are_pairs(tmp_path):
    source, target = write(tmp_path / "s", "a\n\nb\n"), write(tmp_path / "t", "x\ny\n\n")
    assert list(pipeline(source, target)) == [("a", "x"), ("", "y"), ("b", "")]


@pytest.mark.parametrize(("in_source", "in_target"), [(3, 5), (5, 3), (0, 1), (2, 0), (4, 3)])
def test_files_of_different_lengths_are_an_error_with_both_counts(tmp_path, in_source, in_target):
    source = write(tmp_path / "s.gz", "a\n" * in_source)
    target = write(tmp_path / "t", "b\n" * in_target)
    assert message(source, target) == (
        f"{source}: has {in_source} lines, but {target} has {in_target}; "
        "line i of both files must belong together"
    )


def test_different_numbers_of_files_are_an_error_with_both_counts():
    assert message("a,b", "c") == (
        f"{KEY}.target_files: must be as many as source_files, which are 2; got 1"
    )


def test_a_missing_file_is_reported_before_anything_is_read(tmp_path):
    here, missing = write(tmp_path / "here", "a\n"), tmp_path / "missing"
    with pytest.raises(UserError) as error:
        pipeline(here, missing)
    assert str(error.value) == f"{missing}: cannot be read (No such file or directory)"


def test_a_line_that_is_not_utf8_is_reported_with_file_and_line(tmp_path):
    source, target = write(tmp_path / "s", "a\nb\nc\n"), tmp_path / "t"
    target.write_bytes(b"x\ny\n\xfcber\n")
    assert message(source, target).startswith(f"{target}:3: not UTF-8 (byte 0xfc at column 1)")


def test_no_files_and_no_builtin_corpus_is_an_error():
    assert message() == (
        f"{KEY}.source_files: is empty; use source_files and target_files, or builtin, one of: "
        "toy_copy, toy_reverse, cmudict"
    )


def test_a_builtin_corpus_is_read_as_pairs_of_texts():
    reverse = list(pipeline(builtin="toy_reverse", split="dev"))
    assert len(reverse) == 1000
    assert all(pair.target.split() == pair.source.split()[::-1] for pair in reverse)


def test_the_content_digest_depends_on_the_bytes(tmp_path):
    a, b = write(tmp_path / "a", "x\n"), write(tmp_path / "b", "y\n")
    copy = write(tmp_path / "copy", "x\n")
    digest = pipeline(a, b).content_digest()
    assert digest == pipeline(copy, b).content_digest()
    write(tmp_path / "a", "z\n")
    assert digest != pipeline(a, b).content_digest()
    assert digest != pipeline(b, copy).content_digest()
