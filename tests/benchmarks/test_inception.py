import pytest

from benchmarks.inception import forward_gflop
from seq2seq_jax.captioning.models.inception_v3 import InceptionV3


def test_the_networks_operations_are_those_that_are_published():
    """5.71e9 multiplications with additions at 299 pixels, as torchvision lists the network."""
    assert forward_gflop(InceptionV3(), 299) == pytest.approx(2 * 5.71, rel=0.005)
