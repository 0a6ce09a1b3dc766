"""Training on several hosts: one process on each, started with the same command."""

import argparse
import logging
import os
from typing import Any

from seq2seq_jax.utils.errors import UserError

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
        f" The environment variables {', '.join(_VARIABLES.values())} can replace the flags.",
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
        reason = " ".join(str(error).split())[:300]
        raise UserError("--coordinator-address", f"cannot join the others: {reason}") from error
    if jax.process_index() > 0:
        set_up_logging(logging.WARNING)


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
