"""Cost of trusting the model: what its choice among measured configurations would have cost."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from inferometer.calibrate.verdict import Verdict
from inferometer.units import Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One decision among the measured configurations of a model and a pair of lengths.

    Attributes:
        model: Model as measured.
        inputs: Prompt tokens.
        outputs: Output tokens.
        tpot_limit_ms: Limit on time per output token that the configuration must keep.
        options: Configurations measured.
        chosen: Row that the model picks.
        best: Row that the measurements pick.
        regret: Cost per token of the first over that of the second, less one.
    """

    model: str
    inputs: str
    outputs: str
    tpot_limit_ms: float
    options: int
    chosen: str
    best: str
    regret: Fraction


LIMITS_MS = (15.0, 30.0, 60.0)
"""Limits on time per output token at which a decision is tested: fast, usual and slow chat."""

_Option = tuple[str, float, float, float, float]  # row, tpot and speed measured, then predicted


def choices(verdicts: Iterable[Verdict]) -> list[Choice]:
    """Return a choice per model, lengths and limit with two or more measured configurations.

    Cost is accelerators over tokens per second (one price per accelerator kind: choices stay inside
    one kind). Where throughput was not measured, a closed loop gives it: clients x output / (TTFT +
    TPOT (output - 1)).
    """
    groups: dict[tuple[str, str, str, str], list[Verdict]] = {}
    for verdict in verdicts:
        cells = verdict.row.cells
        key = (verdict.row.model, verdict.row.gpu, cells.get("isl", ""), cells.get("osl", ""))
        groups.setdefault(key, []).append(verdict)
    found = [_choice(key, _options(group), limit) for key, group in sorted(groups.items())
             for limit in LIMITS_MS]  # fmt: skip
    return [choice for choice in found if choice is not None]


def _options(verdicts: Sequence[Verdict]) -> list[_Option]:
    rows: dict[str, dict[str, Verdict]] = {}
    for verdict in verdicts:
        rows.setdefault(verdict.row.key, {})[verdict.metric] = verdict
    options = [_option(key, metrics) for key, metrics in rows.items()]
    return [option for option in options if option is not None]


def _option(key: str, metrics: dict[str, Verdict]) -> _Option | None:
    tpot, ttft = metrics.get("tpot_ms_p50"), metrics.get("ttft_ms_p50")
    if tpot is None or ttft is None or not math.isfinite(tpot.predicted + ttft.predicted):
        return None
    cells = tpot.row.cells
    try:
        clients, outputs = float(cells["concurrency_or_rate"]), float(cells["osl"])
        accelerators = float(cells["num_gpus"])
    except (KeyError, ValueError):
        return None
    measured = _speed(ttft.measured, tpot.measured, clients, outputs) / accelerators
    predicted = _speed(ttft.predicted, tpot.predicted, clients, outputs) / accelerators
    return key, tpot.measured, measured, tpot.predicted, predicted


def _speed(ttft_ms: float, tpot_ms: float, clients: float, outputs: float) -> float:
    return clients * outputs * 1e3 / (ttft_ms + tpot_ms * (outputs - 1))


def _choice(
    key: tuple[str, str, str, str], options: Sequence[_Option], limit: float
) -> Choice | None:
    allowed = [option for option in options if option[1] <= limit]
    if len(allowed) < 2:
        return None
    best = max(allowed, key=lambda option: option[2])
    believed = [option for option in allowed if option[3] <= limit] or allowed
    chosen = max(believed, key=lambda option: option[4])
    return Choice(
        model=f"{key[0]} on {key[1]}", inputs=key[2], outputs=key[3], tpot_limit_ms=limit,
        options=len(allowed), chosen=chosen[0], best=best[0], regret=best[2] / chosen[2] - 1,
    )  # fmt: skip
