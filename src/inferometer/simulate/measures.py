"""What a simulation amounts to: the same `Outcome` as the closed form's, from every request."""

import dataclasses

import numpy as np

from inferometer.catalog.source import Evidence
from inferometer.outcome import Energy, Latency, Outcome
from inferometer.perf.power import idle_power, step_power
from inferometer.perf.roofline import Machine, StepTime
from inferometer.simulate.simulation import Simulation, Usage
from inferometer.simulate.tally import GROWTH, SHORTEST
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
    records, span = simulation.records, max(simulation.end, 1e-9)
    done = records.done
    energy = energy_of(simulation)
    rate = simulation.counts.finished / span
    up = sum(usage.up for usage in simulation.usage)
    return Outcome(
        evidence=Evidence.SIMULATED,
        span=span,
        ttft=quantiles(ttft(simulation)),
        tpot=quantiles(tpot(simulation)),
        itl=gap_quantiles(simulation),
        e2e=quantiles(e2e(simulation)),
        request_rate=rate,
        input_rate=float(records.prompt[done].sum()) / span,
        cached_rate=float(records.cached[done].sum()) / span,
        output_rate=float(records.output[done].sum()) / span,
        capacity=predicted.capacity,
        utilisation=predicted.utilisation,
        batch=simulation.sums["sequence_time"] / max(up, 1e-9),
        kv_fraction=sum(one.block_share for one in simulation.usage) / lane_time(simulation),
        power=energy.total / span,
        energy=energy,
        counts=simulation.counts,
        goodput=rate * attained(simulation, slo or Slo()),
        binding=predicted.binding,
    )


def ttft(simulation: Simulation) -> Floats:
    """Return time to first token of every finished request, HTTP and tokeniser included, s."""
    records = simulation.records
    outside = float(simulation.machine.rates.request_overhead[0])
    return (records.first_token - records.asked)[records.done] + outside


def e2e(simulation: Simulation) -> Floats:
    """Return the time from asking to the last token of every finished request, s."""
    records = simulation.records
    outside = float(simulation.machine.rates.request_overhead[0])
    return (records.finished - records.asked)[records.done] + outside


def tpot(simulation: Simulation) -> Floats:
    """Return (E2E - TTFT) / (output - 1) of finished requests of two output tokens or more, s."""
    records = simulation.records
    several = records.done & (records.output > 1)
    decode = (records.finished - records.first_token)[several]
    return decode / (records.output[several] - 1)


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


def tail(values: Floats, level: float) -> float:
    """Return one quantile; NaN without values."""
    return float(np.quantile(values, level)) if len(values) else np.nan


def gap_quantiles(simulation: Simulation) -> Latency:
    """Return the quantiles of gaps between tokens, each within half a percent."""
    gaps = simulation.gaps
    total = int(gaps.sum())
    if total == 0:
        return quantiles(np.zeros(0))
    middle = SHORTEST * np.exp(GROWTH * (np.arange(len(gaps)) - 0.5))
    upto = np.cumsum(gaps)
    at = [float(middle[np.searchsorted(upto, level * total)]) for level in LEVELS]
    mean = float(gaps @ middle) / total
    return Latency(mean=mean, p50=at[0], p90=at[1], p99=at[2])


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


def attained(simulation: Simulation, slo: Slo) -> float:
    """Return the share of finished requests that meet the limit of every target themselves."""
    records = simulation.records
    met = records.done.copy()
    values = {"ttft": ttft(simulation), "e2e": e2e(simulation)}
    decode = records.finished - records.first_token
    values["tpot"] = (decode / np.maximum(records.output - 1, 1))[records.done]
    values["itl"] = values["tpot"]
    for target in slo.targets:
        met[records.done] &= values[target.metric] <= target.limit
    return float(met.sum()) / max(float(records.done.sum()), 1.0)
