"""The walk over settings of a live engine: predict, drop, measure, keep what pays."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from inferometer.errors import InfeasibleError, ScenarioError
from inferometer.loop.drafting import Drafting
from inferometer.loop.forecast import forecast
from inferometer.loop.interval import Interval, saving
from inferometer.loop.jobs import jobs_of
from inferometer.loop.quality import Position, Quality, judged
from inferometer.loop.setting import Setting
from inferometer.loop.sweep import Sizes, Turn
from inferometer.loop.trial import Bed, drafted, measured, overlay, probed, qualities
from inferometer.loop.walk import (
    Axes,
    Bound,
    Candidate,
    candidates,
    missed,
    price,
    swept_as,
)
from inferometer.workload.slo import Slo
from inferometer.workload.trace import Trace

SAMPLE = 8
"""Requests, at least, from which it is told what drafts do."""

THEORY_ROUNDS = 2
"""Rounds in which F16 at one slot is measured: a check, and slow."""

REFERENCE = "f16"
"""Format of the reference of quality: what the shipped weights mean, without rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be optimised, and how.

    Attributes:
        trace: Requests of every run.
        shipped: The setting that is saved against.
        axes: What may change.
        slo: Targets.
        bound: Quality to keep.
        text: Text that quality is judged on.
        positions: Places of it that are scored.
        measured: Settings that are measured beside the shipped one, the best predicted.
        rounds: Runs of each, all settings in every round.
        sizes: How much a sweep sends.
        seed: Of prompts.
        theory: Whether F16 at one slot is measured too, as a check of theory, never as a saving.
    """

    trace: Trace
    shipped: Setting = field(default_factory=Setting)
    axes: Axes = field(default_factory=Axes)
    slo: Slo = field(default_factory=Slo)
    bound: Bound = field(default_factory=Bound)
    text: str
    positions: int = 192
    measured: int = 3
    rounds: int = 3
    sizes: Sizes = field(default_factory=Sizes)
    seed: int = 0
    theory: bool = False

    def __post_init__(self) -> None:
        if self.rounds < 2 or self.measured < 1:
            raise ScenarioError("optimise: at least 2 rounds of at least 1 setting are wanted")
        if self.slo.goodput is not None:
            raise ScenarioError(
                "optimise: a goodput target is not judged here; state latency targets alone"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What came out.

    Attributes:
        shipped: The setting as shipped, measured.
        best: What is kept: the cheapest within SLO and quality that surely saves, else `shipped`.
        walk: Every candidate.
        predicted: Saving of `best` as predicted before it was measured.
        saved: Saving as measured.
        theory: F16 at one slot, if asked for.
    """

    shipped: Candidate
    best: Candidate
    walk: tuple[Candidate, ...]
    predicted: float
    saved: Interval
    theory: Candidate | None


def optimise(task: Task, bed: Bed) -> Findings:
    """Return what pays.

    Raises:
        EngineError: the engine does not start or died; nothing is left running.
        InfeasibleError: no setting keeps SLO and quality, as predicted or as measured.
    """
    walk = candidates(task.shipped, task.axes)
    _judge(walk, task, bed)
    _predict(walk, task, bed)
    chosen = promising(walk, task, bed)
    theory = _theory(task) if task.theory else None
    _measure(chosen, theory, task, bed)
    return decision(chosen, walk, theory, task, bed)


def _judge(walk: Sequence[Candidate], task: Task, bed: Bed) -> None:
    """Drop settings whose weights or cache lose too much."""
    found: dict[tuple[str, str], Quality] = {}
    reference = _asked(replace(task.shipped, weights=REFERENCE, kv="f16"), task, bed)
    for one in walk:
        key = one.setting.weights, one.setting.kv
        if key not in found:
            own = _asked(one.setting, task, bed)
            found[key] = judged(own, reference, seed=task.seed)
            bed.say(
                f"quality of {key[0]}, cache {key[1]}: perplexity {found[key].ratio:.3f} x "
                f"{REFERENCE} ({found[key].ratio_low:.3f} to {found[key].ratio_high:.3f})"
            )
        one.quality = found[key]
        one.dropped = task.bound.fault(found[key])
    if all(one.dropped for one in walk):
        raise InfeasibleError(
            f"optimise: no setting keeps the quality bound of {task.bound.ratio:g} x the "
            f"reference; the best has {min(q.ratio for q in found.values()):.3f}"
        )


def _asked(setting: Setting, task: Task, bed: Bed) -> Sequence[Position]:
    return qualities(bed, setting, task.text, task.positions)


def _predict(walk: Sequence[Candidate], task: Task, bed: Bed) -> None:
    """Predict every setting that is left, and the shipped one, each from a sweep of its own."""
    shipped = walk[0]
    left = [one for one in walk if one is shipped or not one.dropped]
    known = overlays([one.setting for one in left], task.trace, task.sizes, bed)
    drafts: dict[Drafted, Drafting | None] = {}
    for one in left:
        one.predicted = forecast(
            task.trace, bed.file(one.setting), one.setting, known[swept_as(one.setting)],
            clients=one.setting.slots, draw=bed.machine.draw,
            drafts=_drafts(one, drafts, task, bed),
        )  # fmt: skip


