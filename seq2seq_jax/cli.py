"""The command line: `seq2seq-jax COMMAND`, and `main.py --mode=COMMAND`."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from seq2seq_jax.allocator import keep_memory
from seq2seq_jax.errors import UserError

Overrides = list[tuple[str, str]]


def run() -> NoReturn:
    """The console script."""
    keep_memory()
    sys.exit(main(sys.argv[1:]))


def run_main_py() -> NoReturn:
    """main.py: the same with `--mode=MODE` (train, if it is not given) in the command's place."""
    keep_memory()
    flag = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    flag.add_argument("--mode")
    found, rest = flag.parse_known_args()
    asks_for_help = found.mode is None and not {"-h", "--help"}.isdisjoint(rest)
    sys.exit(main(["--help"] if asks_for_help else [found.mode or "train", *rest]))


def main(argv: Sequence[str]) -> int:
    """Runs one command; returns the exit status: 0, or 2 for an error of the user's."""
    # Imported here and below so that `--help` and a misspelt flag are answered at once.
    from seq2seq_jax.config import split_overrides

    try:
        overrides, rest = split_overrides(list(argv))
        arguments = _parser().parse_args(rest)
        _set_up()
        command: Callable[[argparse.Namespace, Overrides], None] = arguments.command
        command(arguments, overrides)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0


def _train(arguments: argparse.Namespace, overrides: Overrides) -> None:
    from seq2seq_jax.config import load_config, resolve
    from seq2seq_jax.reports.learning_curve import plot_learning_curve, terminal_curves
    from seq2seq_jax.training.loop import train
    from seq2seq_jax.workdir import Workdir

    if arguments.config:
        name = Path(arguments.config.split(",")[0]).stem
        workdir = arguments.workdir or f"runs/{name}"
        config = load_config(arguments.config)
    elif arguments.workdir:
        workdir = arguments.workdir
        config = Workdir(workdir).config()
    else:
        raise UserError("--config", "no configuration; --config=configs/attention.py would do")
    if train(resolve(config, overrides), workdir):
        picture = plot_learning_curve(workdir)
        _say(f"{terminal_curves(workdir)}\nlearning curve in {picture}")


def _eval(arguments: argparse.Namespace, overrides: Overrides) -> None:
    from seq2seq_jax.config import resolve
    from seq2seq_jax.evaluation.dev_evaluation import describe_samples, make_evaluate
    from seq2seq_jax.inference.predictor import load_model
    from seq2seq_jax.training.preparation import load_dev_set
    from seq2seq_jax.workdir import Workdir

    workdir = Workdir(_required_workdir(arguments))
    config = resolve(workdir.config(), overrides)
    model, params, vocabularies, step = load_model(workdir, config)
    dev_set = load_dev_set(config, vocabularies)
    _say(f"evaluating step {step} on {len(dev_set.corpus)} pairs of {len(dev_set)} sources")
    evaluate = make_evaluate(model, config, vocabularies.target, dev_set)
    results, samples = evaluate(params)
    if samples:
        _say(describe_samples(samples))
    width = max(map(len, results))
    for name, value in results.items():
        print(f"{name:<{width}}  {value if isinstance(value, str) else format(value, '.4f')}")


def _infer(arguments: argparse.Namespace, overrides: Overrides) -> None:
    from seq2seq_jax.data.text_lines import check_readable
    from seq2seq_jax.inference.line_stream import answer_lines
    from seq2seq_jax.inference.predictor import Predictor

    if arguments.input:
        check_readable(arguments.input)
    predictor = Predictor.from_workdir(_required_workdir(arguments), overrides)
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    with open(arguments.input, "rb") if arguments.input else sys.stdin.buffer as source:
        answer_lines(
            lambda texts: [prediction.text for prediction in predictor.predict(texts)],
            source,
            sys.stdout,
            name=arguments.input or "<stdin>",
            window=16 * predictor.config.inference.batch_size,
        )


