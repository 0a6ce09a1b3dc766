"""Interleaved runs: all programs in turn, so that disturbances affect all of them alike."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.peers.environments import PEERS, find_python
from benchmarks.work import Work, run_in_process, say


class Competitor(NamedTuple):
    """A program that measures one toolkit.

    Attributes:
      name: The toolkit's name.
      python: The interpreter of its environment.
      module: The main program.
      paths: Where that interpreter finds the package `benchmarks`.
    """

    name: str
    python: str
    module: str
    paths: tuple[str, ...] = ()


def find_competitors(names: Sequence[str], folder: str | Path) -> list[Competitor]:
    """Return the toolkits whose environments exist, and report each missing one in a line.

    Args:
      names: The names of toolkits.
      folder: The directory of the environments.
    """
    found = []
    for name in names:
        if python := find_python(folder, name):
            module = f"benchmarks.peers.{PEERS[name].module}"
            found.append(Competitor(name, str(python), module, (isolated_path(folder),)))
        else:
            say(
                f"{name}: skipped, because {folder}/{name} does not exist;"
                f" use python -m benchmarks install --only {name}"
            )
    return found


def isolated_path(folder: str | Path) -> str:
    """Return a directory that holds this package alone, to be found by another interpreter.

    Args:
      folder: The directory of the environments, in which it is created.
    """
    path = Path(folder).absolute() / "path"
    path.mkdir(parents=True, exist_ok=True)
    home = Path(__file__).parent
    link = path / home.name
    if not link.is_symlink() or link.resolve() != home.resolve():
        link.unlink(missing_ok=True)
        link.symlink_to(home)
    return str(path)


def run_interleaved(
    competitors: Sequence[Competitor], works: Sequence[Work], threads: Sequence[int], rounds: int
) -> Iterator[dict[str, Any]]:
    """Yield the line of each measurement.

    Training lines get the share of the machine's fastest matrix product, as measured last with the
    same number of threads.

    Args:
      competitors: The programs.
      works: The measurements.
      threads: The numbers of threads.
      rounds: The number of rounds.
    """
    limits: dict[int, float] = {}
    for number in range(1, rounds + 1):
        for work in works:
            for count in threads:
                for one in competitors:
                    line = run_in_process(one.name, one.python, one.module, work, count, one.paths)
                    limits[count] = line.get("matmul_gflops", limits.get(count, 0.0))
                    yield {**line, **_share(line, limits[count]), "round": number}


def _share(line: dict[str, Any], gflops: float) -> dict[str, float]:
    if "step_gflop" not in line or not gflops or "utilisation" in line:
        return {}
    used = line["step_gflop"] / (line["step_ms_median"] / 1e3)
    return {"matmul_gflops": gflops, "utilisation": round(used / gflops, 3)}
