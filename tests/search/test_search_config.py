"""A custom function that chooses successors is checked before anything is searched."""

import pytest

from seq2seq_jax.search.search_config import make_inference_config, make_search_config
from seq2seq_jax.utils.errors import UserError
from tests.tiny_models import tiny_config

KEY = "inference.beam_search.choose_successors_fn"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("os.system", "it fails with TypeError: "),
        ("json.loads", "it fails with TypeError: "),
        ("collections.OrderedDict", "it "),
        ("jax.numpy.exp", "it returns ShapeDtypeStruct"),
        ("jax.numpy.argmax", "it returns ShapeDtypeStruct"),
    ],
)
def test_what_does_not_choose_successors_is_refused(path, reason):
    flags = {"inference__beam_search__choose_successors_fn": path}
    config = tiny_config(inference__beam_search__beam_width=3, **flags)
    with pytest.raises(UserError) as error:
        make_search_config(make_inference_config(config.inference))
    assert error.value.where == KEY
    assert error.value.what.startswith("must be the path of a function from scores [B, K, V] to ")
    assert reason in error.value.what
