"""One small interface to one device, several, or several hosts: data parallelism.

Every device holds the whole state and works on its part of the rows of a batch. The loss and the
number of tokens are summed over all devices before the one is divided by the other, so that a step
is the same whatever the number of devices and however unequal their parts.
"""

import dataclasses
from collections.abc import Callable
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from seq2seq_jax.data.batches import Batch, Shard

_AXIS = "data"


def available() -> list[jax.Device]:
    """All devices of all processes."""
    return jax.devices()


@dataclasses.dataclass(frozen=True)
class ParallelContext:
    """What a step can ask about the devices that run it at once, each on rows of its own.

    Attributes:
      total: sums a tree of arrays over them.
      index: tells which of them this is, an integer.
      is_local: whether the rows that the step sees are all on one device.
    """

    total: Callable[[Any], Any]
    index: Callable[[], Any]
    is_local: bool = True


@dataclasses.dataclass(frozen=True)
class Devices:
    """All devices of all processes, and how a step is spread over them.

    `kind` is one of

      jit   the compiler partitions the step: arrays say where they are (`NamedSharding` over a
            mesh), and it adds the sums over devices. Dropout does not depend on the number of
            devices. Steps start several times faster than with pmap, and over several hosts an
            array can be one array.
      pmap  each device runs the step on its rows, and the sums are explicit (`lax.psum`). JAX
            keeps it, but no longer develops it.
    """

    kind: str = "jit"

    @cached_property
    def count(self) -> int:
        """Devices of all processes."""
        return len(available())

    @cached_property
    def share(self) -> Shard:
        """The part of every training batch that this process makes."""
        return Shard(jax.process_index(), jax.process_count())

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes and speaks for all."""
        return jax.process_index() == 0

    def whole(self, rows: int) -> int:
        """The least number of rows from `rows` on that every device gets an equal part of."""
        return -(-rows // self.count) * self.count

    def replicate(self, tree: Any) -> Any:
        """The whole tree on every device."""
        if self.count == 1:
            return jax.tree.map(jnp.asarray, tree)
        return jax.device_put(tree, self._whole)

    def spread(self, batch: Batch) -> Any:
        """Rows of a training batch over the devices; each process gives its share of them."""
        if self.count == 1:
            return batch
        if self.kind == "pmap":
            local = self.count // jax.process_count()
            return jax.tree.map(lambda x: x.reshape(local, -1, *x.shape[1:]), batch)
        return jax.tree.map(
            lambda x: jax.make_array_from_process_local_data(self._rows, x), dict(batch)
        )

    def spread_whole(self, batch: Batch) -> Any:
        """As `spread`, of a batch that every process has whole; if its rows do not divide, every
        device works on all of them."""
        if self.count == 1:
            return batch
        rows = len(next(iter(batch.values())))
        sharding = self._whole if rows % self.count else self._rows
        return jax.device_put(dict(batch), sharding)

    def fetch(self, tree: Any) -> Any:
        """Arrays of the devices as numpy arrays, whole in every process."""
        if jax.process_count() > 1:
            tree = jax.tree.map(
                lambda x: (
                    x if x.is_fully_replicated else multihost_utils.process_allgather(x, tiled=True)
                ),
                tree,
            )
        return jax.device_get(tree)

    def sync_preemption(self, step: int, signalled: Callable[[], bool]) -> bool:
        """Whether all processes stop after this step, because one of them got a signal."""
        if jax.process_count() == 1:
            return signalled()
        return bool(multihost_utils.reached_preemption_sync_point(step))

    def compile_step(
        self, step: Callable[[Any, Any, ParallelContext], Any]
    ) -> Callable[[Any, Any], Any]:
        """Compiles step(state, batch, across), which gives the new state and sums of the batch.

        The state is replicated and is consumed; the batch comes from `spread`.
        """
        if self.kind != "pmap" or self.count == 1:
            across = _ALONE if self.count == 1 else _TOGETHER
            return jax.jit(lambda state, batch: step(state, batch, across), donate_argnums=0)
        return jax.pmap(
            lambda state, batch: step(state, batch, _EACH),
            _AXIS,
            in_axes=(None, 0),
            out_axes=None,
            devices=available(),
            donate_argnums=0,
        )

    @cached_property
    def _mesh(self) -> Mesh:
        return Mesh(np.array(available()), (_AXIS,))

    @cached_property
    def _whole(self) -> NamedSharding:
        return NamedSharding(self._mesh, PartitionSpec())

    @cached_property
    def _rows(self) -> NamedSharding:
        return NamedSharding(self._mesh, PartitionSpec(_AXIS))


_ALONE = ParallelContext(lambda tree: tree, lambda: 0)
# The compiler's view of all devices as one.
_TOGETHER = ParallelContext(lambda tree: tree, lambda: 0, is_local=False)
_EACH = ParallelContext(lambda tree: lax.psum(tree, _AXIS), lambda: lax.axis_index(_AXIS))
