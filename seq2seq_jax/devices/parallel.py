"""Data parallelism behind one interface: one device, several devices, or several hosts.

Every device holds the whole state and processes its part of the rows of a batch. The loss and the
number of tokens are summed over all devices before one is divided by the other. A step is therefore
the same for any number of devices, however unequal their parts are.
"""

import dataclasses
from collections.abc import Callable, Mapping
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

from seq2seq_jax.data.batches import Batch, Shard

_AXIS = "data"


def available() -> list[jax.Device]:
    """Return all devices of all processes."""
    return jax.devices()


@dataclasses.dataclass(frozen=True)
class ParallelContext:
    """The view that a training step has of the devices that run it at the same time.

    Attributes:
      psum: Sums a tree of arrays over the devices.
      axis_index: Returns the index of the device that executes the step.
      is_local: Whether all rows that the step sees are on one device.
    """

    psum: Callable[[PyTree], PyTree]
    axis_index: Callable[[], PyTree]
    is_local: bool = True


@dataclasses.dataclass(frozen=True)
class Devices:
    """All devices of all processes, and how a step is distributed over them.

    Attributes:
      kind: The value of the key `parallel`. With `jit`, the compiler distributes the step: arrays
        carry their placement (`NamedSharding` over a mesh), and the compiler inserts the sums.
        Dropout then does not depend on the number of devices. With `pmap`, each device runs the
        step on its rows, and the step sums explicitly (`lax.psum`). This is the older way, which
        JAX maintains but no longer develops; `jit` starts steps faster.

    Example:
      >>> devices = Devices()
      >>> batch = devices.shard_batch({"x": np.zeros((8, 2))})
      >>> devices.to_host(batch)["x"].shape
      (8, 2)
    """

    kind: str = "jit"

    @cached_property
    def count(self) -> int:
        """Number of devices of all processes."""
        return len(available())

    @cached_property
    def shard(self) -> Shard:
        """The part of every training batch that this process produces."""
        return Shard(jax.process_index(), jax.process_count())

    @property
    def num_processes(self) -> int:
        """Number of processes, one on each host."""
        return int(jax.process_count())

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes files and logs."""
        return jax.process_index() == 0

    def round_up(self, num_rows: int) -> int:
        """Round a number of rows up to a multiple of the number of devices.

        Args:
          num_rows: At least 0.
        """
        return -(-num_rows // self.count) * self.count

    def replicate(self, tree: PyTree) -> PyTree:
        """Place a whole tree on every device.

        Args:
          tree: A pytree of arrays that every process has.
        """
        if self.count == 1:
            return jax.tree.map(jnp.asarray, tree)
        return jax.device_put(tree, self._replicated)

    def shard_batch(self, batch: Batch) -> PyTree:
        """Distribute the rows of a training batch over the devices.

        Args:
          batch: The part of the batch that this process produced (see `shard`).

        Returns:
          The batch in the form that a function from `compile_step` expects.
        """
        if self.count == 1:
            return batch
        if self.kind == "pmap":
            local = self.count // self.num_processes
            return jax.tree.map(lambda x: x.reshape(local, -1, *x.shape[1:]), batch)
        return jax.tree.map(
            lambda x: jax.make_array_from_process_local_data(self._sharded, x), dict(batch)
        )

    def shard_global_batch(self, batch: Mapping[str, PyTree]) -> PyTree:
        """Distribute the rows of a batch that every process has completely.

        If the number of rows is not divisible by the number of devices, the batch is replicated.

        Args:
          batch: A batch for evaluation or inference.
        """
        if self.count == 1:
            return batch
        num_rows = len(next(iter(batch.values())))
        sharding = self._replicated if num_rows % self.count else self._sharded
        return jax.device_put(dict(batch), sharding)

    def to_host(self, tree: PyTree) -> PyTree:
        """Copy arrays from the devices; every process receives all rows.

        Args:
          tree: A pytree of arrays, sharded or replicated.

        Returns:
          The tree with numpy arrays.
        """
        if self.num_processes > 1:
            tree = jax.tree.map(
                lambda x: (
                    x if x.is_fully_replicated else multihost_utils.process_allgather(x, tiled=True)
                ),
                tree,
            )
        return jax.device_get(tree)

    def sync_preemption(self, step: int, signalled: Callable[[], bool]) -> bool:
        """Return whether all processes stop after this step, because one received a signal.

        All processes must call this after every step.

        Args:
          step: Number of steps done.
          signalled: Returns whether this process received a signal.
        """
        if self.num_processes == 1:
            return signalled()
        return bool(multihost_utils.reached_preemption_sync_point(step))

    def sync_flag(self, flag: bool) -> bool:
        """Return the main process's value of a flag, so that all processes act alike.

        All processes must call this.

        Args:
          flag: This process's value, which may depend on its clock.
        """
        if self.num_processes == 1:
            return flag
        return bool(multihost_utils.broadcast_one_to_all(flag))

    def compile_step(
        self, step: Callable[[PyTree, PyTree, ParallelContext], PyTree]
    ) -> Callable[[PyTree, PyTree], PyTree]:
        """Compile a training step.

        Args:
          step: A function of the state, the batch and the parallel context that returns the new
            state and sums over the batch.

        Returns:
          A function of the replicated state, which it consumes, and of a batch from `shard_batch`.
        """
        compiled: Callable[[PyTree, PyTree], PyTree]
        if self.kind == "pmap" and self.count > 1:
            compiled = jax.pmap(
                lambda state, batch: step(state, batch, _PER_DEVICE),
                _AXIS,
                in_axes=(None, 0),
                out_axes=None,
                devices=available(),
                donate_argnums=0,
            )
        else:
            context = _ONE_DEVICE if self.count == 1 else _COMPILER_SHARDED
            compiled = jax.jit(lambda state, batch: step(state, batch, context), donate_argnums=0)
        return compiled

    @cached_property
    def _mesh(self) -> Mesh:
        return Mesh(np.array(available()), (_AXIS,))

    @cached_property
    def _replicated(self) -> NamedSharding:
        return NamedSharding(self._mesh, PartitionSpec())

    @cached_property
    def _sharded(self) -> NamedSharding:
        return NamedSharding(self._mesh, PartitionSpec(_AXIS))


_ONE_DEVICE = ParallelContext(lambda tree: tree, lambda: 0)
# The program sees all devices as one, and the compiler inserts the sums.
_COMPILER_SHARDED = ParallelContext(lambda tree: tree, lambda: 0, is_local=False)
_PER_DEVICE = ParallelContext(lambda tree: lax.psum(tree, _AXIS), lambda: lax.axis_index(_AXIS))
