"""AC-30: clocks of prompts and of decoding led apart, as in GreenLLM (2508.16449) and throttLL'eM.

Requests: lengths of the Azure 2023 conversations, bursts of twice a Poisson's variance. Targets:
five times the unloaded median of TTFT and TPOT, as DynamoLLM (2408.00741) sets them. Baseline: what
operators do without a controller, the same replicas at the highest clock throughout. The energy is
all of the accelerators', idle draw included. Clock laws are assumed (`perf.clocks.ASSUMED`).
"""

from dataclasses import replace
from functools import cache

import pytest
from simulate_cases import deployment

from inferometer.candidates import one
from inferometer.catalog.efficiency import efficiencies
from inferometer.catalog.models import model
from inferometer.deployment import Deployment
from inferometer.perf.predict import predict
from inferometer.simulate import measures
from inferometer.simulate.play import Play
from inferometer.simulate.simulation import Simulation, simulate
from inferometer.simulate.throttle import Throttle
from inferometer.workload.shape import shape_of
from inferometer.workload.slo import Slo, Target
from inferometer.workload.spec import LengthSpec, WorkloadSpec
from inferometer.workload.synthesis import synthesise
from inferometer.workload.trace import Trace


def azure(rate: float, requests: int) -> Trace:
    lengths = LengthSpec(profile="azure-2023-conv")
    spec = WorkloadSpec(rate=rate, requests=requests, lengths=lengths, arrivals="gamma", cv=1.4)
    return synthesise(spec, seed=1)


def fleet(budget: int) -> Deployment:
    built = deployment(gpu="a100-sxm-80gb", sequences=256, budget=budget, replicas=2)
    return replace(built, model=model("llama-3.1-8b"))


def played(built: Deployment, trace: Trace, throttle: Throttle | None = None) -> Simulation:
    return simulate(trace, built, efficiencies=efficiencies(), play=Play(throttle=throttle))


@cache
def targets(budget: int) -> Slo:
    alone = played(fleet(budget), azure(0.1, 200))
    unloaded = {"ttft": measures.ttft(alone), "tpot": measures.tpot(alone)}
    limits = {name: 5 * measures.quantiles(values).p50 for name, values in unloaded.items()}
    return Slo(targets=tuple(Target(metric=m, quantile="p99", limit=v) for m, v in limits.items()))


def against_full_clock(budget: int, load: float) -> tuple[float, float]:
    """Return the share of energy saved by the controller, and the misses it adds."""
    built, slo = fleet(budget), targets(budget)
    shape = shape_of(azure(1.0, 1500))
    capacity = float(predict(one(built), shape, efficiencies=efficiencies()).capacity[0])
    trace = azure(load * capacity, 1500)
    tpot = slo.targets[1].limit
    controller = Throttle(policy="slack", prefill=2, decode=5, itl=tpot)
    full, led = played(built, trace), played(built, trace, controller)
    saved = 1 - measures.energy_of(led).total / measures.energy_of(full).total
    missed = [1 - int(measures.totals_of(run, slo).met.sum()) / 1500 for run in (full, led)]
    return saved, missed[1] - missed[0]


@pytest.mark.parametrize("load", [0.3, 0.5])
def test_AC_30_clocks_led_apart_save_energy_at_few_missed_targets(load: float) -> None:
    saved, added = against_full_clock(512, load)
    assert 0.15 <= saved <= 0.45
    assert added < 0.035


def test_AC_30_long_chunks_of_prompts_leave_the_controller_nothing_to_lower() -> None:
    """A step of 2,048 prompt tokens alone breaks the limit of gaps that the clock is led by."""
    assert against_full_clock(2048, 0.5)[0] < 0.1
