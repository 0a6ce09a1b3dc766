import pytest


@pytest.fixture
def script(capsys):
    """Runs a script of a demo in this process; returns what it wrote on stdout."""

    def run(module, *argv: object) -> str:
        module.run(module.make_parser().parse_args([str(argument) for argument in argv]))
        return capsys.readouterr().out

    return run
