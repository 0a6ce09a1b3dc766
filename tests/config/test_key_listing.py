"""The list of keys that `--config.help` prints."""

import pytest

from seq2seq_jax.config import default_config, resolve, split_overrides
from seq2seq_jax.config.key_listing import KeyListing
from seq2seq_jax.utils.errors import UserError


def listing(*arguments):
    overrides, rest = split_overrides(arguments)
    assert not rest
    with pytest.raises(KeyListing) as raised:
        resolve(default_config("AttentionSeq2Seq"), overrides)
    return str(raised.value)


def test_all_keys_are_listed_with_values_rules_and_meanings():
    text = listing("--config.help", "--config.batch_size=7")

    assert (
        "--config.batch_size=7  (a whole number, 1 to 65536)\n"
        "    Number of examples in a training batch.\n"
    ) in text
    assert "--config.encoder.params.rnn_cell.cell_params.num_units=128" in text


def test_the_keys_of_the_chosen_class_are_listed():
    text = listing("--config.encoder.params.help", "--config.encoder.class=PoolingEncoder")

    assert text.startswith("--config.encoder.params.pooling_fn=average_pooling1d")
    assert "num_layers" not in text


def test_an_unknown_group_is_an_error():
    with pytest.raises(UserError, match=r"^encodr: unknown key encodr, did you mean encoder\?"):
        listing("--config.encodr.help")
