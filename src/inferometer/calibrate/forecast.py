"""What the performance model says of each observation, by metric of its source."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from inferometer.calibrate.bench import Group, Pool
from inferometer.candidates import Floats
from inferometer.catalog.clock_law import clock_laws
from inferometer.perf.clocks import at_clock, clock_under_cap
from inferometer.perf.closed_loop import burst, closed_loop
from inferometer.perf.open_run import open_run
from inferometer.perf.power import busy_draw, step_power
from inferometer.perf.roofline import Batch, StepTime, step_time
from inferometer.perf.static_batch import static_batch
from inferometer.perf.steady import (
    Steady,
    decode_step,
    decode_steps,
    prefill_time,
    steady,
    step_yield,
)

ITL_LEVELS: Mapping[str, float] = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
"""Quantiles of gaps between tokens that sources report."""

Columns = dict[str, Floats]


def forecast(group: Group) -> Columns:
    """Return predicted quantities of a group in base units, by name, each [config].

    Names: output_rate (tok/s), ttft, tpot, e2e (s, with _p50, _mean or _p99), itl_p50.. (s), power
    (W, all accelerators, with their hosts where the row was metered at the wall), prefill and
    decode (s, static batches), step (s).
    """
    if group.kind in OFFLINE:
        group = replace(group, main=group.main.unstreamed())
    columns, loads = _KINDS[group.kind](group), group.loads
    running, idle = loads["metered"] * columns["power"], (1 - loads["metered"]) * loads["idle"]
    return {**columns, "power": running + idle + loads["host"]}


OFFLINE = frozenset({"static", "prompt", "offline", "bounded", "step"})
"""Kinds of load without clients that stream: MLPerf's server scenario calls the engine itself."""


def _closed(group: Group) -> Columns:
    pool, loads = group.main, group.loads
    clients = np.maximum(loads["clients"] / pool.lanes, 1.0)
    loop = closed_loop(clients, pool.limit, pool.machine, pool.demand, lockstep=loads["lockstep"])
    rate = loop.rate * pool.lanes
    together = burst(np.minimum(clients, pool.limit), pool.machine, pool.demand)
    more = np.maximum(together - loop.ttft, 0.0)
    first = _First(
        mean=loop.ttft + loads["burst"] * more,
        median=loop.ttft + loads["burst_median"] * more,
        tail=_tail(loop.ttft, together, loads["burst"]),
    )
    return {
        **_requests(first, loop.tpot, rate, loads["outputs"]),
        **_gaps(loop.state),
        "power": busy_draw(loop.state, 1.0, pool.machine).total * pool.accelerators,
    }


class _First(NamedTuple):
    """Time to first token over requests, s [config]."""

    mean: Floats
    median: Floats
    tail: Floats


def _tail(ttft: Floats, together: Floats, share: Floats) -> Floats:
    """Return p99 of TTFT where a share of requests starts at once, waiting `together` on average.

    Their waits are even up to twice that. Where they are fewer than one in a hundred, it is twice
    the mean of the others.
    """
    late = np.maximum(1 - (1 - 0.99) / np.maximum(share, 1 - 0.99), 0.0)
    return np.maximum(2 * ttft, 2 * together * late)


def _alike(ttft: Floats) -> _First:
    """Return the times of requests of which only the mean is known."""
    return _First(mean=ttft, median=ttft, tail=2 * ttft)


def _requests(first: _First, tpot: Floats, rate: Floats, outputs: Floats) -> Columns:
    decode = tpot * np.maximum(outputs - 1, 0)
    return {
        "request_rate": rate, "output_rate": rate * outputs,
        "ttft_p50": first.median, "ttft_mean": first.mean, "ttft_p99": first.tail,
        "tpot_p50": tpot, "tpot_mean": tpot, "tpot_p99": tpot * 1.1,
        "e2e_p50": first.median + decode, "e2e_mean": first.mean + decode,
        "e2e_p99": np.maximum(first.tail + decode, 1.1 * (first.mean + decode)),
    }  # fmt: skip


def _gaps(state: Steady) -> Columns:
    """Return quantiles of gaps: a plain step or one with a chunk, by their shares."""
    gaps = {
        f"itl_{name}": np.where(state.share >= 1 - level, state.mixed.total, state.plain.total)
        for name, level in ITL_LEVELS.items()
    }
    return {**gaps, "itl_mean": state.step}


