import csv
import gzip
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_jax.data.readers.tabular_text import TSVInputPipeline
from seq2seq_jax.utils.errors import UserError

KEY = "input_pipeline_train.params"


def write(path, content: str | bytes) -> str:
    data = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return str(path)


def pipeline(files, source="source", target="target", **keywords) -> TSVInputPipeline:
    return TSVInputPipeline(files, source, target, key=KEY, **keywords)


def message(files, *columns, **keywords) -> str:
    with pytest.raises(UserError) as error:
        list(pipeline(files, *columns, **keywords))
    text = str(error.value)
    assert len(text.splitlines()) == 1
    return text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", "id\tsource\ttarget\n1\ta b\tx\n2\t笑\ty z\n"),
        ("a.TSV", "\ufefftarget\tid \tsource\r\nx\t1\ta b\r\ny z\t2\t笑\r\n"),
        ("a.tsv.gz", "source\ttarget\na b\tx\n\n笑\ty z"),
        ("a.csv", "source,target\na b,x\n笑,y z\n\n"),
        ("a.csv.gz", '\ufeff"source","target"\r\n"a b","x"\r\n"笑","y z"\r\n'),
        ("a.csv", "source;target\na b;x\n笑;y z\n"),
    ],
    ids=["columns by name", "byte order mark", "blank line", "csv", "quoted", "semicolons"],
)
def test_a_table_is_read_by_the_names_of_its_columns(tmp_path, name, content):
    found = pipeline(write(tmp_path / name, content))
    assert list(found) == [("a b", "x"), ("笑", "y z")]
    assert list(found) == list(found)


def test_without_a_header_columns_are_given_by_number(tmp_path):
    name = write(tmp_path / "dict.txt", "tomato\tT AH\nnote\tN OW\tnoun\ntomato\tT EY\n")
    found = pipeline(name, "2", "1", format="tsv", header=False)
    assert list(found) == [("T AH", "tomato"), ("N OW", "note"), ("T EY", "tomato")]


@pytest.mark.parametrize(
    ("content", "columns", "features"),
    [
        ("walk\twalked\tV;PST\nbe\tis\t\n", ("1", "2"), "3"),
        ("walk\tV;PST\twalked\nbe\t\tis\n", ("1", "3"), "2"),
    ],
)
def test_a_third_column_holds_the_features_of_each_pair(tmp_path, content, columns, features):
    name = write(tmp_path / "a.tsv", content)
    found = list(pipeline(name, *columns, header=False, features_column=features))
    assert found == [("walk", "walked", "V;PST"), ("be", "is", "")]
    assert found[0].features == "V;PST"


def test_features_are_read_by_the_name_of_their_column(tmp_path):
    name = write(tmp_path / "a.csv", 'tags,source,target\n"N;NOM(1,PL)",a,b\n')
    assert list(pipeline(name, features_column="tags")) == [("a", "b", "N;NOM(1,PL)")]
    assert "no column is named 'tag'" in message(name, features_column="tag")


def test_a_row_without_a_column_of_features_is_an_error(tmp_path):
    name = write(tmp_path / "a.tsv", "walk\twalked\tV;PST\nbe\tis\n")
    found = message(name, "1", "2", header=False, features_column="3")
    assert f"{name}:2: has 2 columns, but column 3 is needed" in found


def test_features_have_a_column_of_their_own(tmp_path):
    name = write(tmp_path / "a.tsv", "walk\tV;PST\twalked\n")
    found = message(name, header=False, features_column="2")
    assert "features_column: '2' is the column of the sources or targets" in found


def test_the_digest_of_a_table_depends_on_the_column_of_features(tmp_path):
    name = write(tmp_path / "a.tsv", "a\tb\tV\tN\n")
    columns = "", "3", "4"
    digests = {pipeline(name, header=False, features_column=c).content_digest() for c in columns}
    assert len(digests) == 3


def test_without_a_header_the_default_columns_are_the_first_two(tmp_path):
    name = write(tmp_path / "a.tsv", "tomato\tT AH\tnoun\n")
    assert list(pipeline(name, header=False)) == [("tomato", "T AH")]


def test_each_file_has_its_own_order_of_columns(tmp_path):
    a = write(tmp_path / "a.tsv", "source\ttarget\na\tx\n")
    b = write(tmp_path / "b.csv.gz", "target,source\ny,b\n")
    assert list(pipeline(f"{a}, {b}")) == [("a", "x"), ("b", "y")]


def test_a_quote_is_text_in_tsv(tmp_path):
    name = write(tmp_path / "a.tsv", 'source\ttarget\n"a\tb"\n5" disk\t""\n')
    assert list(pipeline(name)) == [('"a', 'b"'), ('5" disk', '""')]


