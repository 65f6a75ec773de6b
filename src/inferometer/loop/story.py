"""What a walk over settings found, as rows for tables, charts and JSON."""

from collections.abc import Sequence
from typing import Any

from inferometer.loop.interval import interval
from inferometer.loop.optimise import Findings
from inferometer.loop.quality import Quality
from inferometer.loop.readings import NOT_MEASURED
from inferometer.loop.summary import Summary
from inferometer.loop.walk import Candidate, price
from inferometer.units import UsdPerSecond


def settings_rows(found: Findings, cost: UsdPerSecond) -> list[dict[str, Any]]:
    """Return one row per candidate: quality, price and latency predicted and measured, verdict."""
    extra = [found.theory] if found.theory else []
    return [_setting_row(one, found, cost) for one in (*found.walk, *extra)]


def _setting_row(one: Candidate, found: Findings, cost: UsdPerSecond) -> dict[str, Any]:
    row: dict[str, Any] = {
        "setting": str(one.setting),
        "perplexity x reference": None if one.quality is None else one.quality.ratio,
        "KL nats, at least": None if one.quality is None else one.quality.divergence,
        "predicted $/Mtok": None if one.predicted is None else price(one.predicted, cost) * 1e6,
        "measured $/Mtok": None, "95 % low": None, "95 % high": None,
        "what became of it": verdict(one, found),
    }  # fmt: skip
    if len(one.runs) > 1:
        around = interval([price(run, cost) * 1e6 for run in one.runs])
        row |= {"measured $/Mtok": around.mean, "95 % low": around.low, "95 % high": around.high}
    return row


def verdict(one: Candidate, found: Findings) -> str:
    """Return what becomes of a candidate."""
    if one is found.theory:
        return "theory check only"
    if one is found.best:
        return "kept" if one is not found.shipped else "kept: nothing surely pays"
    return "as shipped" if one is found.shipped else one.dropped


def run_rows(found: Findings, cost: UsdPerSecond) -> list[dict[str, Any]]:
    """Return every measured run beside its forecast."""
    extra = [found.theory] if found.theory else []
    return [
        _run_row(one, turn, run, cost)
        for one in (*found.walk, *extra)
        for turn, run in enumerate(one.runs, start=1)
    ]


def _run_row(one: Candidate, turn: int, run: Summary, cost: UsdPerSecond) -> dict[str, Any]:
    ahead = one.predicted
    return {
        "setting": str(one.setting),
        "round": turn,
        "output tok/s": run.output_rate,
        "predicted tok/s": None if ahead is None else ahead.output_rate,
        "TPOT p50 ms": run.tpot.p50 * 1e3,
        "predicted TPOT ms": None if ahead is None else ahead.tpot.p50 * 1e3,
        "TTFT p50 ms": run.ttft.p50 * 1e3,
        "TTFT p99 ms": run.ttft.p99 * 1e3,
        "ITL p99 ms": run.itl.p99 * 1e3,
        "$/Mtok": price(run, cost) * 1e6,
        "J/output token": run.joules,
        "energy": run.energy_label,
        "drafted/output token": run.drafted,
        "accepted of drafted": run.accepted,
        "engine CPU ms/token": None if run.processor is None else run.processor * 1e3,
    }


def error_rows(found: Findings) -> list[dict[str, Any]]:
    """Return how far the forecasts of the shipped and the kept setting were off, run by run."""
    rows = list[dict[str, Any]]()
    for one in dict.fromkeys(str(c.setting) for c in (found.shipped, found.best)):
        candidate = found.shipped if one == str(found.shipped.setting) else found.best
        ahead = candidate.predicted
        if ahead is None:
            continue
        rows += [
            {
                "setting": one,
                "round": turn,
                "throughput, predicted / measured - 1": ahead.output_rate / run.output_rate - 1,
                "TPOT, predicted / measured - 1": ahead.tpot.p50 / run.tpot.p50 - 1,
                "mean TPOT, predicted / measured - 1": ahead.tpot.mean / run.tpot.mean - 1,
                "TTFT, predicted / measured - 1": ahead.ttft.p50 / run.ttft.p50 - 1,
            }
            for turn, run in enumerate(candidate.runs, start=1)
        ]
    return rows


def difference(found: Findings) -> str:
    """Return why the measured saving is not the predicted one, in a sentence."""
    shipped, best = found.shipped, found.best
    if best is shipped:
        return "Nothing was changed: no setting surely pays within SLO and quality."
    parts = [
        f"the {name} setting {_off(one.runs, one.predicted)}"
        for name, one in (("shipped", shipped), ("kept", best))
        if one.predicted is not None
    ]
    return (
        f"Predicted {found.predicted:.1%}, measured {found.saved.mean:.1%}: " + "; ".join(parts)
        + "."
    )  # fmt: skip


def _off(runs: Sequence[Summary], ahead: Summary) -> str:
    """Return how far runs were from their forecast, and which part of a request's time by more."""
    rate = _mean([run.output_rate for run in runs]) / ahead.output_rate
    gap = _mean([run.tpot.p50 for run in runs])
    first = _mean([run.ttft.p50 for run in runs])
    steps = _mean([run.output_tokens for run in runs]) - 1
    waited, decoded = first - ahead.ttft.p50, (gap - ahead.tpot.p50) * steps
    where = "prompts (TTFT)" if abs(waited) > abs(decoded) else "decode steps (TPOT)"
    return (
        f"reached {rate:.2f} x its predicted throughput, with TPOT {gap / ahead.tpot.p50:.2f} x "
        f"and TTFT {first / ahead.ttft.p50:.2f} x as predicted: {waited:+.3g} s to a request's "
        f"first token, {decoded:+.3g} s from there to its last, so {where} were off by more"
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def headline(found: Findings) -> str:
    """Return the line that says what was saved."""
    saved, quality = found.saved, found.best.quality
    if found.best is found.shipped:
        return "measured saving: none; nothing surely pays within SLO and quality"
    kept = "" if quality is None else f", {_kept(quality)}"
    return (
        f"measured saving: {saved.mean:.1%} of $/Mtok (95 % interval {saved.low:.1%} to "
        f"{saved.high:.1%}, {saved.runs} rounds; predicted {found.predicted:.1%}) by "
        f"{found.best.setting} over {found.shipped.setting} as shipped{kept}"
    )


def _kept(quality: Quality) -> str:
    return (
        f"perplexity {quality.ratio:.3f} x the reference (from listed probabilities; "
        f"{quality.outside:.1%} of places are outside the list)"
    )


def energy_line(found: Findings) -> str:
    """Return what became of the energy of a token, and how it is known."""
    lines = []
    for name, one in (("shipped", found.shipped), ("kept", found.best)):
        known = [run.joules for run in one.runs if run.joules is not None]
        label = one.runs[0].energy_label if one.runs else NOT_MEASURED
        value = f"{_mean(known):.3g} J" if known else NOT_MEASURED
        lines.append(f"{name} {value} ({label})")
    return "energy per output token: " + ", ".join(lines)


def theory_line(found: Findings, cost: UsdPerSecond) -> str:
    """Return how far F16 at one slot is from what is kept; "" if it was not measured."""
    if found.theory is None or not found.theory.runs:
        return ""
    before = _mean([price(run, cost) for run in found.theory.runs])
    after = _mean([price(run, cost) for run in found.best.runs])
    return (
        f"theory check: F16 at one slot costs {before / after:.2f} x what the kept setting does; "
        "that is no saving, nobody is served so"
    )
