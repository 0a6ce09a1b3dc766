"""A table and a plot of the lines that the measurements printed."""

import json
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seq2seq_jax.reports.figures import new_figure, save_figure
from seq2seq_jax.utils.atomic_io import atomic_replace
from seq2seq_jax.utils.errors import UserError

OURS = "seq2seq_jax"
BY_HAND = "PyTorch by hand"
RECORDED = "google/seq2seq, recorded"

Line = dict[str, Any]


class Row(NamedTuple):
    """One piece of work.

    Attributes:
      mode: of the work.
      what: its name, for people.
      unit: of the rates.
      best: of each peer the medians over rounds, at the number of threads that suits it best.
    """

    mode: str
    what: str
    unit: str
    best: dict[str, Line]


def write_report(files: Sequence[str], folder: str | Path) -> tuple[Path, Path]:
    """Writes FOLDER/speed.md and FOLDER/pictures/speed.png, whole or not at all.

    Args:
      files: of JSON lines.

    Raises:
      UserError: a line is no measurement.
    """
    lines = read_lines(files)
    rows = make_rows(lines)
    picture = plot(rows, Path(folder) / "pictures" / "speed.png")
    table = Path(folder) / "speed.md"
    with atomic_replace(table) as partial:
        partial.write_text(describe(lines, rows), encoding="utf-8")
    return table, picture


def read_lines(files: Sequence[str]) -> list[Line]:
    """All lines of all files; UserError (FILE:LINE) for one that is no measurement."""
    read = []
    for file in files:
        try:
            texts = Path(file).read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise UserError(file, f"cannot be read ({error.strerror})") from error
        for number, text in enumerate(texts, start=1):
            try:
                line = json.loads(text)
                line["peer"], line["case"], line["mode"]
            except (ValueError, TypeError, KeyError):
                raise UserError(
                    f"{file}:{number}", "no measurement: a JSON object with peer, case and mode"
                ) from None
            read.append(line)
    return read


