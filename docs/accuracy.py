"""Write docs/accuracy.md: errors on measured rows, fitted, held out, and of two baselines.

One command, with the folder of measured files (quarter of an hour on two cores):

    python docs/accuracy.py ../shared/data/measured

With --folds FILE the judgements of cross-validation are kept in FILE and read back from it.
"""

import argparse
import datetime as dt
import pickle
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from inferometer.calibrate.files import read
from inferometer.calibrate.finding import finder
from inferometer.calibrate.folds import NOVELTY_OF, cross_validate, thinned
from inferometer.calibrate.intervals import Held, basis, interval
from inferometer.calibrate.measurement import Observation
from inferometer.calibrate.observation import observe
from inferometer.calibrate.overlay import fit_source, unfitted
from inferometer.calibrate.verdict import quantity, verdicts_of
from inferometer.catalog.efficiency import Efficiencies, efficiencies
from inferometer.perf.counts import parameters

FILES = ("serving.csv", "energy.csv", "dvfs.csv", "steps.csv.gz", "steps_static.csv")
METRICS = (
    *("tokens_per_s", "tpot_ms_p50", "tpot_ms_mean", "itl_ms_p50", "ttft_ms_p50", "ttft_ms_mean"),
    *("avg_power_w", "energy_j_per_token", "latency_ms", "prefill_ms", "decode_ms"),
)
SPLITS: Mapping[str, str] = {
    "rows": "held-out sweeps", "family": "new family", "accelerator": "new silicon generation",
    "source": "other lab",
}  # fmt: skip


Stored = tuple[str, str, list[tuple[str, tuple[str, str, str], str, float, float, str]]]


class Judged(NamedTuple):
    """One metric of one row with its prediction."""

    split: str
    fold: str
    key: str
    cell: tuple[str, str, str]
    metric: str
    measured: float
    predicted: float
    load: str

    @property
    def error(self) -> float:
        """ln(predicted / measured)."""
        good = self.measured > 0 and self.predicted > 0 and np.isfinite(self.predicted)
        return float(np.log(self.predicted / self.measured)) if good else float("nan")


