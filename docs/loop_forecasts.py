"""Hold forecasts beside fresh runs, walk after walk, and write the figures into docs/loop.md.

Run it on a quiet machine: `python docs/loop_forecasts.py [WALKS]` (six minutes a walk on two
cores). Each walk sweeps the settings, forecasts them, and only then runs each three times, freshly
started, in interleaved rounds.
"""

import datetime as dt
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from inferometer.cli.bench import Asked, cut_trace
from inferometer.loop.forecast import forecast
from inferometer.loop.jobs import Bounds, jobs_of
from inferometer.loop.launch import model_file
from inferometer.loop.machine import this_machine
from inferometer.loop.optimise import overlays
from inferometer.loop.setting import Setting, context_for
from inferometer.loop.summary import Summary
from inferometer.loop.sweep import Sizes
from inferometer.loop.trial import Bed, measured
from inferometer.loop.walk import swept_as

PAGE = Path(__file__).resolve().parent / "loop.md"
BEGIN, END = "<!-- forecasts: written by docs/loop_forecasts.py -->", "<!-- forecasts: end -->"
ASKED = Asked(requests=32, max_prompt=256, max_output=64)
BOUNDS = Bounds(prompt=ASKED.max_prompt, output=ASKED.max_output)
CONTEXT = context_for(BOUNDS.prompt + BOUNDS.output)
SETTINGS = (
    Setting(context=CONTEXT),
    Setting(weights="q8_0", unified=False, context=CONTEXT),
    Setting(weights="q8_0", unified=False, slots=8, context=CONTEXT),
)
"""As shipped, what the walk of docs/loop.py keeps, and the same with eight slots."""

ROUNDS = 3
WITHIN = 0.15


@dataclass(slots=True, kw_only=True)
class Walk:
    """One walk.

    Attributes:
        predicted: Forecast of each setting, made before any was run.
        runs: Runs of each.
    """

    predicted: Mapping[Setting, Summary]
    runs: dict[Setting, list[Summary]] = field(default_factory=dict[Setting, list[Summary]])


def predicted(bed: Bed) -> Walk:
    """Sweep all settings and forecast them."""
    trace, _ = cut_trace(ASKED, BOUNDS)
    known = overlays(SETTINGS, trace, Sizes(), bed)
    return Walk(predicted={
        one: forecast(trace, bed.file(one), one, known[swept_as(one)], clients=one.slots,
                      draw=bed.machine.draw)
        for one in SETTINGS
    })  # fmt: skip


def run_round(walk: Walk, number: int, bed: Bed) -> None:
    """Run every setting once, each round beginning with another one."""
    jobs = jobs_of(cut_trace(ASKED, BOUNDS)[0], ASKED.seed)
    for one in (*SETTINGS[number:], *SETTINGS[:number]):
        walk.runs.setdefault(one, []).append(measured(bed, one, jobs))


Errors = tuple[float, float, float]
"""Predicted over measured less 1: of throughput, of the mean TPOT, and of the median one."""


def errors(walk: Walk, setting: Setting, *, mean: bool = False) -> Iterator[Errors]:
    """Yield the errors of a forecast, run by run or of the mean of the runs."""
    told = walk.predicted[setting]
    seen = np.array([[run.output_rate, run.tpot.mean, run.tpot.p50] for run in walk.runs[setting]])
    for rate, tpot, middle in seen.mean(axis=0, keepdims=True) if mean else seen:
        yield told.output_rate / rate - 1, told.tpot.mean / tpot - 1, told.tpot.p50 / middle - 1


def text(walks: Sequence[Walk], day: dt.date) -> str:
    """Return the figures as a section of the page."""
    every = [error for walk in walks for one in SETTINGS for error in errors(walk, one)]
    means = [error for walk in walks for one in SETTINGS for error in errors(walk, one, mean=True)]
    said = (
        f"`python docs/loop_forecasts.py {len(walks)}`, {day.isoformat()}: of {len(every)} runs "
        f"{_held(every, 0)} were within 15 % of their forecast in throughput, {_held(every, 1)} in "
        f"mean and {_held(every, 2)} in median TPOT; of {len(means)} means of three runs "
        f"{_held(means, 0)}, {_held(means, 1)} and {_held(means, 2)}. "
        f"The same run repeated in one walk differed by a factor of {_spread(walks, 'worst'):.2f} "
        f"in throughput at most, {_spread(walks, 'usual'):.2f} usually (median)."
    )
    head = (
        "| walk | setting | predicted tok/s | measured tok/s | predicted / measured - 1 | "
        "predicted TPOT ms | measured TPOT ms | predicted / measured - 1 | of the median |"
    )
    return "\n".join((said, "", head, "|---" * 9 + "|", *_rows(walks)))


def _held(found: Sequence[Sequence[float]], place: int) -> int:
    return sum(abs(one[place]) <= WITHIN for one in found)


def _spread(walks: Sequence[Walk], which: str) -> float:
    """Return largest over smallest throughput of one setting in one walk, worst or median."""
    found = [
        max(run.output_rate for run in runs) / min(run.output_rate for run in runs)
        for walk in walks for runs in walk.runs.values()
    ]  # fmt: skip
    return max(found) if which == "worst" else float(np.median(found))


def _rows(walks: Sequence[Walk]) -> Iterator[str]:
    for number, walk in enumerate(walks, start=1):
        for one in SETTINGS:
            told, runs, off = walk.predicted[one], walk.runs[one], list(errors(walk, one))
            cells = (
                str(number), str(one), f"{told.output_rate:.1f}",
                ", ".join(f"{run.output_rate:.1f}" for run in runs),
                ", ".join(f"{one:+.0%}" for one, _, _ in off),
                f"{told.tpot.mean * 1e3:.1f}",
                ", ".join(f"{run.tpot.mean * 1e3:.1f}" for run in runs),
                ", ".join(f"{one:+.0%}" for _, one, _ in off),
                ", ".join(f"{one:+.0%}" for _, _, one in off),
            )  # fmt: skip
            yield f"| {' | '.join(cells)} |"


def write(walks: Sequence[Walk]) -> None:
    """Write the page's section anew."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    figures = text(walks, dt.datetime.now(dt.UTC).date())
    PAGE.write_text(f"{before}{BEGIN}\n{figures}\n{END}{rest.split(END)[1]}", encoding="utf-8")


def main() -> int:
    """Walk, and write the page's section anew."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    walks = list[Walk]()
    for _ in range(count):
        with tempfile.TemporaryDirectory() as folder:
            bed = Bed(shipped=model_file(), machine=this_machine(), folder=Path(folder),
                      say=lambda text: sys.stderr.write(f"{text}\n") and None)  # fmt: skip
            walks.append(predicted(bed))
            for number in range(ROUNDS):
                run_round(walks[-1], number, bed)
    write(walks)
    return 0


if __name__ == "__main__":
    sys.exit(main())