def test_line_feeds_in_csv_become_spaces_and_count_as_lines(tmp_path):
    content = 'source,target\n"one\r\ntwo","x ""y"", z"\n\n"a\nb\nc",d\nlonely\n'
    name = write(tmp_path / "a.csv", content)
    reading = iter(pipeline(name))
    assert [next(reading), next(reading)] == [("one two", 'x "y", z'), ("a b c", "d")]
    assert message(name) == f"{name}:8: has 1 column, but the header has 2"


def test_a_field_of_a_million_characters_is_read(tmp_path):
    long = "é" * 1_000_000
    assert list(pipeline(write(tmp_path / "a.csv", f"source,target\n{long},x\n"))) == [(long, "x")]
    assert list(pipeline(write(tmp_path / "a.tsv", f"source\ttarget\nx\t{long}"))) == [("x", long)]


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), min_size=1)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(texts, texts)))
def test_rows_are_read_as_the_csv_module_wrote_them(tmp_path_factory, rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("source", "target"), *rows])
    name = write(tmp_path_factory.mktemp("csv") / "a.csv", text.getvalue())
    assert list(pipeline(name)) == rows


@pytest.mark.parametrize(
    ("row", "problem"),
    [("a", "has 1 column, but"), ("a\tb\tc", "has 3 columns, but")],
)
def test_a_row_of_another_width_than_the_header_is_an_error(tmp_path, row, problem):
    name = write(tmp_path / "a.tsv", f"source\ttarget\nx\ty\n{row}\n")
    assert message(name) == f"{name}:3: {problem} the header has 2"


def test_a_row_without_the_numbered_column_is_an_error(tmp_path):
    name = write(tmp_path / "a.tsv", "a\tb\tc\na\tb\n")
    assert message(name, "1", "3", header=False) == (
        f"{name}:2: has 2 columns, but column 3 is needed"
    )


def test_an_unknown_column_is_an_error_that_lists_the_columns(tmp_path):
    name = write(tmp_path / "a.tsv", "word\tphones\tphones\nx\ty\tz\n")
    assert message(name, "word", "pron") == (
        f"{KEY}.target_column: no column is named 'pron' in {name}, whose first row is "
        "['word', 'phones', 'phones']; without a header, use header=false and column numbers"
    )
    assert message(name, "phones", "word") == (
        f"{KEY}.source_column: 2 columns are named 'phones' in {name}, whose first row is "
        "['word', 'phones', 'phones']"
    )
    assert message(name, "0", "2", header=False) == (
        f"{KEY}.source_column: must be the number of a column, from 1, if header is false; got '0'"
    )


def test_invalid_files_are_reported_before_anything_is_read(tmp_path):
    empty = write(tmp_path / "empty.csv", "\n")
    text = write(tmp_path / "a.txt", "source\ttarget\n")
    for files, expected in [
        ("", f"{KEY}.files: is empty; use a"),
        (empty, f"{empty}: is empty; its first row must name the columns"),
        (str(tmp_path / "none.tsv"), f"{tmp_path}/none.tsv: cannot be read (No such file"),
        (text, f"{KEY}.format: {text} does not end in .tsv, .csv, .tsv.gz or .csv.gz; use"),
    ]:
        with pytest.raises(UserError) as error:
            pipeline(files)
        assert str(error.value).startswith(expected)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ('x,"y\nx,y\n', "a quote in this row is never closed"),
        ('"a"b,y\n', "there is text after a closing quote; a quote inside quotes must be doubled"),
        ("a\rb,y\n", "there is a carriage return outside quotes"),
    ],
)
def test_invalid_csv_is_reported_with_the_first_line_of_its_row(tmp_path, row, reason):
    name = write(tmp_path / "a.csv", f'source,target\n"1\n2",x\n{row}')
    assert message(name) == f"{name}:4: is not CSV: {reason}"


def test_the_digest_depends_only_on_bytes_and_columns(tmp_path):
    name = write(tmp_path / "a.tsv", "source\ttarget\na\tb\n")
    copy = write(tmp_path / "copy.tsv", "source\ttarget\na\tb\n")
    other = write(tmp_path / "other.tsv", "source\ttarget\na\tc\n")
    digest = pipeline(name).content_digest()
    assert digest == pipeline(name).content_digest() == pipeline(copy).content_digest()
    assert digest != pipeline(other).content_digest()
    assert digest != pipeline(name, "target", "source").content_digest()
    assert digest != pipeline(f"{name},{name}").content_digest()
