"""Ours and theirs, one after the other, round after round: what disturbs one disturbs all."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import seq2seq_jax
from benchmarks.peers.environments import PEERS, python_of
from benchmarks.work import Work, run_in_process, say


class Competitor(NamedTuple):
    """
    Attributes:
      python, module: its interpreter, and the main program that measures.
      paths: where that interpreter finds this package.
    """

    name: str
    python: str
    module: str
    paths: tuple[str, ...] = ()


def installed(names: Sequence[str], folder: str | Path) -> list[Competitor]:
    """Those whose environments are there; of each other one a line is said."""
    found = []
    for name in names:
        if python := python_of(folder, name):
            module = f"benchmarks.peers.{PEERS[name].module}"
            found.append(Competitor(name, str(python), module, (this_package_alone(folder),)))
        else:
            say(
                f"{name}: left out, for {folder}/{name} is not there;"
                f" python -m benchmarks install --only {name} would make it"
            )
    return found


def this_package_alone(folder: str | Path) -> str:
    """A folder in which this package is, and nothing of its environment besides."""
    path = Path(folder).absolute() / "path"
    path.mkdir(parents=True, exist_ok=True)
    link, home = path / "seq2seq_jax", Path(seq2seq_jax.__file__).parent
    if not link.is_symlink() or link.resolve() != home.resolve():
        link.unlink(missing_ok=True)
        link.symlink_to(home)
    return str(path)


def measure_in_turn(
    competitors: Sequence[Competitor], works: Sequence[Work], threads: Sequence[int], rounds: int
) -> Iterator[dict[str, Any]]:
    """Yields the line of each measurement, with the share of the machine's limit that was measured
    last with so many threads."""
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
