"""Mixed fleets: 4 accelerators x 12 request classes x 168 hours to a gap of 1 %, by HiGHS.

A week of hours with daily peaks (peak to valley 4) and noise of 5 %; throughputs spread over a
factor of seven around a price per capacity that is about equal, so that no type wins throughout.
"""

import argparse
import json
import time

import numpy as np

from inferometer.plan.fleet.plan import plan_fleet
from inferometer.plan.fleet.pool import Load, Market, Pool

HOUR = 3600.0
TYPES = ((1.0, 2.0), (1.8, 4.5), (3.0, 9.0), (5.5, 18.0))
"""USD per hour, requests per second of the middling class."""


def case(start: float, seed: int = 1) -> tuple[list[Pool], Load]:
    """Return pools whose replicas take `start` seconds to begin, and a week of load."""
    random = np.random.default_rng(seed)
    pools = [
        Pool(
            name=f"type {place}", kind=f"type {place}", price=hourly / HOUR, most=500, start=start,
            throughput=rate * random.uniform(0.2, 1.5, 12),
        )
        for place, (hourly, rate) in enumerate(TYPES)
    ]  # fmt: skip
    week = 1 + 0.6 * np.sin(2 * np.pi * (np.arange(168) - 8) / 24)
    peak = random.uniform(0.5, 5, 12)[:, None] * week * random.uniform(0.95, 1.05, (12, 168))
    names = tuple(f"class {place}" for place in range(12))
    return pools, Load(names=names, peak=peak, mean=0.9 * peak, slot=HOUR)


def measure(start: float, min_on: int) -> dict[str, float | str]:
    """Return time, gap and saving of one plan, the four single-type fleets included."""
    pools, load = case(start)
    begun, worked = time.perf_counter(), time.process_time()
    found = plan_fleet(pools, load, Market(min_on=min_on), gap=0.01, time_limit=60)
    return {
        "case": f"starts of {start:g} s, kept {min_on} h",
        "seconds": time.perf_counter() - begun,
        "cpu_seconds": time.process_time() - worked,
        "gap": found.best.gap,
        "usd_per_week": found.best.cost,
        "saving_over_best_single_type": found.saving or 0.0,
        "saving_over_static": found.saving_over_static or 0.0,
    }


def main() -> None:
    """Print one line of results per case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON line per case")
    options = parser.parse_args()
    for start, min_on in ((0.0, 1), (300.0, 1), (300.0, 2)):
        row = measure(start, min_on)
        print(json.dumps(row) if options.json else row)


if __name__ == "__main__":
    main()
