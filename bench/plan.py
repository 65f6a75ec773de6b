"""Configurations per second of the planner's search, against a naive twin.

Llama 3.1 70B on every GPU, at a steady load of log-normal lengths. Time is that of one core
(process time; nothing here uses a second thread) from enumerating to the answer. Every
configuration counts once, however often it is evaluated to find its replicas:

* `configs_per_s`: all that are enumerated and end as feasible or under the reason that rules them
  out, those that cannot be built included;
* `configs_per_s_buildable`: only those that can be built, each with its replicas solved;
* `evaluations_per_s`: predictions at the depth that the search asks for;
* `configs_per_s_naive`: the twin evaluates the same configurations one at a time through the same
  closed form, at one replica each.
"""

import argparse
import datetime as dt
import json
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from inferometer.catalog.efficiency import efficiencies
from inferometer.catalog.models import model
from inferometer.catalog.prices import accelerator_price
from inferometer.catalog.tables import accelerators, engines, formats, node
from inferometer.perf.predict import predict
from inferometer.plan.precision import provided
from inferometer.plan.search import search
from inferometer.plan.space import Choices, Supply, build
from inferometer.workload.shape import shape_of_lengths
from inferometer.workload.slo import Slo, parse_target

DAY = dt.date(2026, 11, 1)
NAIVE = 200
"""Configurations that the naive twin evaluates: enough to time it."""


def main() -> None:
    """Print one line of results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    parser.add_argument("--repeat", type=int, default=3, help="runs; the fastest counts")
    options = parser.parse_args()
    result = measure(options.repeat)
    lines = (f"{name}: {value:,.6g}" for name, value in result.items())
    print(json.dumps(result) if options.json else "\n".join(lines))


def measure(repeat: int) -> dict[str, float]:
    """Return sizes, seconds and rates."""
    which = model("llama-3.1-70b")
    offers = [
        Supply(
            accelerator=chip,
            node=node(chip.key),
            price=accelerator_price(chip.key, at=DAY),
            available=64,
        )
        for chip in accelerators().values()
        if chip.kind != "cpu"
    ]
    precisions = tuple(item.precision for item in provided(which, formats()))
    choices = Choices(engines=(engines()["vllm"],), precisions=precisions)
    generator = np.random.default_rng(0)
    lengths = [generator.lognormal(mean, 1.0, 2000).astype(int) + 1 for mean in (6.5, 5.0)]
    shape = shape_of_lengths(lengths[0], lengths[1], 6.0)
    targets = ("ttft p99 <= 2 s", "tpot p99 <= 50 ms")
    slo = Slo(targets=tuple(parse_target(target) for target in targets))
    evaluate = partial(predict, efficiencies=efficiencies(), slo=slo)
    space = build(which, offers, choices)
    rows = np.linspace(0, len(space.candidates) - 1, NAIVE).astype(np.int64)

    def one_by_one() -> None:
        for row in rows:
            evaluate(space.candidates.take(rows[rows == row]), shape)

    plan = search(space, shape, slo, evaluate)
    once = fastest(lambda: evaluate(space.candidates, shape), repeat)
    whole = fastest(lambda: search(build(which, offers, choices), shape, slo, evaluate), repeat)
    naive = fastest(one_by_one, 1) / NAIVE
    buildable = len(space.candidates)
    return {
        "configs_per_s": plan.enumerated / whole,
        "configs_per_s_buildable": buildable / whole,
        "evaluations_per_s": plan.evaluations / whole,
        "whole_predictions_per_s": buildable / once,
        "configs_per_s_naive": 1 / naive,
        "ratio_to_naive": buildable / whole * naive,
        "search_s": whole,
        "enumerated": plan.enumerated,
        "buildable": buildable,
        "evaluations": plan.evaluations,
        "feasible": plan.feasible,
    }


def fastest(action: Callable[[], object], repeat: int) -> float:
    """Return the least processor time of `repeat` runs, s."""
    times = []
    for _ in range(repeat):
        start = time.process_time()
        action()
        times.append(time.process_time() - start)
    return min(times)


if __name__ == "__main__":
    main()