def main() -> None:
    """Judge, then write the page."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("data", type=Path)
    options.add_argument("--folds", type=Path, default=None)
    options.add_argument("--output", type=Path, default=Path(__file__).parent / "accuracy.md")
    asked = options.parse_args()
    rows = [row for name in FILES for row in read(asked.data / name)]
    observations, refusals = observe(rows, finder())
    found = judged(observations, "fitted", efficiencies())
    found += judged(observations, "roofline", roofline(efficiencies()))
    found += nearest(thinned(observations))
    found += held_out(thinned(observations), asked.folds)
    swept = {row.source for row in rows if row.layout == "dvfs"}
    text = page(found, len(rows), len(refusals), swept) + kept(asked.output)
    asked.output.write_text(text, encoding="utf-8")


def kept(output: Path) -> str:
    """Return the section that docs/rivals.py wrote to the page before, "" if it has not yet."""
    before = output.read_text(encoding="utf-8") if output.is_file() else ""
    mark = "\n<!-- aiconfigurator: docs/rivals.py -->"
    return mark + before.partition(mark)[2] if mark in before else ""


def judged(observations: Sequence[Observation], name: str, values: Efficiencies) -> list[Judged]:
    """Return judgements of all rows with `values`."""
    verdicts = verdicts_of(observations, values, {}, lambda _: "known")
    return [
        Judged(name, "", v.row.key, v.row.cell, v.metric, v.measured, v.predicted, v.load)
        for v in verdicts
    ]


def roofline(values: Efficiencies) -> Efficiencies:
    """Return ideal peaks and no overhead: what a model without measurements would say."""
    ideal = {"imbalance": 1.0, "routing_spread": 1.0, "link": 1.0, "power_busy": 1.0}
    return {
        key: replace(
            value, low=0.0, factors={},
            base=1.0 if key.endswith(("compute", "bandwidth")) else ideal.get(key, 0.0),
        )
        for key, value in values.items()
    }  # fmt: skip


def nearest(observations: Sequence[Observation]) -> list[Judged]:
    """Return what the nearest row of another model family measured, as a prediction."""
    by_metric: dict[str, list[Observation]] = {}
    for observation in observations:
        for metric in observation.row.metrics:
            by_metric.setdefault(metric, []).append(observation)
    return [one for metric, rows in by_metric.items() for one in _nearest(metric, rows)]


def _nearest(metric: str, rows: Sequence[Observation]) -> Iterable[Judged]:
    places = np.array([_place(row) for row in rows])
    values = np.array([row.row.metrics[metric] for row in rows])
    families = np.array([row.row.family for row in rows])
    kinds = np.array([row.load.kind for row in rows])
    for place, row in enumerate(rows):
        other = (families != row.row.family) & (kinds == row.load.kind)
        distance = np.where(other, np.abs(places - places[place]).sum(axis=1), np.inf)
        value = values[np.argmin(distance)] if other.any() else np.nan
        yield Judged("nearest", "", row.row.key, row.row.cell, metric, float(values[place]),
                     float(value), row.load.kind)  # fmt: skip


def _place(row: Observation) -> list[float]:
    one, load = row.subject.deployment, row.load
    active = parameters(one.model).active * one.precision.experts.bytes_per_element
    ranks = one.parallelism.accelerators
    return [
        float(np.log(value))
        for value in (
            active / ranks / one.accelerator.memory_bandwidth, ranks,
            max(load.clients, load.rate, 1.0) / one.replicas, max(load.inputs, 1.0),
            max(load.outputs, 1.0), max(load.one_pass.prefill, 1.0),
            max(load.one_pass.context, 1.0),
        )
    ]  # fmt: skip


def held_out(observations: Sequence[Observation], cache: Path | None) -> list[Judged]:
    """Return the judgements of cross-validation, from `cache` if it is there."""
    if cache is not None and cache.is_file():
        stored: list[Stored] = pickle.loads(cache.read_bytes())  # noqa: S301 - a file that this script wrote
    else:
        source = fit_source({o.row.source for o in observations}, dt.datetime.now(dt.UTC).date())
        stored = [
            (fold.split, fold.name, [(v.row.key, v.row.cell, v.metric, v.measured, v.predicted,
                                      v.load) for v in fold.verdicts])
            for split in SPLITS
            for fold in cross_validate(observations, unfitted(efficiencies()), source, split,
                                       progress=lambda text: print(text, file=sys.stderr))
        ]  # fmt: skip
        if cache is not None:
            cache.write_bytes(pickle.dumps(stored))
    return [
        Judged(split, name, key, cell, metric, measured, predicted, load)
        for split, name, rows in stored
        for key, cell, metric, measured, predicted, load in rows
    ]


def summary(rows: Iterable[Judged]) -> tuple[float, float, float, int]:
    """Return median and p90 of |ln|, median bias, all means over cells, and the cells."""
    cells: dict[tuple[str, str, str], list[float]] = {}
    for row in rows:
        if np.isfinite(row.error):
            cells.setdefault(row.cell, []).append(row.error)
    if not cells:
        return (float("nan"),) * 3 + (0,)
    errors = [np.array(cell) for cell in cells.values()]
    return (
        float(np.mean([np.median(np.abs(cell)) for cell in errors])),
        float(np.mean([np.quantile(np.abs(cell), 0.9) for cell in errors])),
        float(np.mean([np.median(cell) for cell in errors])),
        len(cells),
    )


def inside(rows: Sequence[Judged]) -> float:
    """Return the share of rows inside 80 % intervals learned from the other folds of the split."""
    hits, total = 0, 0
    for fold in sorted({row.fold for row in rows}):
        others: dict[tuple[str, str], list[Held]] = {}
        for row in rows:
            if row.fold != fold and np.isfinite(row.error):
                kind = (quantity(row.metric), row.load)
                others.setdefault(kind, []).append(Held(row.fold, row.cell, -row.error))
        mine = [row for row in rows if row.fold == fold and np.isfinite(row.error)]
        for kind in sorted({(quantity(row.metric), row.load) for row in mine}):
            found = basis(others, *kind)
            if found:
                low, high = interval(found)
                errors = [-r.error for r in mine if (quantity(r.metric), r.load) == kind]
                hits, total = hits + sum(low <= e <= high for e in errors), total + len(errors)
    return hits / total if total else float("nan")


def page(found: Sequence[Judged], rows: int, refused: int, swept: Collection[str]) -> str:
    """Return the page.

    Args:
        found: All judgements.
        rows: Rows read.
        refused: Rows among them that cannot be predicted.
        swept: Sources of power sweeps, which the second table leaves out.
    """

    def of(split: str, metric: str) -> list[Judged]:
        return [row for row in found if row.split == split and row.metric == metric]

    def unswept(split: str, metric: str) -> list[Judged]:
        return [row for row in of(split, metric) if row.cell[0] not in swept]

    parts = [HEAD.format(rows=rows, refused=refused, coverage=100 * (1 - refused / rows))]
    parts.append(_errors(of, METRICS))
    parts.append(SERVED + _errors(unswept, SWEPT))
    parts.append(INTERVALS + _intervals(of))
    parts.append("\n## Cells\n\nMedian of |ln(predicted / measured)| and bias in each cell of "
                 "source, family and accelerator: fitted on all rows, and with the family left "
                 "out. Worst first.\n" + _cells(found))  # fmt: skip
    return "".join(parts)


def _errors(of: Callable[[str, str], list[Judged]], metrics: Sequence[str]) -> str:
    names = ["fitted", *SPLITS, "roofline", "nearest"]
    titles = ["fitted", *SPLITS.values(), "uncalibrated roofline", "nearest row, other family"]
    lines = ["| metric | cells | " + " | ".join(titles) + " |", "|---" * (2 + len(names)) + "|"]
    for metric in metrics:
        results = [summary(of(name, metric)) for name in names]
        cells = [f"{100 * r[0]:.0f} / {100 * r[1]:.0f}" if r[3] else "-" for r in results]
        lines.append(f"| {metric} | {results[0][3]} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _intervals(of: Callable[[str, str], list[Judged]]) -> str:
    lines = ["| metric | " + " | ".join(SPLITS.values()) + " |", "|---" * (1 + len(SPLITS)) + "|"]
    for metric in METRICS:
        shares = [inside(of(split, metric)) for split in SPLITS]
        texts = [f"{100 * share:.0f} %" if np.isfinite(share) else "-" for share in shares]
        lines.append(f"| {metric} | " + " | ".join(texts) + " |")
    return "\n".join(lines) + "\n"


def _cells(found: Sequence[Judged]) -> str:
    lines = list[str]()
    for metric in ("tokens_per_s", "tpot_ms_p50", "itl_ms_p50", "ttft_ms_p50", "avg_power_w",
                   "energy_j_per_token", "latency_ms"):  # fmt: skip
        fitted = _by_cell(found, "fitted", metric)
        left = _by_cell(found, "family", metric)
        lines += [f"\n### {metric}\n", CELL_COLUMNS, "|---|---|---|---|---|---|---|"]  # fmt: skip
        for cell, errors in sorted(fitted.items(), key=lambda item: -np.median(np.abs(item[1]))):
            held = left.get(cell, [])
            text = f"{100 * np.median(np.abs(held)):.0f} %" if held else "-"
            lines.append(
                f"| {' | '.join(cell)} | {len(errors)} | {100 * np.median(np.abs(errors)):.0f} % | "
                f"{100 * np.median(errors):+.0f} % | {text} |"
            )
    return "\n".join(lines) + "\n"


def _by_cell(
    found: Sequence[Judged], split: str, metric: str
) -> dict[tuple[str, str, str], list[float]]:
    cells: dict[tuple[str, str, str], list[float]] = {}
    for row in found:
        if row.split == split and row.metric == metric and np.isfinite(row.error):
            cells.setdefault(row.cell, []).append(row.error)
    return cells


CELL_COLUMNS = "| source | family | accelerator | rows | fitted | bias | family left out |"

SWEPT = ("tokens_per_s", "avg_power_w", "energy_j_per_token")
SERVED = """
The same without the power sweeps of workstation and consumer cards, whose many cells weigh most
above:

