"""Closed-form prediction of deployments under an open-loop workload, for many at once.

Requests arrive at the workload's rate and are spread evenly over lanes. Latencies hold at the
busiest minute, energy over the whole span. The approximations are those of `perf.queueing` and
`perf.steady`; they leave out preemption, and take batches as they are on average.
"""

from collections.abc import Callable
from dataclasses import fields

import numpy as np

from inferometer.candidates import Candidates, Floats
from inferometer.catalog.efficiency import Efficiencies
from inferometer.perf import latency
from inferometer.perf.binding import CONSTRAINTS, binding
from inferometer.perf.demand import Demand, demand
from inferometer.perf.goodput import goodput_fraction
from inferometer.perf.lanes import Lanes, divide
from inferometer.perf.power import Draw, draw
from inferometer.perf.prediction import QUANTILES, Depth, Prediction
from inferometer.perf.roofline import Machine, compile_candidates
from inferometer.perf.steady import Steady, busy_batch, running_sequences, steady, step_yield
from inferometer.workload.shape import Shape
from inferometer.workload.slo import Slo

BLOCK = 4096
"""Configurations evaluated at a time, so that intermediate arrays stay in cache."""

Tune = Callable[[Machine], Machine]
"""Returns configurations whose rates are changed."""

LATENCIES = ("ttft", "tpot", "itl", "e2e")
"""Latency fields of a prediction."""


def predict(
    candidates: Candidates,
    shape: Shape,
    *,
    efficiencies: Efficiencies,
    slo: Slo | None = None,
    depth: Depth = Depth.ENERGY,
    tuned: Tune | None = None,
) -> Prediction:
    """Return latency, throughput and energy of every configuration under `shape`.

    O(configurations). One that does not fit has `fits` False and NaN elsewhere; one that is
    overloaded at the busiest minute has infinite latencies; what lies beyond `depth` is NaN.

    Args:
        candidates: The configurations.
        shape: The workload.
        efficiencies: Parameters of the model.
        slo: Targets, for the share of requests within them.
        depth: How much to work out.
        tuned: What is changed in the compiled configurations, such as `clocks.at_clock`.

    Raises:
        WorkloadError: the workload has no input or no output tokens.
        CatalogError: an efficiency parameter is missing.
    """
    blocks = [
        _predict(candidates.take(np.arange(start, min(start + BLOCK, len(candidates)))),
                 shape, efficiencies, slo or Slo(), depth, tuned)
        for start in range(0, len(candidates), BLOCK)
    ]  # fmt: skip
    if len(blocks) == 1:
        return blocks[0]
    joined = {
        field.name: np.concatenate([getattr(block, field.name) for block in blocks])
        for field in fields(Prediction)
        if field.name not in {"shape", "constraints"}
    }
    return Prediction(shape=shape, constraints=CONSTRAINTS, **joined)


def capacity_per_lane(full: Steady, lanes: Lanes, machine: Machine, demand: Demand) -> Floats:
    """Return the requests per second at which one lane saturates [config].

    Decode: sequences x yield / (output x step) with all sequences running. Prefill: where every
    step already carries the largest chunk, chunk / (prompt x step).
    """
    decode = lanes.limit * step_yield(machine).tokens / (demand.output[0] * full.step)
    prefill = full.chunk / (demand.prompt[0] * full.step)
    return np.where(full.share < 1, decode, np.minimum(decode, prefill))


def _predict(
    candidates: Candidates, shape: Shape, efficiencies: Efficiencies, slo: Slo, depth: Depth,
    tuned: Tune | None,
) -> Prediction:  # fmt: skip
    machine = compile_candidates(candidates, efficiencies)
    machine = machine if tuned is None else tuned(machine)
    asked = demand(shape, machine.shard.reaches, prefix_caching=candidates.prefix_caching)
    lanes = divide(machine, asked)
    full = steady(lanes.limit, machine, asked)
    capacity = capacity_per_lane(full, lanes, machine, asked)
    peak, mean = shape.peak_rate / lanes.count, shape.rate / lanes.count
    blank = np.full(len(candidates), np.nan)
    running, good, drawn = blank, blank, Draw(prefill=blank, decode=blank, idle=blank)
    latencies = dict.fromkeys(LATENCIES, np.full((len(candidates), len(QUANTILES)), np.nan))
    if depth is not Depth.CAPACITY:
        running = running_sequences(peak, lanes.limit, machine, asked)
        latencies = _latencies(peak, capacity, running, lanes, asked, machine, shape.burstiness)
        good = goodput_fraction(slo, latencies)
    if depth is Depth.ENERGY:
        drawn = _draw(mean, machine, lanes, asked)
    total = candidates.accelerators_per_replica * candidates.replicas
    nan = np.where(lanes.fits, 1.0, np.nan)
    return Prediction(
        shape=shape,
        fits=lanes.fits,
        **{name: values * nan[:, None] for name, values in latencies.items()},
        capacity=capacity * lanes.count * nan,
        utilisation=peak / capacity * nan,
        mean_utilisation=mean / capacity * nan,
        batch=running * lanes.count / candidates.replicas * nan,
        kv_fraction=np.minimum(running / lanes.memory_limit, 1.0) * nan,
        kv_tokens=lanes.kv_tokens,
        power=drawn.total * total * nan,
        energy_prefill=drawn.prefill * total * shape.span * nan,
        energy_decode=drawn.decode * total * shape.span * nan,
        energy_idle=drawn.idle * total * shape.span * nan,
        cached_fraction=np.full(len(candidates), asked.cached_fraction),
        goodput_fraction=good * nan,
        binding=binding(full, lanes, machine, asked),
        constraints=CONSTRAINTS,
    )


def _latencies(
    rate: Floats, capacity: Floats, running: Floats, lanes: Lanes, demand: Demand,
    machine: Machine, burstiness: float,
) -> dict[str, Floats]:  # fmt: skip
    seen = np.minimum(busy_batch(running), lanes.limit)
    state = steady(seen, machine, demand)
    # Thinning a bursty stream over many lanes makes it Poisson (Palm-Khintchine).
    arrivals = 1 + (burstiness - 1) / lanes.count
    first = latency.ttft(rate, running, state, lanes, demand, machine, arrivals)
    per_token = latency.tpot(seen, state, demand, machine)
    found = {
        "ttft": first,
        "tpot": per_token,
        "itl": latency.itl(state, machine),
        "e2e": latency.e2e(first, per_token, demand),
    }
    stable = (rate < capacity)[:, None]
    return {name: np.where(stable, values, np.inf) for name, values in found.items()}


def _draw(rate: Floats, machine: Machine, lanes: Lanes, demand: Demand) -> Draw:
    running = running_sequences(rate, lanes.limit, machine, demand)
    state = steady(np.minimum(busy_batch(running), lanes.limit), machine, demand)
    return draw(state, running, machine)