def _static(group: Group) -> Columns:
    loads = group.loads
    pool = _shared(group.main, loads["share"])
    pipeline = pool.machine.candidates.column("pipeline")
    ranks = pool.lanes / pipeline  # a static batch passes through all stages as one
    sequences = np.maximum(loads["clients"] / ranks, 1.0)
    waves = np.maximum(np.ceil(sequences / (pool.limit * pipeline)), 1.0)
    front = _capped(_prompt_step, pool, sequences / waves, loads["cap"])
    back = _capped(_decode_step, pool, sequences / waves, loads["cap"])
    prefill = static_batch(sequences / waves, front.machine, front.demand).prefill
    step = _decode_step(sequences / waves, back)
    decode, steps = step.total, np.maximum(loads["outputs"] - 1, 0)
    overhead = pool.machine.rates.request_overhead
    total = (prefill + steps * decode) * waves + overhead
    prompt_power = _prefill_power(sequences / waves, front)
    drawn = step_power(step, back.machine) * steps * decode + prompt_power * prefill
    drawn = drawn / (prefill + steps * decode)
    return {
        **_requests(_alike(prefill + overhead), decode, loads["clients"] / total, loads["outputs"]),
        "e2e_mean": total, "e2e_p50": total,
        "itl_p50": decode, "itl_mean": decode,
        "prefill": prefill, "decode": decode,
        "power": drawn * pool.accelerators, "prefill_power": prompt_power * pool.accelerators,
    }  # fmt: skip


def _capped(
    step: Callable[[Floats, Pool], StepTime], pool: Pool, sequences: Floats, cap: Floats
) -> Pool:
    """Return the pool at the clock that a power cap leaves to steps of one phase."""
    if not np.any(np.isfinite(cap)):
        return pool
    laws = clock_laws()
    clock = clock_under_cap(
        lambda machine: step(sequences, replace(pool, machine=machine)), pool.machine, cap, laws
    )
    return replace(pool, machine=at_clock(pool.machine, clock, laws))


def _shared(pool: Pool, share: Floats) -> Pool:
    """Return the pool with a share of the cores: arithmetic scales with them, memory does not."""
    rates = pool.machine.rates
    names = ("linear_compute", "expert_compute", "attention_compute")
    return pool.at(rates._replace(**{name: getattr(rates, name) * share for name in names}))


def _prefill_power(sequences: Floats, pool: Pool) -> Floats:
    return step_power(_prompt_step(sequences, pool), pool.machine)


def _prompt_step(sequences: Floats, pool: Pool) -> StepTime:
    zero = np.zeros_like(sequences)
    batch = Batch(
        sequences=zero,
        context=pool.demand.context,
        prefill=sequences * pool.demand.prompt[0],
        prefill_context=pool.demand.prefill_context,
    )
    return step_time(batch, pool.machine)


def _prompt(group: Group) -> Columns:
    """A prompt alone: its rate counts prompt tokens."""
    found = _static(group)
    rate = group.loads["inputs"] * group.loads["clients"] / found["prefill"]
    return {**found, "output_rate": rate, "power": found["prefill_power"]}


def _offline(group: Group) -> Columns:
    """All requests at once: as many run as fit, and every end is followed by a start."""
    pool = group.main
    return _saturated(group, pool.limit)


def _saturated(group: Group, sequences: Floats) -> Columns:
    pool, loads = group.main, group.loads
    loop = closed_loop(sequences, sequences, pool.machine, pool.demand)
    rate = loop.rate * pool.lanes
    return {
        **_requests(_alike(loop.ttft), loop.tpot, rate, loads["outputs"]),
        **_gaps(loop.state),
        "power": busy_draw(loop.state, 1.0, pool.machine).total * pool.accelerators,
    }


def _bounded(group: Group) -> Columns:
    """The most sequences whose step keeps the limit, by bisection; at least one."""
    pool, limit = group.main, group.loads["tpot_limit"]
    low, high = np.ones_like(pool.limit), pool.limit
    for _ in range(BISECTIONS):
        middle = np.sqrt(low * high)
        slow = steady(middle, pool.machine, pool.demand).step > limit
        low, high = np.where(slow, low, middle), np.where(slow, middle, high)
    return _saturated(group, low)


BISECTIONS = 12
"""Halvings of the (logarithmic) range of sequences: a factor 1000 to one part in 600."""


def _open(group: Group) -> Columns:
    """A rate: steady where it is below capacity, the backlog of a finite run where it is above."""
    pool, loads = group.main, group.loads
    requests = np.where(loads["requests"] > 0, loads["requests"], np.inf) / pool.lanes
    run = open_run(
        loads["rate"] / pool.lanes, requests, pool.limit, pool.machine, pool.demand,
        lockstep=loads["lockstep"],
    )  # fmt: skip
    mean, median, *_, tail = run.ttft.T
    return {
        **_requests(_First(mean, median, tail), run.tpot, run.rate * pool.lanes, loads["outputs"]),
        **_gaps(run.state),
        "power": busy_draw(run.state, 1.0, pool.machine).total * pool.accelerators,
    }  # fmt: skip


