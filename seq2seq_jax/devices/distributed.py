"""Training on several hosts: one process on each, started with the same command."""

import argparse
import itertools
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from seq2seq_jax.utils.errors import UserError

HOST_TIMEOUT = "SEQ2SEQ_JAX_HOST_TIMEOUT"
"""The environment variable with the seconds that a process waits for the slowest one at the start.

The default is a day: one host may tokenize a corpus that the others find in their caches. A process
that has died is noticed sooner, because it stops sending signs of life.
"""

_log = logging.getLogger(__name__)
_starts = itertools.count()  # All processes count their trainings in the same way.
_VARIABLES = {
    "coordinator_address": "JAX_COORDINATOR_ADDRESS",
    "num_processes": "JAX_NUM_PROCESSES",
    "process_id": "JAX_PROCESS_ID",
}


def add_host_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags for several hosts to a command.

    Args:
      parser: The command's parser.
    """
    group = parser.add_argument_group(
        "several hosts",
        "Run the same command on each host, with the same files and a workdir that all of them see."
        f" The environment variables {', '.join(_VARIABLES.values())} can replace the flags."
        f" {HOST_TIMEOUT} limits the seconds for which a process waits for the others to prepare"
        " their data.",
    )
    group.add_argument(
        "--coordinator-address",
        metavar="HOST:PORT",
        help="The address on which the first process listens.",
    )
    group.add_argument("--num-processes", metavar="N", type=int, help="The number of processes.")
    group.add_argument(
        "--process-id", metavar="I", type=int, help="The number of this process, from 0."
    )
    group.add_argument(
        "--distributed",
        action="store_true",
        help="Let JAX detect the processes, as it can on Slurm, TPU pods, Open MPI and Kubernetes.",
    )


def initialize_distributed(arguments: argparse.Namespace) -> None:
    """Connect this process to the others, if there are others.

    It must be called before any device is used. Only the first process logs its progress; the
    others log only warnings.

    Args:
      arguments: Parsed flags of `add_host_arguments`.

    Raises:
      UserError: A setting is missing, or the other processes cannot be reached.
    """
    settings: dict[str, Any] = {name: _read_setting(arguments, name) for name in _VARIABLES}
    if not arguments.distributed and all(value is None for value in settings.values()):
        return
    missing = [name for name, value in settings.items() if value is None]
    if missing and not arguments.distributed:
        raise UserError(
            f"--{missing[0].replace('_', '-')}",
            "is missing: several hosts need --coordinator-address, --num-processes and"
            " --process-id, or --distributed where JAX can detect them",
        )
    import jax

    from seq2seq_jax.utils.logging import set_up_logging

    _configure_cpus()
    try:
        jax.distributed.initialize(**settings)
    except (RuntimeError, ValueError) as error:
        what = f"cannot join the others: {_one_line(error)}"
        raise UserError("--coordinator-address", what) from error
    if jax.process_index() > 0:
        set_up_logging(logging.WARNING)


@contextmanager
def prepare_together() -> Iterator["HostBarrier"]:
    """Let the processes of all hosts prepare a training, and report to the others if one fails.

    Yields:
      The barrier that each process passes when it is prepared, before the first collective
      operation. Such an operation would fail after 30 seconds if a process arrived later.
    """
    barrier = HostBarrier(next(_starts))
    try:
        yield barrier
    except Exception as error:
        barrier.announce(f"failed: {_one_line(error)}")
        raise


class HostBarrier:
    """A point where every process waits until all processes have arrived."""

    def __init__(self, number: int) -> None:
        """Describe the barrier.

        Args:
          number: Differs from that of other barriers, and is the same in all processes.
        """
        self._prefix = f"seq2seq_jax/prepared/{number}"
        self._is_announced = False

    def announce(self, state: str) -> None:
        """Announce the state of this process to the others. Only the first call counts.

        Args:
          state: "ready", or why this process cannot continue.
        """
        client = _client()
        if client is not None and not self._is_announced:
            import jax

            self._is_announced = True
            client.key_value_set(f"{self._prefix}/{jax.process_index()}", state)

    def wait(self) -> None:
        """Wait until all processes are ready; every half minute, say for which one.

        Raises:
          UserError: A process has failed, or has not arrived in time.
        """
        client = _client()
        if client is None:
            return
        import jax

        limit = _timeout()
        started = time.monotonic()
        self.announce("ready")
        for process in range(jax.process_count()):
            state = None
            while state is None:
                left = limit - (time.monotonic() - started)
                if left <= 0:
                    what = (
                        f"has not prepared its data {limit:.0f} s after this process; see its log,"
                        f" or set {HOST_TIMEOUT} to more seconds"
                    )
                    raise UserError(f"process {process}", what)
                try:
                    milliseconds = max(1, int(1000 * min(left, 30)))
                    state = client.blocking_key_value_get(f"{self._prefix}/{process}", milliseconds)
                except jax.errors.JaxRuntimeError as error:
                    if "DEADLINE_EXCEEDED" not in str(error):
                        raise UserError(f"process {process}", _one_line(error)) from error
                    _log.info("Waiting for process %d to prepare its data", process)
            if state != "ready":
                raise UserError(f"process {process}", state)


def _client() -> Any:
    """Return JAX's client of the service that connects the processes; None for one process."""
    import jax
    from jax._src import distributed  # JAX has no public interface to it.

    return distributed.global_state.client if jax.process_count() > 1 else None


def _timeout() -> float:
    text = os.environ.get(HOST_TIMEOUT, "86400")
    try:
        seconds = float(text)
        if seconds > 0:
            return seconds
    except ValueError:
        pass
    raise UserError(HOST_TIMEOUT, f"must be a number of seconds above 0; got {text!r}")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _configure_cpus() -> None:
    """Make collective operations between CPU hosts safe.

    A CPU device that waits for other hosts occupies a thread. With too few threads all of them
    wait, and with several programs in flight the hosts may sum different things.
    """
    import jax

    os.environ.setdefault("NPROC", str(max(8, os.cpu_count() or 1)))  # number of XLA's threads
    jax.config.update("jax_cpu_enable_async_dispatch", False)


def _read_setting(arguments: argparse.Namespace, name: str) -> str | int | None:
    """Return the value of a flag or of its environment variable."""
    value: str | int | None = getattr(arguments, name)
    if value is not None or _VARIABLES[name] not in os.environ:
        return value
    text = os.environ[_VARIABLES[name]]
    if name == "coordinator_address":
        return text
    if not text.isdecimal():
        raise UserError(_VARIABLES[name], f"must be a whole number; got {text!r}")
    return int(text)
