"""From a sweep to the parameters of the performance model, for one engine on one machine.

A step of an engine takes a constant, a time for each sequence, and a time for each prompt token;
arithmetic accounts for the part of the latter two that the roofline knows the operations of, and
what is left is the engine's own. So the model reproduces the sweep, and says the rest.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from inferometer.calibrate.overlay import efficiency_text
from inferometer.candidates import one
from inferometer.catalog.efficiency import Efficiencies, Parameter, efficiencies
from inferometer.catalog.source import Evidence, Source
from inferometer.deployment import Deployment
from inferometer.errors import ScenarioError
from inferometer.loop.machine import ENGINE, KEY
from inferometer.loop.sweep import Step, Turn
from inferometer.perf.rates import factor_keys, scales
from inferometer.perf.roofline import compile_candidates
from inferometer.perf.sharding import Shard
from inferometer.units import FlopPerSecond, Seconds

DIMENSION: Mapping[str, str] = {
    "linear_compute": f"accelerator:{KEY}",
    "weight_bandwidth": f"accelerator:{KEY}",
    "kv_bandwidth": f"accelerator:{KEY}",
    "attention_compute": f"release:{ENGINE}",
    "step_overhead": f"release:{ENGINE}",
    "layer_overhead": f"release:{ENGINE}",
    "eager_overhead": f"release:{ENGINE}",
    "sequence_overhead": f"release:{ENGINE}",
    "stream_overhead": f"release:{ENGINE}",
    "prefill_overhead": f"release:{ENGINE}",
    "request_overhead": f"release:{ENGINE}",
}
"""Factor by which each parameter is set for this machine and engine alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What a sweep says of an engine.

    Attributes:
        arithmetic: Attained rate of arithmetic.
        step: Constant of a step.
        sequence: Time of each sequence of a step beyond its arithmetic.
        prefill: Time of each prompt token beyond its arithmetic, other passes of a step included.
        request: Time of a request outside the engine's steps.
    """

    arithmetic: FlopPerSecond
    step: Seconds
    sequence: Seconds
    prefill: Seconds
    request: Seconds


def fit(turns: Sequence[Turn], deployment: Deployment, base: Efficiencies) -> Fit:
    """Return the parameters that reproduce a sweep.

    Args:
        turns: What was measured, at one or more times.
        deployment: The engine on this machine.
        base: Efficiencies that count the model's operations; their rates do not matter.

    Raises:
        ScenarioError: prompts took no time, or more sequences less: too disturbed to fit.
    """
    shard = compile_candidates(one(deployment), base).shard
    each, constant = _line([step for turn in turns for step in turn.steps if step.plain])
    busy = [step for turn in turns for step in _among_prompts(turn.steps)]
    prompts = [tokens for step in busy for tokens in step.prompts]
    decoded = sum(step.decoding for step in busy)
    spent = sum(step.span for step in busy) - constant * len(busy) - each * decoded
    if spent <= 0 or each <= 0:
        raise ScenarioError(
            f"the sweep is too disturbed to fit: {spent:.3g} s for {sum(prompts):.0f} prompt "
            f"tokens and {each * 1e3:.3g} ms for each sequence; run it again while the machine is "
            "quiet"
        )
    prompt_flop = sum(_prompt_flop(shard, tokens) for tokens in prompts)
    decode_flop = float(shard.linear_flop[0] + shard.head_flop[0])
    decode_flop += float(shard.context_flop.sum()) * float(np.mean([t.context for t in turns]))
    rate = max(prompt_flop / spent, decode_flop / each)
    sequence = max(each - decode_flop / rate, 0.0)
    prefill = max(spent - prompt_flop / rate, 0.0) / sum(prompts)
    short, first = np.mean([turn.alone for turn in turns], axis=0).tolist()
    alone = constant + _prompt_flop(shard, short) / rate + short * prefill
    return Fit(
        arithmetic=rate, step=constant, sequence=sequence, prefill=prefill,
        request=max(first - alone, 0.0),
    )  # fmt: skip


def _among_prompts(steps: Sequence[Step]) -> Sequence[Step]:
    """Return the steps up to the last prompt's: what all of them took beyond decoding is prompts'.

    Raises:
        ScenarioError: no prompt was seen to end.
    """
    last = [place for place, step in enumerate(steps) if step.prompts]
    if not last:
        raise ScenarioError(
            "the sweep is too disturbed to fit: no prompt was seen to end among others; run it "
            "again while the machine is quiet"
        )
    return steps[: last[-1] + 1]


def _line(plain: Sequence[Step]) -> tuple[float, float]:
    """Return slope and constant of the decode step over its sequences, the constant not below 0.

    Each number of sequences counts by how often it was seen; errors are in proportion to times.
    """
    numbers = sorted({step.decoding for step in plain})
    if len(numbers) < 2:
        raise ScenarioError(
            f"the sweep is too disturbed to fit: decode steps of {len(numbers)} number(s) of "
            "sequences were seen, and two tell a sequence from a step; run it again"
        )
    seen = [[step.span for step in plain if step.decoding == n] for n in numbers]
    x, spans = np.array(numbers, float), np.array([float(np.mean(one)) for one in seen])
    weights = np.sqrt([len(one) for one in seen]) / spans
    slope, constant = np.polyfit(x, spans, 1, w=weights)
    if constant < 0:
        return float((spans * weights**2 * x).sum() / (x**2 * weights**2).sum()), 0.0
    return float(slope), float(constant)


def _prompt_flop(shard: Shard, tokens: float) -> float:
    """Return the operations of a prompt, each token seeing half of it on average."""
    seen = float(shard.prefill_context_flop.sum()) * tokens / 2
    return tokens * (float(shard.linear_flop[0]) + seen)


def fitted(found: Fit, deployment: Deployment, base: Efficiencies, day: dt.date) -> Efficiencies:
    """Return `base` with the fit in place for this machine and engine, and unchanged for others."""
    peaks = scales(deployment.accelerator, deployment.precision)
    targets = {
        "linear_compute": found.arithmetic / peaks["linear_compute"],
        "attention_compute": found.arithmetic / peaks["attention_compute"],
        "weight_bandwidth": 1.0, "kv_bandwidth": 1.0,
        "step_overhead": found.step, "layer_overhead": 0.0, "eager_overhead": 0.0,
        "sequence_overhead": found.sequence, "stream_overhead": 0.0,
        "prefill_overhead": found.prefill, "request_overhead": found.request,
    }  # fmt: skip
    shipped = base["linear_compute"].sources[""].source
    source = Source(
        source=f"sweep of a live engine on this machine ({KEY}, {ENGINE}); all else: {shipped}",
        as_of=day, evidence=Evidence.MEASURED,
    )  # fmt: skip
    changed = {
        name: _set(base[name], DIMENSION[name], target, deployment, source)
        for name, target in targets.items()
    }
    return {**base, **changed}


def _set(
    parameter: Parameter, key: str, target: float, deployment: Deployment, source: Source
) -> Parameter:
    """Return the parameter with the factor `key` that makes it `target` for the deployment."""
    keys = factor_keys(
        parameter.key, deployment.model, deployment.accelerator, deployment.precision,
        deployment.settings.engine,
    )  # fmt: skip
    others = parameter.base
    for name in keys:
        others *= 1.0 if name == key else parameter.factors.get(name, 1.0)
    return replace(
        parameter,
        factors={**parameter.factors, key: target / others},
        low=min(parameter.low, target),
        high=max(parameter.high, target),
        sources={**parameter.sources, "": source},
    )


def overlay_text(found: Fit, deployment: Deployment, machine_records: str, day: dt.date) -> str:
    """Return the overlay of a machine: its records, and the parameters fitted on it."""
    values = fitted(found, deployment, efficiencies(), day)
    changed = {name: values[name] for name in DIMENSION}
    return f"{machine_records}\n{efficiency_text(changed, section='efficiencies.')}"


def write_overlay(text: str, path: Path) -> None:
    """Write an overlay.

    Raises:
        ScenarioError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be written: {error}") from error
