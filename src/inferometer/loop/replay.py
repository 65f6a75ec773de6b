"""A trace replayed through the gateway at what this machine sustains."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inferometer.loop.bench import Bench, Load, bench
from inferometer.loop.client import Endpoint
from inferometer.loop.forecast import forecast
from inferometer.loop.jobs import Bounds, Fitting, fitted, jobs_of
from inferometer.loop.setting import Setting
from inferometer.loop.stack import Stack
from inferometer.units import Duration, Fraction, PerSecond, Watts
from inferometer.workload.trace import Trace

SAMPLE = 48
"""Requests of the trace that the machine's capacity is predicted with."""

LOCAL = "local"
"""Who gets the key where a trace names no tenants."""

OTHERS = "others"
"""Who pays for tenants without a key of their own, so that nobody else does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sustained:
    """What a machine carries of a trace.

    Attributes:
        capacity: Requests per second of a full closed loop, as predicted.
        rate: Requests per second to send.
        requests: Requests to send.
    """

    capacity: PerSecond
    rate: PerSecond
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """An engine on this machine whose overlay is known.

    Attributes:
        file: GGUF file that it serves.
        setting: Its setting.
        overlay: What `calibrate --endpoint` wrote of it.
        draw: Declared draw of the machine.
    """

    file: Path
    setting: Setting
    overlay: Path
    draw: Watts


def sustained(
    trace: Trace, bounds: Bounds, served: Served, *, load: Fraction, span: Duration, seed: int
) -> Sustained:
    """Return the rate at which a machine can be sent a trace for a time.

    Args:
        trace: The requests.
        bounds: Longest prompt and output.
        served: The engine.
        load: Share of the capacity to use: above it queues grow without end.
        span: How long to send.
        seed: Of the sample.
    """
    sample, _ = fitted(trace, bounds, requests=SAMPLE, rate=0.0, seed=seed)
    full = forecast(
        sample, served.file, served.setting, served.overlay,
        clients=served.setting.slots, draw=served.draw,
    )  # fmt: skip
    rate = load * full.request_rate
    wanted = max(int(rate * span), 4)
    return Sustained(capacity=full.request_rate, rate=rate, requests=min(wanted, len(trace)))


def replay(
    trace: Trace, bounds: Bounds, stack: Stack, chosen: Sustained, *, watts: Watts, seed: int
) -> tuple[Bench, Fitting]:
    """Return an open-loop run of the trace through the gateway, each of `tenants_of` with its key.

    Of a trace that is faster than the machine the first stretch is taken, as many requests as come
    in the time of the replay, and thinned; of a slower one time is pressed together.
    """
    faster = (len(trace) - 1) / trace.span / chosen.rate if trace.span > 0 else 1.0
    first = min(round(chosen.requests * max(faster, 1.0)), len(trace))
    cut, how = fitted(
        trace, bounds, requests=chosen.requests, rate=chosen.rate, seed=seed, first=first
    )
    keys = keys_of(trace, stack.keys)
    endpoint = Endpoint(url=stack.gateway, model=stack.alias, keys=keys)
    load = Load(loop="open", watts=watts, warm=0)
    return bench(endpoint, jobs_of(cut, seed), load, engine=stack.engines[0]), how


def keys_of(trace: Trace, keys: Mapping[str, str]) -> Mapping[str, str]:
    """Return the key of each of `tenants_of`, and at "" of whoever has none."""
    return {**keys, "": keys.get(LOCAL if trace.tenant is None else OTHERS, "")}


def tenants_of(trace: Trace, most: int = 16) -> tuple[str, ...]:
    """Return the tenants that get a key: the busiest of the trace, and one for all others.

    Others are those beyond `most`, and requests without a tenant. A trace without any is "local".
    """
    if trace.tenant is None:
        return (LOCAL,)
    names, counts = np.unique(trace.tenant, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    own = [name for name in map(str, names[order]) if name.strip() and name != OTHERS][:most]
    return (*own, OTHERS) if len(own) < len(names) else tuple(own)