def overlays(
    settings: Sequence[Setting], like: Trace, sizes: Sizes, bed: Bed
) -> dict[Setting, Path]:
    """Return the overlay of each setting that is swept: all of them in every turn.

    So what a machine does in one moment falls on all, and each is seen at several times.

    Args:
        settings: Settings to predict.
        like: Requests whose lengths the sweeps send.
        sizes: How much they send.
        bed: Where they run.
    """
    turns: dict[Setting, list[Turn]] = {swept_as(setting): [] for setting in settings}
    for number in range(sizes.turns):
        for setting, found in turns.items():
            bed.say(f"sweep {number + 1} of {sizes.turns}, {setting}")
            found.append(probed(bed, setting, like, sizes, number))
    return {setting: overlay(bed, setting, found) for setting, found in turns.items()}


Drafted = tuple[str, str, int]
"""Weights, cache and draft: what it depends on how often drafts are accepted."""


def _drafts(
    one: Candidate, known: dict[Drafted, Drafting | None], task: Task, bed: Bed
) -> Drafting | None:
    """Return what drafts do to the trace, from other words of its lengths; None for none."""
    key = one.setting.weights, one.setting.kv, one.setting.draft
    if one.setting.draft and key not in known:
        jobs = jobs_of(task.trace, task.seed + 1)[: max(SAMPLE, one.setting.slots)]
        known[key] = drafted(bed, one.setting, jobs)
    return known.get(key)


def promising(walk: Sequence[Candidate], task: Task, bed: Bed) -> list[Candidate]:
    """Return the settings to measure, the shipped one first: those that are predicted to pay."""
    shipped, rest = walk[0], walk[1:]
    before = _price(shipped, bed)
    within = list[Candidate]()
    for one in rest:
        if one.dropped or one.predicted is None:
            continue
        if beyond := missed([one.predicted], task.slo):
            one.dropped = f"SLO as predicted: {beyond}"
        elif _price(one, bed) >= before:
            one.dropped = f"does not pay as predicted: {1 - _price(one, bed) / before:+.1%}"
        else:
            within.append(one)
    within.sort(key=lambda one: _price(one, bed))
    for one in within[task.measured :]:
        one.dropped = f"not measured: {task.measured} are predicted to pay more"
    beyond = missed([shipped.predicted], task.slo) if shipped.predicted else ""
    if beyond and not within:
        raise InfeasibleError(
            f"optimise: no setting keeps the SLO, the shipped one neither ({beyond}); relax it, "
            "send shorter prompts or allow fewer slots"
        )
    return [shipped, *within[: task.measured]]


def _price(one: Candidate, bed: Bed) -> float:
    """Return the predicted price of a token, USD."""
    if one.predicted is None:
        raise TypeError(f"{one.setting} was not predicted")
    return price(one.predicted, bed.machine.cost)


def _theory(task: Task) -> Candidate:
    return Candidate(setting=replace(task.shipped, weights=REFERENCE, slots=1))


def _measure(chosen: Sequence[Candidate], theory: Candidate | None, task: Task, bed: Bed) -> None:
    """Measure all settings in every round, each round beginning with another one."""
    jobs = jobs_of(task.trace, task.seed)
    for turn in range(task.rounds):
        checks = [theory] if theory and turn < THEORY_ROUNDS else []
        start = turn % len(chosen)
        for one in (*chosen[start:], *chosen[:start], *checks):
            run = measured(bed, one.setting, jobs)
            one.runs.append(run)
            bed.say(
                f"round {turn + 1} of {task.rounds}, {one.setting}: {run.output_rate:.1f} tok/s, "
                f"TPOT {run.tpot.p50 * 1e3:.1f} ms"
            )


def decision(
    chosen: Sequence[Candidate], walk: Sequence[Candidate], theory: Candidate | None, task: Task,
    bed: Bed,
) -> Findings:  # fmt: skip
    """Return what is kept of measured settings, the shipped one first; the others get a reason.

    Raises:
        InfeasibleError: nothing keeps the SLO as measured, the shipped setting neither.
    """
    shipped, rest = chosen[0], chosen[1:]
    cost = bed.machine.cost
    before = [price(run, cost) for run in shipped.runs]
    kept = list[tuple[float, Candidate, Interval]]()
    for one in rest:
        found = saving(before, [price(run, cost) for run in one.runs])
        if beyond := missed(one.runs, task.slo):
            one.dropped = f"SLO as measured: {beyond}"
        elif found.low <= 0:
            one.dropped = f"may not pay: saving {found.mean:.1%}, at least {found.low:.1%}"
        else:
            kept.append((found.mean, one, found))
    if not kept:
        if beyond := missed(shipped.runs, task.slo):
            raise InfeasibleError(f"optimise: no measured setting keeps the SLO; shipped: {beyond}")
        return Findings(shipped=shipped, best=shipped, walk=tuple(walk), predicted=0.0,
                        saved=saving(before, before), theory=theory)  # fmt: skip
    _, best, found = max(kept, key=lambda item: item[0])
    for _, one, other in kept:
        if one is not best:
            one.dropped = f"saves less: {other.mean:.1%}"
    return Findings(
        shipped=shipped, best=best, walk=tuple(walk),
        predicted=1 - _price(best, bed) / _price(shipped, bed), saved=found, theory=theory,
    )  # fmt: skip
