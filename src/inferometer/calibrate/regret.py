"""Cost of trusting the model: what its choice among measured configurations would have cost."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from inferometer.calibrate.resolution import accelerator
from inferometer.calibrate.verdict import Verdict
from inferometer.units import Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One decision among the measured configurations of a model and a pair of lengths.

    Attributes:
        model: Model as measured, and its accelerator unless several were to choose from.
        inputs: Prompt tokens.
        outputs: Output tokens.
        ttft_limit_ms: Limit on the time to the first token that a configuration must keep.
        tpot_limit_ms: Limit on the time per output token, likewise.
        options: Configurations measured that keep it.
        accelerators: Kinds of accelerators among them.
        chosen: Row that the model picks.
        best: Row that the measurements pick.
        regret: Cost per token of the first over that of the second, less one.
        strict_regret: The same where the model is also to say which configurations keep the limits
            (of those that do).
    """

    model: str
    inputs: str
    outputs: str
    ttft_limit_ms: float
    tpot_limit_ms: float
    options: int
    accelerators: int
    chosen: str
    best: str
    regret: Fraction
    strict_regret: Fraction


LIMITS_MS = ((1000.0, 15.0), (2000.0, 30.0), (5000.0, 60.0))
"""Limits on TTFT and on time per output token at which a decision is tested: fast, usual and slow
chat. Without the first, the cheapest is an engine that lets most of its clients wait."""

Price = Callable[[str], float | None]
"""Dollars per accelerator and second by key of the catalogue; None if unpriced."""


@dataclass(frozen=True, slots=True)
class _Option:
    row: str
    kind: str  # accelerator
    times: tuple[float, float]  # TTFT and TPOT, ms, measured
    value: float  # tokens per unit of cost, measured
    believed: tuple[float, float]
    believed_value: float


def choices(verdicts: Iterable[Verdict]) -> list[Choice]:
    """Return a choice per model, accelerator, lengths and limit with two configurations or more.

    Cost is accelerators over tokens per second: inside one kind of accelerator prices cancel.
    """
    return _choices(verdicts, lambda _: 1.0, across=False)


def choices_in_dollars(verdicts: Iterable[Verdict], price: Price) -> list[Choice]:
    """Return a choice per model, lengths and limit among two kinds of accelerators or more.

    Cost is dollars per output token: accelerators x `price` over tokens per second. What is
    unpriced cannot be chosen.
    """
    found = _choices(verdicts, price, across=True)
    return [choice for choice in found if choice.accelerators > 1]


def _choices(verdicts: Iterable[Verdict], price: Price, *, across: bool) -> list[Choice]:
    groups: dict[tuple[str, str, str], dict[str, dict[str, Verdict]]] = {}
    for verdict in verdicts:
        row = verdict.row
        name = row.model if across else f"{row.model} on {row.gpu}"
        key = (name, row.cells.get("isl", ""), row.cells.get("osl", ""))
        groups.setdefault(key, {}).setdefault(row.key, {})[verdict.metric] = verdict
    found = list[Choice | None]()
    for key, rows in sorted(groups.items()):
        each = [_option(row, metrics, price) for row, metrics in rows.items()]
        options = [option for option in each if option is not None]
        found += [_choice(key, options, limits) for limits in LIMITS_MS]
    return [choice for choice in found if choice is not None]


def _option(key: str, metrics: dict[str, Verdict], price: Price) -> _Option | None:
    """Return what one configuration gives per cost; None if that cannot be said.

    Where throughput was not measured, a closed loop gives it: clients x output / (TTFT + TPOT
    (output - 1)). With pools of their own for prompts it does not: those leave out the transfer.
    """
    tpot, ttft = metrics.get("tpot_ms_p50"), metrics.get("ttft_ms_p50")
    if tpot is None or ttft is None or not math.isfinite(tpot.predicted + ttft.predicted):
        return None
    cells, kind = tpot.row.cells, accelerator(tpot.row).key
    each = price(kind)
    try:
        clients, outputs = float(cells["concurrency_or_rate"]), float(cells["osl"])
        accelerators = float(cells["num_gpus"])
    except (KeyError, ValueError):
        return None
    if each is None or not accelerators > 0 or not each > 0:
        return None
    speed = metrics.get("tokens_per_s")
    if speed is not None and math.isfinite(speed.predicted):
        measured, believed = speed.measured, speed.predicted
    elif cells.get("disagg") == "1":
        return None
    else:
        measured = _speed(ttft.measured, tpot.measured, clients, outputs)
        believed = _speed(ttft.predicted, tpot.predicted, clients, outputs)
    cost = accelerators * each
    return _Option(
        row=key,
        kind=kind,
        times=(ttft.measured, tpot.measured),
        value=measured / cost,
        believed=(ttft.predicted, tpot.predicted),
        believed_value=believed / cost,
    )


def _speed(ttft_ms: float, tpot_ms: float, clients: float, outputs: float) -> float:
    return clients * outputs * 1e3 / (ttft_ms + tpot_ms * (outputs - 1))


def _keeps(times: tuple[float, float], limits: tuple[float, float]) -> bool:
    return times[0] <= limits[0] and times[1] <= limits[1]


def _choice(
    key: tuple[str, str, str], options: Sequence[_Option], limits: tuple[float, float]
) -> Choice | None:
    allowed = [option for option in options if _keeps(option.times, limits)]
    if len(allowed) < 2:
        return None
    best = max(allowed, key=lambda option: option.value)
    chosen = max(allowed, key=lambda option: option.believed_value)
    believed = [option for option in allowed if _keeps(option.believed, limits)] or allowed
    cautious = max(believed, key=lambda option: option.believed_value)
    return Choice(
        model=key[0], inputs=key[1], outputs=key[2], ttft_limit_ms=limits[0],
        tpot_limit_ms=limits[1],
        options=len(allowed), accelerators=len({option.kind for option in allowed}),
        chosen=chosen.row, best=best.row, regret=best.value / chosen.value - 1,
        strict_regret=best.value / cautious.value - 1,
    )  # fmt: skip
