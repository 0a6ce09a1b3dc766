import json
import math

import pytest

from seq2seq_jax.inference.predictor import Predictor
from seq2seq_jax.utils.errors import UserError
from tests.tiny_workdir import tiny_run

PAIRS = [("a b c", "b c"), ("f", ""), ("", "a"), ("e e", "unheard of a a a a a a")]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    directory = tmp_path_factory.mktemp("score")
    tiny_run(directory / "run", {10: 6})
    (directory / "pairs").write_text("".join(f"{s}\t{t}\n" for s, t in PAIRS))
    (directory / "sources").write_text("".join(f"{s}\n" for s, _ in PAIRS))
    (directory / "targets").write_text("".join(f"{t}\n" for _, t in PAIRS))
    return directory


@pytest.fixture
def score(command, run):
    return lambda *flags: command("score", f"--workdir={run / 'run'}", *flags)


def test_each_pair_has_its_log_probability_and_those_of_its_tokens(score, run):
    out, err = score(f"--input={run / 'pairs'}")
    expected = Predictor.from_workdir(run / "run").score(*zip(*PAIRS, strict=True))
    lines = [line.split("\t") for line in out.splitlines()]
    total = 0.0
    for (log_prob, each), (source, target), one in zip(lines, PAIRS, expected, strict=True):
        tokens = [float(value) for value in each.split()]
        assert (one.source, one.target) == (source, target)
        assert len(tokens) == len(target.split()) + 1
        assert math.isclose(sum(tokens), float(log_prob), abs_tol=1e-3)
        assert math.isclose(float(log_prob), one.log_prob, abs_tol=1e-3)
        total += one.log_prob
    assert err.startswith(
        "4 pairs, 15 target tokens with SEQUENCE_END, 2 of them UNK; log probability -"
    )
    assert math.isclose(float(err.split()[-1]), math.exp(-total / 15), rel_tol=1e-3)


def test_two_files_give_the_same_scores_as_one_and_json_has_all_values(score, run):
    plain = score(f"--input={run / 'pairs'}")[0].splitlines()
    out, _ = score(
        f"--source={run / 'sources'}", f"--target={run / 'targets'}", "--json", "--attention"
    )
    for line, text, (source, target) in zip(out.splitlines(), plain, PAIRS, strict=True):
        found = json.loads(line)
        assert list(found) == [
            "source",
            "target",
            "log_prob",
            "tokens",
            "token_log_probs",
            "attention",
        ]
        assert (found["source"], found["target"]) == (source, target)
        assert found["tokens"][-1] == "SEQUENCE_END"
        assert len(found["attention"]) == len(found["token_log_probs"]) == len(found["tokens"])
        assert math.isclose(found["log_prob"], float(text.split("\t")[0]), abs_tol=1e-3)


def test_only_the_total_is_written_to_standard_output(score, run):
    out, err = score(f"--input={run / 'pairs'}", "--total", "--json")
    assert err == ""
    total = json.loads(out)
    assert (total["pairs"], total["tokens"], total["unknown"]) == (4, 15, 2)
    assert math.isclose(total["perplexity"], math.exp(-total["log_prob"] / 15), rel_tol=1e-6)


@pytest.mark.parametrize(
    ("line", "what"),
    [("a b", "has 0 tabs"), ("a\tb\tc", "has 2 tabs"), ("", "has 0 tabs")],
)
def test_a_line_that_is_not_a_pair_is_reported_after_the_lines_before_it(
    score, tmp_path, capsys, line, what
):
    (tmp_path / "bad").write_text(f"a\tb\n{line}\na\tb\n")
    with pytest.raises(UserError, match=rf"bad:2: '.*' {what}; it must be source, tab, target"):
        score(f"--input={tmp_path / 'bad'}")
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_files_of_different_lengths_are_an_error(score, run, tmp_path):
    (tmp_path / "short").write_text("a\n")
    with pytest.raises(UserError, match=r"sources: has 4 lines, but .*short has 1"):
        score(f"--source={run / 'sources'}", f"--target={tmp_path / 'short'}")
    with pytest.raises(UserError, match=r"^--source: needs --target as well"):
        score("--source=x")
    with pytest.raises(UserError, match=r"^--input: is given, but so are --source and --target"):
        score("--source=x", "--target=y", "--input=z")
    with pytest.raises(UserError, match=r"^--attention: needs --json"):
        score("--attention")
