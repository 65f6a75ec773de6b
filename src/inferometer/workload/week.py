"""The shape of a week: how the load moves over its 168 hours."""

import numpy as np

from inferometer.errors import WorkloadError
from inferometer.workload.shape import Shape
from inferometer.workload.trace import Floats

HOUR, DAY, WEEK = 3600.0, 86400.0, 604800.0
HOURS = 168
TOLERANCE = 0.05
"""Part of a day or week that a trace may lack and still count as a whole one."""


def week_of(shape: Shape, start: float = 0.0) -> tuple[Floats, str]:
    """Return the mean rate of each hour of a week [168] 1/s, and what it was made from.

    A span of a week or more is folded onto its hours of the week; one of a day or more onto its
    hours of the day, every day the same; a shorter one says nothing of days and is held flat. The
    mean is that of the workload.

    Args:
        shape: The workload.
        start: Time of the week at which it starts, s; 0 is the week's first midnight.

    Raises:
        WorkloadError: a start outside a week.
    """
    if not 0 <= start < WEEK:
        raise WorkloadError(f"start is {start} s; it is a time within a week of {WEEK:.0f} s")
    if shape.span >= (1 - TOLERANCE) * WEEK:
        return _scaled(_folded(shape, start, HOURS), shape), "hours of the week in the trace"
    if shape.span >= (1 - TOLERANCE) * DAY:
        day = _folded(shape, start, 24)
        return _scaled(np.tile(day, 7), shape), "hours of the day in the trace, every day the same"
    flat = np.full(HOURS, shape.rate)
    return flat, f"held flat: a trace of {shape.span / HOUR:.3g} h shows no day"


def _folded(shape: Shape, start: float, period: int) -> Floats:
    """Return the mean rate of each hour of a period of so many hours, bins shared among hours."""
    bins = np.arange(len(shape.series) + 1) * shape.bin_width + start
    load = np.concatenate(([0.0], np.cumsum(shape.series * shape.bin_width)))
    edges = np.arange(np.floor(bins[0] / HOUR), np.ceil(bins[-1] / HOUR) + 1) * HOUR
    requests = np.diff(np.interp(edges, bins, load))
    seen = np.diff(np.clip(edges, bins[0], bins[-1]))
    place = (edges[:-1] / HOUR).astype(np.int64) % period
    total = np.bincount(place, requests, period)
    time = np.bincount(place, seen, period)
    return np.where(time > 0, total / np.where(time > 0, time, 1.0), shape.rate)


def _scaled(rates: Floats, shape: Shape) -> Floats:
    """Return the rates with the workload's mean: hours seen more often weigh no more."""
    return rates * (shape.rate / rates.mean())
