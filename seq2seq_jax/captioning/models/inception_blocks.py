"""The blocks of InceptionV3 as a table (Szegedy et al. 2015, arXiv:1512.00567, table 1).

There are 94 convolutions, each with batch normalization and ReLU; the classifier is left out. The
blocks have the names that Keras gives them: `stem`, then `mixed0` to `mixed10`, which TF-slim and
torchvision call Mixed_5b to Mixed_7c.
"""

from typing import NamedTuple

from seq2seq_jax.utils.errors import UserError


class Conv(NamedTuple):
    """A convolution with batch normalization and ReLU."""

    features: int
    height: int
    width: int
    stride: int = 1
    padding: str = "SAME"


class Fork(NamedTuple):
    """Convolutions of the same map, whose results are concatenated."""

    convs: tuple[Conv, ...]


AVERAGE_POOL = "average_pool"  # 3 x 3, stride 1, as large as its input
MAX_POOL = "max_pool"  # 3 x 3, stride 2

Step = Conv | Fork | str
Branch = tuple[Step, ...]
Block = tuple[Branch, ...]
"""Branches that read the same map, and whose results are concatenated."""


def blocks_up_to(block: str) -> tuple[str, ...]:
    """Return the names of the blocks that the features of `block` are computed from."""
    names = tuple(BLOCKS)
    return names[: names.index(block) + 1]


def trained_blocks(block: str, trainable: str) -> tuple[str, ...]:
    """Return the names of the blocks that are trained.

    Args:
      block: The last block that is computed.
      trainable: The first block that is trained, "all" or "none".

    Raises:
      UserError: The first block to train comes after the last one that is computed.

    Example:
      >>> trained_blocks("mixed2", "mixed1")
      ('mixed1', 'mixed2')
    """
    names = blocks_up_to(block)
    if trainable == "none":
        return ()
    if trainable == "all":
        return names
    if trainable not in names:
        raise UserError(
            "encoder.params.trainable",
            f"{trainable} comes after the last block that is computed, encoder.params.block:"
            f" {block}; use none, all or a block from {names[0]} to {block}",
        )
    return names[names.index(trainable) :]


def convolutions(block: str) -> dict[tuple[str, str], Conv]:
    """Return the convolutions of the blocks up to `block`, in order.

    Returns:
      A mapping from the names of the two modules that hold the weights, such as
      `("mixed0", "branch1_conv0")`, to the convolution.

    Example:
      >>> convolutions("stem")["stem", "branch0_conv0"]
      Conv(features=32, height=3, width=3, stride=2, padding='VALID')
    """
    return {
        (name, conv_name): conv
        for name in blocks_up_to(block)
        for i, branch in enumerate(BLOCKS[name])
        for conv_name, conv in named_convolutions(i, branch)
    }


def named_convolutions(index: int, branch: Branch) -> list[tuple[str, Conv]]:
    """Return the convolutions of a branch with the names of their modules.

    Args:
      index: The index of the branch in its block.
      branch: The branch.
    """
    convs: list[Conv] = []
    for step in branch:
        if isinstance(step, Fork):
            convs += step.convs
        elif isinstance(step, Conv):
            convs.append(step)
    return [(f"branch{index}_conv{i}", conv) for i, conv in enumerate(convs)]


def _stem() -> Block:
    branch = (
        Conv(32, 3, 3, 2, "VALID"),
        Conv(32, 3, 3, 1, "VALID"),
        Conv(64, 3, 3),
        MAX_POOL,
        Conv(80, 1, 1),
        Conv(192, 3, 3, 1, "VALID"),
        MAX_POOL,
    )
    return (branch,)


def _figure_5(pooled: int) -> Block:
    return (
        (Conv(64, 1, 1),),
        (Conv(48, 1, 1), Conv(64, 5, 5)),
        (Conv(64, 1, 1), Conv(96, 3, 3), Conv(96, 3, 3)),
        (AVERAGE_POOL, Conv(pooled, 1, 1)),
    )


def _reduction_to_17() -> Block:
    return (
        (Conv(384, 3, 3, 2, "VALID"),),
        (Conv(64, 1, 1), Conv(96, 3, 3), Conv(96, 3, 3, 2, "VALID")),
        (MAX_POOL,),
    )


def _figure_6(n: int) -> Block:
    return (
        (Conv(192, 1, 1),),
        (Conv(n, 1, 1), Conv(n, 1, 7), Conv(192, 7, 1)),
        (Conv(n, 1, 1), Conv(n, 7, 1), Conv(n, 1, 7), Conv(n, 7, 1), Conv(192, 1, 7)),
        (AVERAGE_POOL, Conv(192, 1, 1)),
    )


def _reduction_to_8() -> Block:
    return (
        (Conv(192, 1, 1), Conv(320, 3, 3, 2, "VALID")),
        (Conv(192, 1, 1), Conv(192, 1, 7), Conv(192, 7, 1), Conv(192, 3, 3, 2, "VALID")),
        (MAX_POOL,),
    )


def _figure_7() -> Block:
    fork = Fork((Conv(384, 1, 3), Conv(384, 3, 1)))
    return (
        (Conv(320, 1, 1),),
        (Conv(384, 1, 1), fork),
        (Conv(448, 1, 1), Conv(384, 3, 3), fork),
        (AVERAGE_POOL, Conv(192, 1, 1)),
    )


BLOCKS: dict[str, Block] = {  # with the size of its map for an image of 299 x 299
    "stem": _stem(),  # 35 x 35 x 192
    "mixed0": _figure_5(pooled=32),  # 35 x 35 x 256
    "mixed1": _figure_5(pooled=64),  # 35 x 35 x 288
    "mixed2": _figure_5(pooled=64),  # 35 x 35 x 288
    "mixed3": _reduction_to_17(),  # 17 x 17 x 768
    "mixed4": _figure_6(128),  # 17 x 17 x 768
    "mixed5": _figure_6(160),  # 17 x 17 x 768
    "mixed6": _figure_6(160),  # 17 x 17 x 768
    "mixed7": _figure_6(192),  # 17 x 17 x 768
    "mixed8": _reduction_to_8(),  # 8 x 8 x 1280
    "mixed9": _figure_7(),  # 8 x 8 x 2048
    "mixed10": _figure_7(),  # 8 x 8 x 2048
}
