"""Recipes by name: from a checkout, and with arguments."""

import pytest

from seq2seq_jax.config import config_name, load_config, resolve
from seq2seq_jax.config.recipes import find_recipe, recipe_files
from seq2seq_jax.utils.errors import UserError
from tests.documented_commands import ROOT


def test_every_recipe_of_the_checkout_has_a_name():
    assert list(recipe_files()) == sorted(file.stem for file in (ROOT / "configs").glob("*.py"))


def test_a_recipe_is_the_same_by_name_and_by_path():
    by_name = resolve(load_config("g2p"))
    assert by_name.to_dict() == resolve(load_config(ROOT / "configs" / "g2p.py")).to_dict()


def test_a_recipe_takes_an_argument_and_names_its_workdir():
    assert load_config("nmt:large").embedding.dim == 512
    assert config_name("nmt:large") == "nmt_large"
    assert config_name("toy_reverse") == "toy_reverse"


def test_the_file_of_a_user_is_no_recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "g2p.py").write_text("def get_config(): raise ValueError('mine')\n")
    with pytest.raises(UserError, match=r"^g2p\.py:1: ValueError: mine"):
        load_config("g2p.py")
    assert find_recipe("g2p.py") is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("g2q", "g2q: no such config file, did you mean g2p?"),
        ("nmtt:large", "nmtt:large: no such config file, did you mean nmt?"),
        ("zzz", "zzz: no such config file; `seq2seq-jax configs` lists the recipes"),
        ("configs/g2p.py", "configs/g2p.py: no such config file, did you mean g2p?"),
        ("nmt", None),
    ],
)
def test_an_unknown_name_is_reported_with_the_nearest_recipe(name, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if message is None:
        assert load_config(name).embedding.dim == 128
        return
    with pytest.raises(UserError) as error:
        load_config(name)
    assert str(error.value) == message
