"""What a simulation amounts to: the same `Outcome` as the closed form's, from every request."""

import dataclasses

import numpy as np

from inferometer.catalog.source import Evidence
from inferometer.errors import ScenarioError
from inferometer.outcome import Energy, Latency, Outcome
from inferometer.perf.power import idle_power, step_power
from inferometer.perf.roofline import Machine, StepTime
from inferometer.simulate import latency
from inferometer.simulate.histogram import Quantiles, quantiles_of
from inferometer.simulate.simulation import Simulation, Usage
from inferometer.simulate.totals import (
    ALL,
    CACHED,
    METRICS,
    OUTPUT,
    PROMPT,
    Totals,
    add,
    tail,
)
from inferometer.units import Fraction
from inferometer.workload.shape import LEVELS
from inferometer.workload.slo import Slo
from inferometer.workload.trace import Floats


def outcome(simulation: Simulation, predicted: Outcome, slo: Slo | None = None) -> Outcome:
    """Return a simulation as an `Outcome`: rates over the time from first arrival to last event.

    One run at one load does not tell where the fleet saturates: capacity, the load's share of it
    and what binds there are those of the closed form.

    Args:
        simulation: The run.
        predicted: The closed form's answer for the same workload and deployment.
        slo: Targets that a request must meet to count as goodput.
    """
    span, totals = max(simulation.end, 1e-9), totals_of(simulation, slo or Slo())
    energy = energy_of(simulation)
    up = sum(usage.up for usage in simulation.usage)
    tokens = totals.tokens.sum(axis=0) / span
    return Outcome(
        evidence=Evidence.SIMULATED,
        span=span,
        **latencies(simulation, totals),
        itl=gap_quantiles(simulation),
        request_rate=simulation.counts.finished / span,
        input_rate=float(tokens[PROMPT]),
        cached_rate=float(tokens[CACHED]),
        output_rate=float(tokens[OUTPUT]),
        capacity=predicted.capacity,
        utilisation=predicted.utilisation,
        batch=simulation.sums["sequence_time"] / max(up, 1e-9),
        kv_fraction=sum(one.block_share for one in simulation.usage) / lane_time(simulation),
        power=energy.total / span,
        energy=energy,
        counts=simulation.counts,
        goodput=int(totals.met.sum()) / span,
        binding=predicted.binding,
    )


def good_fraction(simulation: Simulation, slo: Slo) -> Fraction:
    """Return the share of the requests that arrived that stay within all limits at once."""
    return int(totals_of(simulation, slo).met.sum()) / max(simulation.counts.arrived, 1)


def latencies(simulation: Simulation, totals: Totals) -> dict[str, Latency]:
    """Return TTFT, TPOT and E2E: from every request, or from the buckets of a stream."""
    if simulation.totals is None:
        found = {"ttft": ttft(simulation), "tpot": tpot(simulation), "e2e": e2e(simulation)}
        return {name: quantiles(values) for name, values in found.items()}
    whole = tail(totals, simulation.gaps, np.ones(len(totals.groups), bool), ALL, ALL)
    return {name: bucketed(getattr(whole, name)) for name in METRICS}


def bucketed(known: Quantiles) -> Latency:
    """Return the quantiles that an `Outcome` holds."""
    return Latency(mean=known.mean, p50=known.p50, p90=known.p90, p99=known.p99)


def outside(simulation: Simulation) -> float:
    """Return what a request takes beside its steps, s: HTTP and tokeniser."""
    return float(simulation.machine.rates.request_overhead[0])


def ttft(simulation: Simulation) -> Floats:
    """Return time to first token of every finished request of the records, s."""
    return latency.ttft(simulation.records, outside(simulation))


def e2e(simulation: Simulation) -> Floats:
    """Return the time from asking to the last token of every finished request of them, s."""
    return latency.e2e(simulation.records, outside(simulation))


def tpot(simulation: Simulation) -> Floats:
    """Return (E2E - TTFT) / (output - 1) of those of two output tokens or more, s."""
    return latency.tpot(simulation.records)


def totals_of(simulation: Simulation, slo: Slo) -> Totals:
    """Return sums over all requests that ended.

    Raises:
        ScenarioError: other targets than those by which a stream was counted.
    """
    if simulation.totals is None:
        totals = Totals(groups=simulation.groups, slo=slo, outside=outside(simulation))
        add(totals, simulation.records)
        return totals
    if slo != simulation.totals.slo:
        raise ScenarioError(f"a stream counted by {simulation.totals.slo} cannot tell {slo}")
    return simulation.totals


def busy_fraction(simulation: Simulation) -> float:
    """Return the share of the time in which a lane runs steps, mean over lanes."""
    busy = simulation.sums["plain_time"] + simulation.sums["mixed_time"]
    return busy / lane_time(simulation)


def lane_time(simulation: Simulation) -> float:
    """Return the time in which lanes served, summed over lanes, s."""
    return max(sum(one.up * one.pool.lanes_each for one in simulation.usage), 1e-9)


def quantiles(values: Floats) -> Latency:
    """Return mean and quantiles; NaN without values."""
    if not len(values):
        return Latency(mean=np.nan, p50=np.nan, p90=np.nan, p99=np.nan)
    p50, p90, p99 = (float(value) for value in np.quantile(values, LEVELS))
    return Latency(mean=float(values.mean()), p50=p50, p90=p90, p99=p99)


def gap_quantiles(simulation: Simulation) -> Latency:
    """Return the quantiles of gaps between tokens, each within half a percent."""
    return bucketed(quantiles_of(simulation.gaps.sum(axis=0)))


def energy_of(simulation: Simulation) -> Energy:
    """Return the energy of all accelerators, by `perf.power.step_power` of the mean step.

    Accelerators draw their idle power from asking for a replica to its stop.
    """
    parts = [_energy(usage) for usage in simulation.usage]
    prefill, decode, idle = (sum(part[kind] for part in parts) for kind in range(3))
    return Energy(prefill=prefill, decode=decode, idle=idle)


def _energy(usage: Usage) -> tuple[float, float, float]:
    chips = usage.pool.deployment.parallelism.accelerators
    each = chips / usage.pool.lanes_each
    idle = float(idle_power(usage.pool.machines[0].candidates)[0])
    mixed = decode = 0.0
    for machine, spent in zip(usage.pool.machines, usage.spent, strict=True):
        decode += _above_idle(spent[:3], machine, idle) * each
        mixed += _above_idle(spent[3:], machine, idle) * each
    return mixed, decode, idle * usage.paid * chips


def _above_idle(spent: Floats, machine: Machine, idle: float) -> float:
    """Return the energy of one accelerator's steps above idle, J, from their sums."""
    time, compute, memory = (float(value) for value in spent)
    if time <= 0:
        return 0.0
    return (float(step_power(_mean_step(compute, memory, time), machine)[0]) - idle) * time


def _mean_step(compute: float, memory: float, time: float) -> StepTime:
    fields = {field.name: np.zeros(1) for field in dataclasses.fields(StepTime)}
    fields |= {"compute": np.array([compute]), "memory": np.array([memory])}
    return StepTime(**(fields | {"overhead": np.array([max(time, 1e-30)])}))
