"""Clock laws of workstation cards from sweeps of power caps, as the catalogue has them.

    python bench/clock_laws.py ../shared/data/measured/dvfs.csv

Least squares on speed and mean draw of single-stream decoding under caps. No row states a clock: a
cap tells draw against speed, and hence the law up to a stretch of its clock. Fitted together: the
law of each silicon generation, the weights of each card's draw, and the share of a run in which
steps run (`SHARE_OF_A_STREAM`). Speeds are over those of a model's three highest caps, so that
bandwidths, which the rates of `perf` hold, do not matter. Some 20 s.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

from inferometer.calibrate.bench import Group, compile_groups
from inferometer.calibrate.files import read
from inferometer.calibrate.finding import finder
from inferometer.calibrate.measurement import Observation
from inferometer.calibrate.observation import IN_TURN, observe
from inferometer.candidates import Floats
from inferometer.catalog.clock_law import ClockLaw
from inferometer.catalog.efficiency import efficiencies
from inferometer.perf.clocks import at_clock, clock_under_cap
from inferometer.perf.power import idle_power, step_power
from inferometer.perf.steady import decode_step

LAW = ("voltage_floor", "voltage_knee", "bandwidth_knee", "memory_switching")
BEGIN, LOW, HIGH = (0.7, 0.75, 0.7, 0.9), (0.4, 0.3, 0.3, 0.0), (0.95, 0.97, 0.97, 1.0)
DRAW_BEGIN, DRAW_LOW, DRAW_HIGH = (0.2, 0.9), (0.01, 0.1), (0.8, 3.0)
SHARE_BEGIN, SHARE_LOW, SHARE_HIGH = 0.7, 0.55, 0.9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sweep:
    """All rows, compiled.

    Attributes:
        groups: The rows.
        generations: Silicon generations among them.
        cards: Accelerators among them.
    """

    groups: tuple[Group, ...]
    generations: tuple[str, ...]
    cards: tuple[str, ...]

    @property
    def rows(self) -> list[Observation]:
        """The rows, in the order of `errors`."""
        return [row for group in self.groups for row in group.observations]


def main() -> None:
    """Fit, then print constants and errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="dvfs.csv of the measured rows")
    sweep = compiled(parser.parse_args().data)
    laws, cards = len(sweep.generations), len(sweep.cards)
    begin = [SHARE_BEGIN, *BEGIN * laws, *DRAW_BEGIN * cards]
    low = [SHARE_LOW, *LOW * laws, *DRAW_LOW * cards]
    high = [SHARE_HIGH, *HIGH * laws, *DRAW_HIGH * cards]

    def both(x: Floats) -> Floats:
        return np.concatenate(errors(x, sweep))

    found = least_squares(
        both, begin, bounds=(low, high), loss="soft_l1",
        f_scale=0.05, diff_step=0.01, max_nfev=40,
    )  # fmt: skip
    print(f"share of a run in which steps run: {found.x[0]:.3f}")
    for law in laws_of(found.x, sweep).values():
        print(law.key, ", ".join(f"{name} {getattr(law, name):.3f}" for name in LAW))
    speed, draw = (np.abs(one) for one in errors(found.x, sweep))
    for card in sweep.cards:
        mine = np.array([r.subject.deployment.accelerator.key == card for r in sweep.rows])
        print(f"{card}: {mine.sum()} rows, median error of speed {np.median(speed[mine]):.1%}, of "
              f"draw {np.median(draw[mine]):.1%}")  # fmt: skip


def compiled(data: Path) -> Sweep:
    """Return the rows whose draw is a mean over prompts in turn."""
    rows = [row for row in read(data) if IN_TURN in row.cells.get("workload", "")]
    observations, _ = observe(rows, finder())
    chips = [row.subject.deployment.accelerator for row in observations]
    return Sweep(
        groups=compile_groups(observations, efficiencies()),
        generations=tuple(sorted({chip.architecture for chip in chips})),
        cards=tuple(sorted({chip.key for chip in chips})),
    )


def laws_of(x: Sequence[float] | Floats, sweep: Sweep) -> Mapping[str, ClockLaw]:
    """Return the laws among the unknowns."""
    laws = dict[str, ClockLaw]()
    for place, key in enumerate(sweep.generations):
        floor, knee, bandwidth, switching = (float(v) for v in x[1 + 4 * place : 5 + 4 * place])
        laws[key] = ClockLaw(
            key=key, voltage_floor=floor, voltage_knee=knee, bandwidth_knee=bandwidth,
            memory_switching=switching,
        )  # fmt: skip
    return laws


def errors(x: Floats, sweep: Sweep) -> tuple[Floats, Floats]:
    """Return logarithms of predicted over measured speed, and draw, row by row."""
    predicted = [_predicted(group, x, sweep) for group in sweep.groups]
    speed, draw = (np.concatenate(column) for column in zip(*predicted, strict=True))
    measured = [row.row.metrics for row in sweep.rows]
    slower = np.log(speed / [one["tokens_per_s"] for one in measured])
    return _over_uncapped(slower, sweep), np.log(draw / [one["avg_power_w"] for one in measured])


def _predicted(group: Group, x: Floats, sweep: Sweep) -> tuple[Floats, Floats]:
    pool, clients, laws = group.main, group.loads["clients"], laws_of(x, sweep)
    chips = pool.machine.candidates.accelerators
    weights = x[1 + 4 * len(sweep.generations) :].reshape(-1, 2)
    places = np.array([sweep.cards.index(chip.key) for chip in chips])
    busy, memory = weights[places[pool.machine.candidates.accelerator]].T
    machine = pool.at(pool.machine.rates._replace(power_busy=busy, power_memory=memory)).machine
    clock = clock_under_cap(
        lambda one: decode_step(clients, one, pool.demand), machine, group.loads["cap"], laws
    )
    slowed = at_clock(machine, clock, laws)
    step = decode_step(clients, slowed, pool.demand)
    idle = idle_power(machine.candidates)
    return clients / step.total, x[0] * step_power(step, slowed) + (1 - x[0]) * idle


def _over_uncapped(logs: Floats, sweep: Sweep) -> Floats:
    """Return the logarithms less the median of each card's and model's three highest caps."""
    places: dict[tuple[str, str], list[int]] = {}
    for place, row in enumerate(sweep.rows):
        places.setdefault((row.row.gpu, row.row.model), []).append(place)
    left = logs.copy()
    for mine in places.values():
        mine.sort(key=lambda place: sweep.rows[place].subject.power_cap or 0.0)
        left[mine] -= np.median(logs[mine[-3:]])
    return left


if __name__ == "__main__":
    main()