"""

INTERVALS = """
## Intervals

Share of held-out rows inside 80 % intervals that were learned, widening included, from the other
folds of the same split (`calibrate.intervals`): the group that is judged told nothing of them.

"""

HEAD = """\
# Accuracy

Generated by `python docs/accuracy.py DATA` from {rows:,} measured rows, of which {refused} were
refused (coverage {coverage:.1f} %). Error is |ln(predicted / measured)|, in per cent: median / 90th
percentile inside each cell of (source, model family, accelerator), then the mean over cells, so
that no large source drowns the others.

* *fitted*: the shipped efficiencies on the rows that they were fitted to.
* *held-out sweeps*, *new family*, *new silicon generation*, *other lab*: cross-validation; the rows
  of each group are judged by a fit that has not seen the group. A generation left out takes every
  accelerator of it away, so what remains is the base of another make.
* *uncalibrated roofline*: published peaks, no overhead, power at its limit.
* *nearest row*: what the nearest measured row of another family measured (distance in logarithms
  of time to read the weights, ranks, clients and lengths).

What the largest cells are made of: [largest cells](largest_cells.md). aiconfigurator's own
predictions are in the last section, for the rows that it covers.
Power and energy are of all accelerators of a deployment, with the host where a row was metered at
the wall. Families of single models (power sweeps, step logs) are left out by their first word.
Clock laws of the sweeps' silicon, and the share of their runs that a mean draw covers, were
measured on all of their rows (`clock_laws` of the catalogue) and stay where these are left out.

"""


if __name__ == "__main__":
    assert set(SPLITS) == set(NOVELTY_OF)  # noqa: S101 - our own invariant
    main()