def make_rows(lines: Iterable[Line]) -> list[Row]:
    """Training first, then decoding, the input, and what was recorded; cases in order."""
    measured: dict[tuple, dict[str, dict[int, list[Line]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for line in lines:
        if "error" not in line and line["mode"] in _RATES:
            for one in _with_recorded(line):
                key = (list(_RATES).index(one["mode"]), one["case"], one["batch"])
                measured[key][one["peer"]][one["threads"]].append(one)
    rows = []
    for (place, case, batch), peers in sorted(measured.items()):
        mode, (name, unit, _) = list(_RATES.items())[place]
        best = {
            peer: max((_medians(of) for of in threads.values()), key=lambda line: line["rate"])
            for peer, threads in peers.items()
        }
        rows.append(Row(mode, f"{case} {name}, batch {batch}", unit, best))
    return rows


def describe(lines: Sequence[Line], rows: Sequence[Row]) -> str:
    """Markdown."""
    text = [
        "# Speed",
        "",
        "Made by `python -m benchmarks report`; [benchmarks.md](benchmarks.md) says"
        " what was measured, and how. Medians; in brackets the threads that suited each best.",
        "",
        *(f"- {machine}" for machine in _machines(lines)),
        "",
        "![how fast others are, ours being 1](pictures/speed.png)",
        "",
    ]
    for modes in _TABLES:
        text += _table([row for row in rows if row.mode in modes])
    text += _describe_loop(lines)
    failed = [line for line in lines if "error" in line]
    if failed:
        text += ["Not measured:", ""]
        text += [f"- {x['peer']}, {x['case']} {x['mode']}: {x['error']}" for x in failed]
    return "\n".join(text).rstrip() + "\n"


def plot(rows: Sequence[Row], path: str | Path) -> Path:
    """Draws how fast the others are, where ours is 1; logarithmic."""
    shown = [row for row in rows if OURS in row.best and len(row.best) > 1]
    figure = new_figure(9, 1.5 + 0.32 * len(shown))
    axes = figure.subplots()
    for number, peer in enumerate(peer for peer in _peers(shown) if peer != OURS):
        points = [
            (row.best[peer]["rate"] / row.best[OURS]["rate"], place)
            for place, row in enumerate(shown)
            if peer in row.best
        ]
        axes.scatter(*zip(*points, strict=True), label=peer, color=f"C{number}", zorder=3)
    axes.axvline(1, color="black", label=OURS)
    axes.set_xscale("log")
    axes.set_yticks(range(len(shown)), [row.what for row in shown])
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_xlabel("speed, that of seq2seq_jax being 1")
    axes.grid(alpha=0.3, which="both")
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return save_figure(figure, path)


def _training(row: Row) -> bool:
    return row.mode == "train"


def _one_sentence(row: Row) -> bool:
    return row.mode in ("greedy", "beam5") and row.what.endswith("batch 1")


# Mode: its name, unit of its rates, the rate of a line.
_RATES: dict[str, tuple[str, str, Any]] = {
    "train": ("training", "target tokens/s", lambda line: line["tok_s_median"]),
    "greedy": ("greedy", "sentences/s", lambda line: line["sent_s_median"]),
    "beam5": ("beam 5", "sentences/s", lambda line: line["sent_s_median"]),
    "input": ("input", "tokens/s", lambda line: line["tok_s_median"]),
    "step": ("train step", "steps/s", lambda line: 1 / line["step_s_median"]),
}
_TABLES = (("train", "greedy", "beam5"), ("input",), ("step",))
# Beside the rate: name, field, of which modes and batches, how it is shown.
_MORE: tuple[tuple[str, str, Any, Any], ...] = (
    ("share of the matrix limit", "utilisation", _training, "{:.0%}".format),
    ("peak memory, MB", "peak_rss_mb", _training, "{:,.0f}".format),
    ("milliseconds, median", "run_ms_median", _one_sentence, "{:,.3g}".format),
    ("milliseconds, 99 of 100 below", "run_ms_p99", _one_sentence, "{:,.3g}".format),
)


def _table(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    peers = _peers(rows)
    by_hand = [f"times {BY_HAND}"] if BY_HAND in peers else []
    text = [_cells(["work", "unit", *peers, "times the fastest other", *by_hand])]
    text.append(_cells(["---"] * (len(peers) + 3 + len(by_hand))))
    for row in rows:
        rates = [_cell(row, peer, "rate", _rate_text) for peer in peers]
        others = [line["rate"] for peer, line in row.best.items() if peer not in (OURS, BY_HAND)]
        ratios = [_ratio(row, max(others) if others else None)]
        ratios += [_ratio(row, row.best.get(name, {}).get("rate")) for name in [BY_HAND] if by_hand]
        text.append(_cells([row.what, row.unit, *rates, *ratios]))
    for name, key, wanted, show in _MORE:
        for row in rows:
            if wanted(row) and any(key in line for line in row.best.values()):
                values = [_cell(row, peer, key, show) for peer in peers]
                text.append(_cells([row.what, name, *values, "", *([""] if by_hand else [])]))
    return [*text, ""]


def _with_recorded(line: Line) -> list[Line]:
    if "recorded_step_s" not in line:
        return [line]
    keep = {name: line[name] for name in ("case", "mode", "batch", "threads")}
    return [line, {**keep, "peer": RECORDED, "step_s_median": line["recorded_step_s"]}]


def _medians(lines: Sequence[Line]) -> Line:
    """Of measurements of the same, over rounds."""
    rate = _RATES[lines[0]["mode"]][2]
    found = {"threads": lines[0]["threads"], "rate": statistics.median(map(rate, lines))}
    for _, key, _, _ in _MORE:
        values = [line[key] for line in lines if key in line]
        if values:
            found[key] = statistics.median(values)
    return found


def _peers(rows: Sequence[Row]) -> list[str]:
    """Ours, then by name, what was recorded last."""
    names = {peer for row in rows for peer in row.best}
    return sorted(names, key=lambda name: (name != OURS, name == RECORDED, name.lower()))


def _machines(lines: Sequence[Line]) -> list[str]:
    limits: dict[int, list[float]] = defaultdict(list)
    for line in lines:
        if line["peer"] == OURS and "matmul_gflops" in line:
            limits[line["threads"]].append(line["matmul_gflops"])
    text = sorted({line["machine"] for line in lines if "machine" in line})
    text += [
        f"matrix products, {threads} threads: {statistics.median(values):.0f} GFLOP/s"
        for threads, values in sorted(limits.items())
    ]
    loads = [line["load1"] for line in lines if "load1" in line]
    if loads:
        text.append(f"load of the machine, at the most: {max(loads):.1f}")
    return text


def _cell(row: Row, peer: str, key: str, show: Any) -> str:
    line: Mapping[str, Any] = row.best.get(peer, {})
    if key not in line:
        return "-"
    return f"{show(line[key])} ({line['threads']})" if key == "rate" else show(line[key])


def _ratio(row: Row, rate: float | None) -> str:
    if rate is None or OURS not in row.best:
        return "-"
    return f"{row.best[OURS]['rate'] / rate:.2f}"


def _rate_text(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


def _describe_loop(lines: Sequence[Line]) -> list[str]:
    loops = [line for line in lines if line["mode"] == "loop" and "error" not in line]
    if not loops:
        return []
    text = [
        _cells(
            ["case", "threads", "step in the loop, ms", "bare step, ms", "the loop adds",
             "start to first step, s", "the same, nothing compiled yet, s"]
        ),
        _cells(["---"] * 7),
    ]  # fmt: skip
    for line in loops:
        values = [
            f"{1e3 * line['loop_step_s_median']:.2f}",
            f"{1e3 * line['bare_step_s_median']:.2f}",
            f"{line['overhead_percent']:.1f} %",
            f"{line['warm_start_s_median']:.1f}",
            f"{line['cold_start_s']:.1f}",
        ]
        text.append(_cells([line["case"], str(line["threads"]), *values]))
    return [*text, ""]


def _cells(values: Sequence[str]) -> str:
    return f"| {' | '.join(values)} |"
