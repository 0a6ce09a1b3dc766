"""Speed and memory, as JSON lines on standard output.

    python -m benchmarks speed [--cases A,B,C,R] [--modes train,greedy,beam5]
    python -m benchmarks install && python -m benchmarks speed --peers all
    python -m benchmarks input-pipeline | recorded | loop | pictures
    python -m benchmarks scaling
    python -m benchmarks report FILE... --output docs

docs/benchmarks.md says what is measured, and how.
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
from benchmarks.in_turn import Competitor, installed, measure_in_turn
from benchmarks.inception_work import inception_work
from benchmarks.peers.environments import (
    FOLDER,
    INPUTS,
    PEERS,
    PICTURES,
    TOOLKITS,
    TORCH_INDEX,
    make_environments,
)
from benchmarks.work import MODES, Work, all_work, say, usable_processors
from seq2seq_jax.utils.errors import UserError

OURS = Competitor("seq2seq_jax", sys.executable, "benchmarks.ours")


def main(argv: Sequence[str]) -> int:
    """Exit status: 0; 1 if a measurement failed; 2 for an error of the user's."""
    arguments = _parser().parse_args(argv)
    # All measure on the CPU, unless another place is named.
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
    return _print(measure_in_turn(competitors, works, _threads(arguments), arguments.rounds))


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

    say("google/seq2seq's times are recorded ones, of a quiet machine with two Zen 4 cores")
    names = _names("--cases", arguments.cases, RECORDED)
    works = [Work(name, "step", BATCH_SIZE, arguments.seconds) for name in names]
    ours = OURS._replace(module="benchmarks.recorded")
    return _print(measure_in_turn([ours], works, _threads(arguments), arguments.rounds))


def _loop(arguments: argparse.Namespace) -> int:
    from benchmarks.loop import LOG_EVERY, measure_loop

    def measure(case: str, threads: int) -> dict[str, Any]:
        try:
            return measure_loop(case, threads, arguments.steps, arguments.rounds)
        except RuntimeError as error:
            return {"peer": OURS.name, "case": case, "mode": "loop", "error": str(error)}

    if arguments.steps < 3 * LOG_EVERY:
        raise UserError("--steps", f"at least {3 * LOG_EVERY}; got {arguments.steps}")
    cases = _names("--cases", arguments.cases, CASES)
    return _print(measure(case, threads) for case in cases for threads in _threads(arguments))


def _scaling(arguments: argparse.Namespace) -> int:
    from benchmarks.scaling import COUNTS, compile_for, pretend_devices, table

    (name,) = _names("--case", arguments.case, CASES)
    pretend_devices()
    print(table([compile_for(name, count) for count in COUNTS]))
    return 0


def _pictures(arguments: argparse.Namespace) -> int:
    ours = OURS._replace(module="benchmarks.inception")
    competitors = [ours, *_peers(arguments, PICTURES)]
    works = inception_work(arguments.seconds)
    return _print(measure_in_turn(competitors, works, _threads(arguments), arguments.rounds))


def _install(arguments: argparse.Namespace) -> int:
    make_environments(
        _names("--only", arguments.only, PEERS), arguments.folder, arguments.torch_index
    )
    return 0


def _report(arguments: argparse.Namespace) -> int:
    from benchmarks.report import write_report

    table, picture = write_report(arguments.files, arguments.output)
    say(f"{table}\n{picture}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="benchmarks", description="Speed and memory, as JSON lines."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: Any, what: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=what, description=what)
        added.set_defaults(run=run)
        return added

    speed = command("speed", _speed, "training and decoding, of this package and of others")
    speed.add_argument("--cases", default="A,B,C", help=f"any of {','.join(CASES)} (%(default)s)")
    speed.add_argument("--modes", default=",".join(MODES), help="any of %(default)s")
    _add_data(speed, "parallel files for case R; without, lengths as in Multi30k are drawn")
    _add_peers(speed, TOOLKITS, "")
    _add_timing(speed, seconds=15, rounds=1)

    of_input = command(
        "input-pipeline", _input_pipeline, "batches from prepared data, against grain and tf.data"
    )
    _add_data(of_input, "parallel files; without, a million pairs are made")
    _add_peers(of_input, INPUTS, "all")
    _add_timing(of_input, seconds=15, rounds=3)

    recorded = command("recorded", _recorded, "the train step against google/seq2seq's, recorded")
    recorded.add_argument("--cases", default="nmt_small,nmt_medium", help="any of %(default)s")
    _add_timing(recorded, seconds=15, rounds=1)

    loop = command("loop", _loop, "what the training loop adds to the step; start to first step")
    loop.add_argument("--cases", default="A,B", help=f"any of {','.join(CASES)} (%(default)s)")
    loop.add_argument("--steps", type=int, default=250, help="of each run (%(default)s)")
    _add_timing(loop, seconds=None, rounds=3)

    scaling = command("scaling", _scaling, "work and exchanges of each of several devices: a table")
    scaling.add_argument("--case", default="A", help=f"one of {','.join(CASES)} (%(default)s)")

    pictures = command("pictures", _pictures, "InceptionV3 at 75 and 299 pixels, against Keras's")
    _add_peers(pictures, PICTURES, "all")
    _add_timing(pictures, seconds=15, rounds=1)

    install = command("install", _install, "make the environments of what is compared with")
    install.add_argument("--only", default="all", help=f"any of {','.join(PEERS)} (%(default)s)")
    install.add_argument("--folder", default=FOLDER, help="where they are (%(default)s)")
    install.add_argument(
        "--torch-index",
        default=TORCH_INDEX,
        metavar="URL",
        help="where PyTorch for the CPU is; empty: where pip looks anyway (%(default)s)",
    )

    report = command("report", _report, "a table and a plot of the lines")
    report.add_argument("files", nargs="+", metavar="FILE")
    report.add_argument("--output", default="docs", metavar="FOLDER", help="%(default)s")
    return parser


def _add_data(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--data", nargs=2, default=(), metavar=("SOURCE", "TARGET"), help=what)


def _add_peers(parser: argparse.ArgumentParser, peers: Iterable[str], default: str) -> None:
    names = f"any of {','.join(peers)}, or all (%(default)s)"
    parser.add_argument("--peers", default=default, help=names)
    parser.add_argument("--folder", default=FOLDER, help="where these are (%(default)s)")


def _add_timing(parser: argparse.ArgumentParser, seconds: float | None, rounds: int) -> None:
    if seconds is not None:
        parser.add_argument("--seconds", type=float, default=seconds, help="for each (%(default)s)")
    parser.add_argument("--rounds", type=int, default=rounds, help="%(default)s")
    parser.add_argument(
        "--threads", default="", help="numbers, as 1,2; all processors if not given"
    )


def _names(flag: str, given: str, valid: Iterable[str]) -> list[str]:
    valid = list(valid)
    names = valid if given == "all" else [name for name in given.split(",") if name]
    for name in names:
        if name not in valid:
            raise UserError(flag, f"unknown {name!r}; there are {', '.join(valid)}, or all")
    return names


def _peers(arguments: argparse.Namespace, valid: Iterable[str]) -> list[Competitor]:
    return installed(_names("--peers", arguments.peers, valid), arguments.folder)


def _threads(arguments: argparse.Namespace) -> list[int]:
    most = len(usable_processors())
    given = arguments.threads or str(most)
    for count in given.split(","):
        if not count.isdigit() or not 1 <= int(count) <= most:
            raise UserError("--threads", f"{count!r} is not a number from 1 to {most}")
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