def _import_tf(arguments: argparse.Namespace, overrides: Overrides) -> None:
    from seq2seq_jax.importers.tf_seq2seq import import_tf

    if overrides:
        raise UserError(overrides[0][0], "is what --params says; change it in that file")
    import_tf(
        arguments.params.split(","),
        arguments.variables,
        arguments.vocab_source,
        arguments.vocab_target,
        _required_workdir(arguments),
    )


def _plot_schedule(arguments: argparse.Namespace, overrides: Overrides) -> None:
    from seq2seq_jax.config import load_config, resolve
    from seq2seq_jax.reports.schedule_plot import plot_schedule

    config = resolve(load_config(arguments.config), overrides)
    print(plot_schedule(config, arguments.output))


def _inspect(arguments: argparse.Namespace, overrides: Overrides) -> None:
    from seq2seq_jax.reports.inspection import describe_workdir

    print(describe_workdir(_required_workdir(arguments)))


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as everything else here does."""

    def error(self, message: str) -> NoReturn:
        raise UserError("command line", message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="seq2seq-jax",
        description="Trains, evaluates and uses sequence-to-sequence models."
        " main.py takes the command as --mode=COMMAND; without one it trains.",
        epilog="Any key of the configuration can be set: --config.optimizer.learning_rate=1e-3",
        allow_abbrev=False,
    )
    # Not `required`: the error should name the commands, which argparse does not.
    parser.set_defaults(command=_no_command)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    def add(
        name: str, command: Callable, what: str, *, workdir: bool = True
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name,
            help=what,
            description=what[0].upper() + what[1:] + ".",
            epilog=parser.epilog,
            allow_abbrev=False,
        )
        if workdir:
            added.add_argument("--workdir", metavar="DIR", help="folder of the run")
        added.set_defaults(command=command)
        return added

    train = add("train", _train, "train a model, or go on training it")
    train.add_argument(
        "--config",
        metavar="FILE",
        help="a Python file with get_config(); without --workdir the run is in runs/<its name>",
    )
    add("eval", _eval, "evaluate a trained model on its dev set (input_pipeline_dev)")
    infer = add("infer", _infer, "read lines, write one line for each")
    infer.add_argument("--input", metavar="FILE", help="read this in place of standard input")
    add("inspect", _inspect, "show a run's step, parameters, metrics and digest")
    plot = add("plot-schedule", _plot_schedule, "draw a learning rate", workdir=False)
    plot.add_argument("--config", metavar="FILE", required=True, help="as for train")
    plot.add_argument("--output", metavar="PNG", default="learning_rate.png")
    moving_in = add("import-tf", _import_tf, "make a workdir of a model of google/seq2seq")
    for flag, metavar, what in (
        ("--params", "FILE[,FILE...]", "its YAML files, or its train_options.json"),
        ("--variables", "FILE", "an .npz of its variables, or its checkpoint"),
        ("--vocab_source", "FILE", "its source vocabulary"),
        ("--vocab_target", "FILE", "its target vocabulary"),
    ):
        moving_in.add_argument(flag, metavar=metavar, help=what, required=True)
    return parser


def _no_command(arguments: argparse.Namespace, overrides: Overrides) -> NoReturn:
    raise UserError("command line", "which command? train, eval, infer or inspect")


def _required_workdir(arguments: argparse.Namespace) -> str:
    if not arguments.workdir:
        raise UserError("--workdir", "which run? --workdir=runs/<name of its config file>, say")
    return arguments.workdir


def _set_up() -> None:
    from seq2seq_jax.compilation_cache import enable_compilation_cache
    from seq2seq_jax.console import set_up_logging

    sys.path.insert(0, os.getcwd())  # where a user's own classes are found
    set_up_logging()
    enable_compilation_cache()


def _say(text: str) -> None:
    """On stderr, as the log: results alone are for stdout."""
    print(text, file=sys.stderr, flush=True)
