"""The command `export`."""

import argparse
from pathlib import Path

from seq2seq_jax.commands.run_arguments import add_workdir, open_text_run
from seq2seq_jax.config.overrides import Overrides
from seq2seq_jax.utils.errors import UserError

HELP = "Write a trained text model as files that need neither JAX nor this package."
EXAMPLES = (
    "export --workdir=runs/g2p --output=exports/g2p_numpy",
    "export --workdir=runs/g2p --format=web --weights=int8 --output=exports/g2p.html",
)

FORMATS = ("numpy", "web", "stablehlo")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments.

    Args:
      parser: The command's parser.
    """
    add_workdir(parser)
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="numpy",
        help="The form: numpy is a package that needs NumPy alone, web one HTML file that runs the"
        " model in the browser, stablehlo compiled programs for JAX on CPU, CUDA and TPU. The"
        " default is %(default)s.",
    )
    parser.add_argument(
        "--output",
        metavar="PATH",
        help="What to create: a directory, or for the web an .html file. The name of a directory"
        " for NumPy becomes the name of the package.",
    )
    parser.add_argument(
        "--weights",
        choices=("float32", "float16", "int8"),
        help="The precision of the weights in the files. Default: inference.weights of the run.",
    )


def run(arguments: argparse.Namespace, overrides: Overrides) -> None:
    """Check the arguments, load the model and write the export.

    Args:
      arguments: The command's arguments.
      overrides: The overrides of the command line.

    Raises:
      UserError: An argument or a key is wrong, or the model cannot be exported.
    """
    path = _output(arguments)
    workdir, config = open_text_run(arguments, overrides)
    precision = arguments.weights or config.inference.weights

    if arguments.format == "numpy":
        from seq2seq_jax.export.numpy_package import package_name

        package_name(path)
    elif arguments.format == "stablehlo":
        from seq2seq_jax.export.stablehlo import check_installed, write_stablehlo

        check_installed()

    from seq2seq_jax.export.exported_model import export_model
    from seq2seq_jax.export.self_check import check_equality

    is_stablehlo = arguments.format == "stablehlo"
    exported = export_model(workdir, config, precision, any_beam_search=is_stablehlo)
    check_equality(exported)
    if is_stablehlo:
        write_stablehlo(exported, config, path)
    elif arguments.format == "web":
        from seq2seq_jax.export.web_bundle import write_web_bundle

        write_web_bundle(exported, path)
    else:
        from seq2seq_jax.export.numpy_package import write_numpy_package

        write_numpy_package(exported, path)
    print(path)


def _output(arguments: argparse.Namespace) -> Path:
    """Return the path to create.

    Raises:
      UserError: It was not named, does not fit the format, or is an existing directory.
    """
    if not arguments.output:
        what = "name what to create; use --output=exports/NAME"
        raise UserError("--output", f"{what}{'.html' * (arguments.format == 'web')}")
    path = Path(arguments.output)
    if arguments.format == "web":
        if path.suffix != ".html":
            what = f"the web bundle is one file; use --output={path}.html"
            raise UserError("--output", what)
    elif path.exists() or path.is_symlink():
        raise UserError("--output", f"{path} exists; remove it, or use another name")
    return path
