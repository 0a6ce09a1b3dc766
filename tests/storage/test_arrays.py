import jax.numpy as jnp
import numpy as np

from seq2seq_jax.storage.arrays import digest, named_arrays


def test_the_digest_depends_on_names_shapes_dtypes_and_bytes():
    zeros = np.zeros((2, 3), np.float32)
    trees = [
        {"a": zeros},
        {"b": zeros},
        {"a": zeros.reshape(3, 2)},
        {"a": zeros.astype(np.int32)},
        {"a": -zeros},
    ]
    assert len({digest(tree) for tree in trees}) == len(trees)
    assert digest({"a": jnp.asarray(zeros)}) == digest(trees[0])


def test_arrays_are_named_by_their_dotted_path():
    assert sorted(named_arrays({"encoder": {"kernel": jnp.zeros((2, 3))}, "bias": 1.0})) == [
        "bias",
        "encoder.kernel",
    ]
