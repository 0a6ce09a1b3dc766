"""Standard streams that are closed, full or without a reader, in real processes."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = f"SEQ2SEQ_JAX_NO_RESTART=1 {sys.executable} -m seq2seq_jax"


def shell(line):
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
    )


def vocab(redirection, lines="a b a"):
    return shell(f"echo '{lines}' | {COMMAND} vocab {redirection}")


@pytest.mark.parametrize(
    ("redirection", "reason"),
    [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")],
)
def test_results_that_cannot_be_written_are_an_error(redirection, reason):
    process = vocab(redirection)
    assert process.returncode == 2
    log, error = process.stderr.splitlines()
    assert log.startswith("1 line, 3 tokens")
    assert error == f"error: standard output: cannot be written ({reason})"


def test_closed_standard_input_is_an_error():
    process = shell(f"{COMMAND} vocab <&-")
    assert process.returncode == 2
    assert process.stderr == "error: <stdin>: cannot be read (Bad file descriptor)\n"


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "2> >(true)"])
def test_the_log_is_not_needed(redirection):
    process = vocab(redirection)
    assert (process.returncode, process.stdout) == (0, "a\t2\nb\t1\n")


def test_an_error_whose_line_cannot_be_shown_has_its_exit_status():
    assert shell(f"{COMMAND} vocab --max-size=x 2>&-").returncode == 2
    assert shell(f"{COMMAND} vocab --max-size=x 2>/dev/full").returncode == 2


def test_a_reader_that_has_read_enough_ends_the_program_quietly():
    process = shell(f"seq 50000 | {COMMAND} vocab | head -n 1")
    assert process.returncode == 0
    assert process.stdout == "9999\t1\n"
    assert "rror" not in process.stderr


def test_help_that_cannot_be_written_is_an_error():
    process = shell(f"{COMMAND} vocab --help >/dev/full")
    assert process.returncode == 2
    assert process.stderr.startswith("error: standard output: cannot be written")


def test_closed_streams_leave_their_descriptors_to_no_other_file(tmp_path):
    program = (
        "from seq2seq_jax.utils.streams import set_up_streams; set_up_streams()\n"
        f"file = open({str(tmp_path / 'file')!r}, 'w')\n"
        "assert file.fileno() > 2, file.fileno()"
    )
    assert shell(f'{sys.executable} -c "{program}" <&- >&- 2>&-').returncode == 0


def test_text_of_results_is_utf8_and_names_keep_their_bytes():
    program = (
        "import sys; from seq2seq_jax.utils.streams import set_up_streams; set_up_streams()\n"
        r"print('caf\u00e9 \udce9'); print('log \udce9', file=sys.stderr)"
    )
    process = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        env={"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"},
    )
    assert process.stdout == "café ".encode() + b"\xe9\n"
    assert process.stderr == b"log \\udce9\n"
