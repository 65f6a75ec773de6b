"""Latencies that hold the client's own queue: known by Little's law, and left out.

A load generator with a bound on concurrency may start its clock before a request is sent. Then
rate x latency counts requests that no server has seen, and exceeds the bound.
"""

from collections.abc import Mapping

from inferometer.calibrate.tables import number

ROUNDING = 1.1
"""Times the bound that in-flight requests may come to: ends of a run, means of rounded figures."""

HELD = ("ttft_", "e2e_")
"""Beginnings of the metrics that hold the queue; gaps between tokens do not."""

REASON = "holds the client's own queue: rate x mean latency exceeds the clients"


def waits_at_the_client(cells: Mapping[str, str]) -> bool:
    """Return whether a closed loop's latencies hold more requests than its clients send."""
    if cells.get("load_type") != "concurrency":
        return False
    clients, rate = _number(cells, "concurrency_or_rate"), _number(cells, "req_per_s")
    latency = _latency_ms(cells)
    if clients is None or rate is None or latency is None:
        return False
    return rate * latency / 1e3 > ROUNDING * clients


def _latency_ms(cells: Mapping[str, str]) -> float | None:
    """Return the mean time of a request, from its parts where it is not given."""
    whole = _number(cells, "e2e_ms_mean")
    if whole is not None:
        return whole
    first, each = _number(cells, "ttft_ms_mean"), _number(cells, "tpot_ms_mean")
    outputs = _number(cells, "osl")
    if first is None or each is None or outputs is None:
        return None
    return first + each * (outputs - 1)


def _number(cells: Mapping[str, str], name: str) -> float | None:
    return number(cells.get(name, ""))
