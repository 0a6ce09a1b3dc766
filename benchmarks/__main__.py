"""Measure speed and memory; write JSON lines to standard output.

    python -m benchmarks speed [--cases A,B,C,R] [--modes train,greedy,beam5]
    python -m benchmarks install && python -m benchmarks speed --peers all
    python -m benchmarks input-pipeline | recorded | loop | images
    python -m benchmarks scaling
    python -m benchmarks report FILE... --output docs

docs/benchmarks.md describes what is measured and how.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.cases import CASES
from benchmarks.inception_work import inception_works
from benchmarks.interleaved import Competitor, find_competitors, run_interleaved
from benchmarks.peers.environments import (
    DIRECTORY,
    IMAGE_NETWORKS,
    INPUTS,
    PEERS,
    TOOLKITS,
    TORCH_INDEX,
    create_environments,
)
from benchmarks.work import MODES, Work, all_work, say, usable_processors
from seq2seq_jax.utils.errors import UserError

OURS = Competitor("seq2seq_jax", sys.executable, "benchmarks.ours")


def main(argv: Sequence[str]) -> int:
    """Run one command.

    Args:
      argv: The command line without the program's name.

    Returns:
      The exit status: 0, 1 if a measurement failed, or 2 for an error that the user can correct.
    """
    arguments = _parser().parse_args(argv)
    # All toolkits are measured on the CPU, unless JAX_PLATFORMS names another platform.
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    try:
        return arguments.run(arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _speed(arguments: argparse.Namespace) -> int:
    works = all_work(
        _names("--cases", arguments.cases, CASES),
        _names("--modes", arguments.modes, MODES),
        arguments.seconds,
        tuple(arguments.data),
    )
    competitors = [OURS, *_peers(arguments, TOOLKITS)]
    return _print(run_interleaved(competitors, works, _threads(arguments), arguments.rounds))


def _input_pipeline(arguments: argparse.Namespace) -> int:
    from benchmarks.input_pipeline import measure_input, our_process, prepare_input

    work = prepare_input(arguments.data)
    competitors = [our_process(), *_peers(arguments, INPUTS)]
    return max(
        _print(measure_input(work, competitors, threads, arguments.seconds, arguments.rounds))
        for threads in _threads(arguments)
    )


def _recorded(arguments: argparse.Namespace) -> int:
    from benchmarks.recorded import BATCH_SIZE, RECORDED

    say("The times of google/seq2seq were recorded on an idle machine with two Zen 4 cores.")
    names = _names("--cases", arguments.cases, RECORDED)
    works = [Work(name, "step", BATCH_SIZE, arguments.seconds) for name in names]
    ours = OURS._replace(module="benchmarks.recorded")
    return _print(run_interleaved([ours], works, _threads(arguments), arguments.rounds))


def _loop(arguments: argparse.Namespace) -> int:
    from benchmarks.loop import LOG_EVERY, measure_loop

    def measure(case: str, threads: int) -> dict[str, Any]:
        try:
            return measure_loop(case, threads, arguments.steps, arguments.rounds)
        except RuntimeError as error:
            return {"peer": OURS.name, "case": case, "mode": "loop", "error": str(error)}

    if arguments.steps < 3 * LOG_EVERY:
        raise UserError("--steps", f"must be at least {3 * LOG_EVERY}; got {arguments.steps}")
    cases = _names("--cases", arguments.cases, CASES)
    return _print(measure(case, threads) for case in cases for threads in _threads(arguments))


def _scaling(arguments: argparse.Namespace) -> int:
    from benchmarks.scaling import COUNTS, compile_for, simulate_devices, to_markdown

    (name,) = _names("--case", arguments.case, CASES)
    simulate_devices()
    print(to_markdown([compile_for(name, count) for count in COUNTS]))
    return 0


def _images(arguments: argparse.Namespace) -> int:
    ours = OURS._replace(module="benchmarks.inception")
    competitors = [ours, *_peers(arguments, IMAGE_NETWORKS)]
    works = inception_works(arguments.seconds)
    return _print(run_interleaved(competitors, works, _threads(arguments), arguments.rounds))


def _install(arguments: argparse.Namespace) -> int:
    create_environments(
        _names("--only", arguments.only, PEERS), arguments.directory, arguments.torch_index
    )
    return 0


def _report(arguments: argparse.Namespace) -> int:
    from benchmarks.report import write_report

    table, figure = write_report(arguments.files, arguments.output)
    say(f"{table}\n{figure}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="benchmarks",
        description="Measure speed and memory; write JSON lines to standard output.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: Any, what: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=what, description=what)
        added.set_defaults(run=run)
        return added

    speed = command(
        "speed", _speed, "Measure training and decoding of this package and of other toolkits."
    )
    speed.add_argument(
        "--cases", default="A,B,C", help=f"Any of {','.join(CASES)}. The default is %(default)s."
    )
    speed.add_argument("--modes", default=",".join(MODES), help="Any of %(default)s.")
    _add_data(
        speed,
        "Parallel files for case R. Without them, lengths distributed as in Multi30k are drawn.",
    )
    _add_peers(speed, TOOLKITS, "")
    _add_timing(speed, seconds=15, rounds=1)

    input_pipeline = command(
        "input-pipeline",
        _input_pipeline,
        "Measure batches from prepared data, compared with grain and tf.data.",
    )
    _add_data(input_pipeline, "Parallel files. Without them, a million pairs are generated.")
    _add_peers(input_pipeline, INPUTS, "all")
    _add_timing(input_pipeline, seconds=15, rounds=3)

    recorded = command(
        "recorded", _recorded, "Measure the training step at the recorded shapes of google/seq2seq."
    )
    recorded.add_argument("--cases", default="nmt_small,nmt_medium", help="Any of %(default)s.")
    _add_timing(recorded, seconds=15, rounds=1)

    loop = command(
        "loop", _loop, "Measure the overhead of the training loop, and the time to the first step."
    )
    loop.add_argument(
        "--cases", default="A,B", help=f"Any of {','.join(CASES)}. The default is %(default)s."
    )
    loop.add_argument(
        "--steps", type=int, default=250, help="Steps of each run. The default is %(default)s."
    )
    _add_timing(loop, seconds=None, rounds=3)

    scaling = command("scaling", _scaling, "Print a table of operations and reductions per device.")
    scaling.add_argument(
        "--case", default="A", help=f"One of {','.join(CASES)}. The default is %(default)s."
    )

    images = command(
        "images", _images, "Measure InceptionV3 at 75 and 299 pixels, compared with Keras."
    )
    _add_peers(images, IMAGE_NETWORKS, "all")
    _add_timing(images, seconds=15, rounds=1)

    install = command("install", _install, "Create the environments of the other toolkits.")
    install.add_argument(
        "--only", default="all", help=f"Any of {','.join(PEERS)}. The default is %(default)s."
    )
    install.add_argument(
        "--directory", default=DIRECTORY, help="Their directory. The default is %(default)s."
    )
    install.add_argument(
        "--torch-index",
        default=TORCH_INDEX,
        metavar="URL",
        help="The index of CPU builds of PyTorch; empty for pip's own. The default is %(default)s.",
    )

    report = command("report", _report, "Write a table and a plot of the printed lines.")
    report.add_argument("files", nargs="+", metavar="FILE")
    report.add_argument(
        "--output", default="docs", metavar="DIR", help="The directory. The default is %(default)s."
    )
    return parser


def _add_data(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--data", nargs=2, default=(), metavar=("SOURCE", "TARGET"), help=what)


def _add_peers(parser: argparse.ArgumentParser, peers: Iterable[str], default: str) -> None:
    names = f"Any of {','.join(peers)}, or all. The default is '%(default)s'."
    parser.add_argument("--peers", default=default, help=names)
    parser.add_argument(
        "--directory", default=DIRECTORY, help="Their directory. The default is %(default)s."
    )


def _add_timing(parser: argparse.ArgumentParser, seconds: float | None, rounds: int) -> None:
    if seconds is not None:
        parser.add_argument(
            "--seconds",
            type=float,
            default=seconds,
            help="Seconds per measurement. The default is %(default)s.",
        )
    parser.add_argument(
        "--rounds", type=int, default=rounds, help="Rounds. The default is %(default)s."
    )
    parser.add_argument(
        "--threads",
        default="",
        help="Numbers of threads, as in 1,2. The default is all processors.",
    )


def _names(flag: str, given: str, valid: Iterable[str]) -> list[str]:
    valid = list(valid)
    names = valid if given == "all" else [name for name in given.split(",") if name]
    for name in names:
        if name not in valid:
            raise UserError(flag, f"must be any of {', '.join(valid)}, or all; got {name}")
    return names


def _peers(arguments: argparse.Namespace, valid: Iterable[str]) -> list[Competitor]:
    return find_competitors(_names("--peers", arguments.peers, valid), arguments.directory)


def _threads(arguments: argparse.Namespace) -> list[int]:
    most = len(usable_processors())
    given = arguments.threads or str(most)
    for count in given.split(","):
        if not count.isdigit() or not 1 <= int(count) <= most:
            raise UserError(
                "--threads", f"must be numbers from 1 to {most}, separated by commas; got {count}"
            )
    return [int(count) for count in given.split(",")]


def _print(lines: Iterable[dict[str, Any]]) -> int:
    machine, failed = _machine(), False
    for line in lines:
        print(json.dumps({**line, "machine": machine}), flush=True)
        failed |= "error" in line
    return int(failed)


def _machine() -> str:
    name = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return f"{name}, {len(usable_processors())} processors"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
