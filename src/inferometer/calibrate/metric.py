"""Predicted quantities as the columns of measurements: names, units, denominators."""

from collections.abc import Callable, Mapping

from inferometer.candidates import Floats


def metric(name: str, columns: Mapping[str, Floats], loads: Mapping[str, Floats]) -> Floats | None:
    """Return a metric by the name of its column, in that column's unit; None if not modelled."""
    known = _METRICS.get(name)
    if known is not None:
        try:
            return known(columns, loads)
        except KeyError:
            return None
    latency, unit, statistic = name.partition("_ms_")
    found = columns.get(f"{latency}_{statistic}") if unit else None
    return None if found is None else found * 1e3


def _per_token(columns: Mapping[str, Floats], loads: Mapping[str, Floats]) -> Floats:
    del loads
    return columns["power"] / columns["output_rate"]


_METRICS: Mapping[str, Callable[[Mapping[str, Floats], Mapping[str, Floats]], Floats]] = {
    "tokens_per_s": lambda c, _: c["output_rate"],
    "tokens_per_s_per_gpu": lambda c, q: c["output_rate"] / q["accelerators"],
    "total_tokens_per_s": lambda c, q: c["request_rate"] * (q["inputs"] + q["outputs"]),
    "req_per_s": lambda c, _: c["request_rate"],
    "power_w": lambda c, _: c["power"],
    "avg_power_w": lambda c, _: c["power"],
    "energy_j_per_token": _per_token,
    "energy_j_per_request": lambda c, q: _per_token(c, q) * q["outputs"],
    "e2e_s": lambda c, _: c["e2e_mean"],
    "ttft_ms": lambda c, _: c["ttft_mean"] * 1e3,
    "tpot_ms": lambda c, _: c["tpot_mean"] * 1e3,
    "e2e_ms": lambda c, _: c["e2e_mean"] * 1e3,
    "latency_ms": lambda c, _: c["step"] * 1e3,
    "prefill_ms": lambda c, _: c["prefill"] * 1e3,
    "decode_ms": lambda c, _: c["decode"] * 1e3,
}
