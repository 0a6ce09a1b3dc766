import io
import json
import stat
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from experiments.emoji import npm_package
from experiments.emoji.corpus import VERSION, fetch_emoji, is_dev, parse
from experiments.emoji.npm_package import fetch_npm_package
from seq2seq_jax.config import load_config, resolve
from seq2seq_jax.utils.errors import UserError

ROOT = Path(__file__).parents[2]
NAMES = [f"FACE {i}" for i in range(40)]


def entry(name: str, category: str = "Smileys", **drawn: bool) -> dict:
    drawn = {"has_img_google": True, "has_img_twitter": True, **drawn}
    return {"name": name, "image": f"{name.lower()}.png", "category": category, **drawn}


def packed(artists: str) -> bytes:
    entries = [*map(entry, NAMES), entry("FLAG OF X", "Flags")]
    files = {"emoji.json": json.dumps(entries).encode()}
    files |= {f"img/{artists}/64/{each['image']}": artists.encode() for each in entries}
    files["img/sheets/64.png"] = b"large"
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """A cache folder of the test's own, into which a package is put as if npm had fetched it."""
    monkeypatch.setenv("SEQ2SEQ_JAX_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache" / "npm").mkdir(parents=True)

    def put(name: str, data: bytes) -> None:
        (tmp_path / "cache" / "npm" / f"{name}.tgz").write_bytes(data)

    return put


def test_skin_tones_flags_and_emoji_of_one_vendor_are_dropped():
    kept = parse(
        [
            entry("GRINNING FACE"),
            entry("FLAG OF X", "Flags"),
            entry("SKIN TONE 2", "Component"),
            entry("NEW ONE", has_img_twitter=False),
        ]
    )
    assert kept == [("grinning face.png", "grinning face")]


def test_one_vendor_is_the_training_set_the_other_the_dev_and_test_sets(npm, tmp_path, monkeypatch):
    monkeypatch.setattr(npm_package, "_check", lambda file, integrity: None)
    for artists in ("google", "twitter"):
        npm(f"emoji-datasource-{artists}-{VERSION}", packed(artists))
    for _ in range(2):  # the second finds all there
        tables = fetch_emoji(tmp_path / "emoji")
        rows = {split: path.read_text().splitlines() for split, path in tables.items()}
        names = [name.lower() for name in NAMES]
        assert rows["train"] == [f"google/{name}.png\t{name}" for name in names]
        assert rows["dev"] == [f"twitter/{name}.png\t{name}" for name in names if is_dev(name)]
        assert 0 < len(rows["dev"]) < 12
        assert len(rows["dev"]) + len(rows["test"]) == len(names)
        for split, artists in (("train", "google"), ("test", "twitter")):
            image = tmp_path / "emoji" / rows[split][3].split("\t")[0]
            assert image.read_text() == artists
    assert sorted(path.name for path in (tmp_path / "emoji").iterdir()) == [
        "dev.tsv", "google", "test.tsv", "train.tsv", "twitter",
    ]  # fmt: skip


def test_a_package_that_is_not_the_published_one_is_refused(npm):
    npm("some-1.0.0", b"tampered with")
    with pytest.raises(UserError, match=r"some-1\.0\.0\.tgz: is not the published package"):
        fetch_npm_package("some", "1.0.0", "sha512-AAAA")


def test_without_npm_or_with_one_that_fails_one_line_says_so(npm, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(UserError, match=r"some@1\.0\.0: npm is not installed; install Node\.js"):
        fetch_npm_package("some", "1.0.0", "sha512-AAAA")
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "npm"
    script.write_text("#!/bin/sh\necho npm error 404 Not Found >&2\necho more >&2\nexit 1\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(UserError, match=r"could not fetch it \(npm error 404 Not Found\)"):
        fetch_npm_package("some", "1.0.0", "sha512-AAAA")


def test_the_recipe_trains_on_one_vendor_and_selects_on_the_other():
    config = resolve(load_config(ROOT / "experiments" / "emoji" / "config.py"))
    train, dev = config.input_pipeline_train.params, config.input_pipeline_dev.params

    assert (Path(train.captions).name, Path(dev.captions).name) == ("train.tsv", "dev.tsv")
    assert train.image_dir == dev.image_dir == str(Path(train.captions).parent)
    assert config.encoder.params.trainable == "none"
    assert config.best_metric == "sequence_accuracy"


@pytest.mark.parametrize(
    ("module", "arguments", "message"),
    [
        ("emoji.nearest_neighbour", ["--size=0"], "error: --size: must be at least 1; got 0\n"),
        (
            "package_descriptions.first_words",
            ["--words", "0"],
            "error: --words: must be at least 1; got 0\n",
        ),
        (
            "package_descriptions.prepare",
            ["--descriptions=none", "--sources=none"],
            "error: none: cannot be read (No such file or directory)\n",
        ),
    ],
)
def test_a_script_runs_from_the_root_and_reports_an_error_in_one_line(module, arguments, message):
    done = subprocess.run(
        [sys.executable, "-m", f"experiments.{module}", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)
