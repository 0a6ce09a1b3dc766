"""Several hosts that train together: one process on each, started with the same command."""

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
    """Connects this process to the others, if there are others; before any device is touched.

    Only the first process speaks; the others give warnings alone.

    Raises:
      UserError: some of what is needed is missing, or the others are not found.
    """
    given: dict[str, Any] = {name: _given(arguments, name) for name in _VARIABLES}
    if not arguments.distributed and all(value is None for value in given.values()):
        return
    missing = [name for name, value in given.items() if value is None]
    if missing and not arguments.distributed:
        raise UserError(
            f"--{missing[0].replace('_', '-')}",
            "is missing: several hosts need --coordinator-address, --num-processes and"
            " --process-id, or --distributed where JAX can find them out",
        )
    import jax

    from seq2seq_jax.utils.logging import set_up_logging

    _let_cpus_meet()
    try:
        jax.distributed.initialize(**given)
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError("--coordinator-address", f"cannot join the others: {reason}") from error
    if jax.process_index() > 0:
        set_up_logging(logging.WARNING)


def _let_cpus_meet() -> None:
    """On CPUs a device that waits for other hosts holds a thread, and meets them in the order in
    which it gets to it. With too few threads none goes on; with several programs in flight the
    hosts can add up different things.
    """
    import jax

    os.environ.setdefault("NPROC", str(max(8, os.cpu_count() or 1)))  # how many threads XLA makes
    jax.config.update("jax_cpu_enable_async_dispatch", False)


def _given(arguments: argparse.Namespace, name: str) -> str | int | None:
    value = getattr(arguments, name)
    if value is not None or _VARIABLES[name] not in os.environ:
        return value
    text = os.environ[_VARIABLES[name]]
    if name == "coordinator_address":
        return text
    if not text.isdecimal():
        raise UserError(_VARIABLES[name], f"must be a whole number; got {text!r}")
    return int(text)