def _pools(group: Group) -> Columns:
    """Prefill and decode in pools of their own: a closed loop over two stations.

    The rate of the loop is the least of what the clients sustain, and what each pool can do; the
    queue in front of the prefill pool holds the clients that neither serves.
    """
    front, back, loads = group.front, group.main, group.loads
    if front is None:
        raise TypeError("a group of pools has a prefill pool by construction")
    one = np.ones_like(loads["clients"])
    chunk = _prefill_only(one, front)
    transfer = _handover(back)
    workers = np.where(loads["balanced"] > 0, _balance(group, chunk), 1.0)
    places = front.lanes * workers
    capacity = places / chunk
    offered = np.where(loads["rate"] > 0, loads["rate"], np.inf)
    steps = decode_steps(loads["outputs"], back.machine)
    clients = np.where(np.isfinite(offered), back.limit * back.lanes, loads["clients"])
    running = np.clip(clients / back.lanes, 1.0, back.limit)
    limit, first = running, transfer
    for _ in range(ROUNDS):
        tpot = _decode_step(running, back).total
        most = np.minimum(RUSH * capacity, offered)
        rate = np.minimum(running * back.lanes / (steps * tpot), most)
        utilisation = np.minimum(rate / capacity, 0.98)
        wait = chunk * (1 + utilisation / (2 * (1 - utilisation) * np.maximum(places, 1)))
        first = wait + transfer + back.machine.rates.request_overhead
        wanted = clients / back.lanes * steps * tpot / (first + steps * tpot)
        sustained = most * steps * tpot / back.lanes
        running = np.clip((running + np.minimum(wanted, sustained)) / 2, 0.02 * limit, limit)
    tpot = _decode_step(running, back).total
    rate = running * back.lanes / (steps * tpot)
    waiting = np.maximum(clients / rate - steps * tpot, first)
    start = loads["burst"] * np.maximum(chunk * (clients / places + 1) / 2 - waiting, 0.0)
    ttft = np.where(np.isfinite(offered), first, waiting + start)
    decode_power = step_power(_decode_step(running, back), back.machine) * back.accelerators
    return {
        **_requests(_alike(ttft), tpot / step_yield(back.machine).tokens, rate, loads["outputs"]),
        "itl_p50": tpot, "itl_mean": tpot, "itl_p99": tpot,
        "power": decode_power + _prefill_power(one, front) * front.accelerators,
    }  # fmt: skip


def _balance(group: Group, chunk: Floats) -> Floats:
    """Return how many prefill workers a decode pool keeps busy, at least one.

    Operators size the pools to one another: the prefill pool just carries the rate at which the
    decode pool, full, ends requests.
    """
    back, front, loads = group.main, group.front, group.loads
    if front is None:
        return np.ones_like(chunk)
    running = np.clip(loads["clients"] / back.lanes, 1.0, back.limit)
    tpot = _decode_step(running, back).total
    steps = decode_steps(loads["outputs"], back.machine)
    rate = running * back.lanes / (steps * tpot)
    return np.clip(np.round(rate * chunk / front.lanes), 1.0, MOST_WORKERS)


MOST_WORKERS = 16.0
"""Most prefill workers assumed where a source states none."""

ROUNDS = 16
"""Damped fixed-point rounds of two stations."""

RUSH = 0.98
"""Share of a pool's capacity that a closed loop reaches: ends are not perfectly spread."""


def _prefill_only(sequences: Floats, pool: Pool) -> Floats:
    zero = np.zeros_like(sequences)
    return prefill_time(sequences * pool.demand.prompt[0], zero, pool.machine, pool.demand)


def _handover(pool: Pool) -> Floats:
    """Return the time to move a prompt's KV cache between pools, all ranks at once."""
    machine, demand = pool.machine, pool.demand
    held = (machine.shard.kv_bytes * demand.prompt[0]).sum(axis=0)
    chips = machine.candidates.accelerators
    wire = np.array([chip.network_bandwidth for chip in chips])[machine.candidates.accelerator]
    return machine.rates.handover_latency + held / (wire * machine.rates.link)


def _decode_step(sequences: Floats, pool: Pool) -> StepTime:
    return decode_step(sequences, pool.machine, pool.demand)


def _step(group: Group) -> Columns:
    pool, loads = group.main, group.loads
    sequences, prefill = loads["pass_sequences"], loads["pass_prefill"]
    reach = np.asarray(pool.machine.shard.reaches)
    context = np.minimum(loads["pass_context"] / np.maximum(sequences, 1.0), reach)
    prompts = np.maximum(loads["pass_prompts"], 1.0)
    past, each = loads["pass_prefill_past"] / prompts, prefill / prompts
    seen = np.minimum(past + each / 2, reach)
    batch = Batch(sequences=sequences, context=context, prefill=prefill, prefill_context=seen)
    step = step_time(batch, pool.machine)
    return {"step": step.total, "power": step_power(step, pool.machine) * pool.accelerators}


_KINDS: Mapping[str, Callable[[Group], Columns]] = {
    "closed": _closed,
    "static": _static,
    "prompt": _prompt,
    "offline": _offline,
    "bounded": _bounded,
    "open": _open,
    "pools": _pools,
    "step": _step,
}
