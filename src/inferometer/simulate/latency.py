"""Latencies of finished requests, HTTP and tokeniser included."""

from collections.abc import Callable, Mapping

import numpy as np

from inferometer.simulate.records import Records
from inferometer.workload.slo import Slo
from inferometer.workload.trace import Flags, Floats


def ttft(records: Records, outside: float) -> Floats:
    """Return time from asking to the first token of every finished request, s.

    Args:
        records: The requests.
        outside: What a request takes beside its steps, s.
    """
    return (records.first_token - records.asked)[records.done] + outside


def e2e(records: Records, outside: float) -> Floats:
    """Return the time from asking to the last token of every finished request, s."""
    return (records.finished - records.asked)[records.done] + outside


def tpot(records: Records) -> Floats:
    """Return (E2E - TTFT) / (output - 1) of finished requests of two output tokens or more, s."""
    several = records.done & (records.output > 1)
    return (records.finished - records.first_token)[several] / (records.output[several] - 1)


def met(records: Records, slo: Slo, outside: float) -> Flags:
    """Return whether a request was finished within the limit of every target itself [request]."""
    found = records.done.copy()
    pace = (records.finished - records.first_token) / np.maximum(records.output - 1, 1)
    values: Mapping[str, Callable[[], Floats]] = {
        "ttft": lambda: ttft(records, outside),
        "e2e": lambda: e2e(records, outside),
        "tpot": lambda: pace[records.done],
        "itl": lambda: pace[records.done],
    }
    for target in slo.targets:
        found[records.done] &= values[target.metric]() <= target.limit
    return found
