import logging
import unicodedata

import pytest

from tests.tiny_workdir import tiny_run


@pytest.mark.parametrize("key", ["source__normalization", "target__normalization"])
def test_the_version_of_unicode_is_stored_with_a_model_that_normalizes(
    tmp_path, monkeypatch, caplog, key
):
    run = tiny_run(tmp_path / "run", {1: 0}, **{key: "NFD"})
    config = run.config()

    assert run.describe(config)["unicode"] == unicodedata.unidata_version
    with caplog.at_level(logging.WARNING):
        assert run.tokenizers(config) is not None
    assert caplog.messages == []
    monkeypatch.setattr(unicodedata, "unidata_version", "99.0.0")
    with caplog.at_level(logging.WARNING):
        run.tokenizers(config)
    assert "and this Python has 99.0.0" in caplog.text


def test_other_models_do_not_depend_on_it(tmp_path):
    run = tiny_run(tmp_path / "run", {1: 0}, source__normalization="none")
    assert "unicode" not in run.describe(run.config())
