import pytest

from seq2seq_jax.utils.errors import UserError
from tests.tiny_workdir import tiny_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "run"
    tiny_run(path, {10: 6})
    return path


def test_the_command_prints_what_it_wrote(command, run, tmp_path):
    for flags, name in ((["--weights=int8"], "small"), (["--format=web"], "page.html")):
        out, _ = command("export", f"--workdir={run}", f"--output={tmp_path / name}", *flags)
        assert out == f"{tmp_path / name}\n"
    assert (tmp_path / "small" / "small" / "seq2seq_numpy.py").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.html", "small"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "--output: name what to create; use --output=exports/NAME"),
        (["--format=web"], "--output: name what to create; use --output=exports/NAME.html"),
        (["--format=web", "--output=page"], "--output: .* use --output=page.html"),
        (["--output=setup.cfg"], "--output: setup.cfg exists; remove it, or use another name"),
        (["--output=out/1st"], "--output: its last part is the name of a Python package"),
        (
            ["--output=out", "--config.inference.sampling.enable=True"],
            "inference.sampling.enable: sampling cannot be exported",
        ),
        (
            [
                "--output=out",
                "--config.inference.beam_search.beam_width=4",
                "--config.inference.beam_search.diversity_groups=2",
                "--config.inference.beam_search.diversity_strength=1",
            ],
            r"diversity_groups: is 2, which this export cannot do; use .*, or --format=stablehlo",
        ),
        (
            ["--output=out", "--config.inference.lexicon=words.tsv"],
            "inference.lexicon: is words.tsv, which cannot be exported; use --config.inference",
        ),
        (["--output=out", "--config.inference.ensemble=other"], "an ensemble cannot be exported"),
        (
            [
                "--output=out",
                "--config.decoder.params.rnn_cell.cell_class=tests.test_own_classes.LeakyCell",
            ],
            "decoder.params.rnn_cell.cell_class: LeakyCell cannot be exported; the exports know",
        ),
    ],
)
def test_what_cannot_be_exported_is_refused_before_anything_is_written(
    command, run, tmp_path, monkeypatch, flags, message
):
    with pytest.raises(UserError, match=message):
        command("export", f"--workdir={run}", *flags)
    assert sorted(path.name for path in run.parent.iterdir()) == ["run"]
