"""Candidate settings: every combination of the axes, and what is predicted of each."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from inferometer.errors import ScenarioError
from inferometer.loop.quality import Quality
from inferometer.loop.setting import Setting
from inferometer.loop.summary import Summary
from inferometer.units import Fraction, UsdPerSecond, UsdPerToken
from inferometer.workload.slo import Slo


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """Values that each part of a setting may take; the shipped one is always among them.

    Attributes:
        weights: Formats of the weights.
        kv: Formats of the KV cache.
        slots: Sequences that run at a time.
        threads: Threads of arithmetic, 0 leaving it to the engine.
        batch: Token budgets of a step.
        prefix_cache: Whether prompts are kept.
        draft: Tokens proposed at a time where the text repeats; 0 for none.
        unified: Whether all slots share one KV cache.
    """

    weights: tuple[str, ...] = ("as-shipped", "q8_0", "q4_0")
    kv: tuple[str, ...] = ("f16",)
    slots: tuple[int, ...] = (4, 8, 16)
    threads: tuple[int, ...] = (0,)
    batch: tuple[int, ...] = (2048,)
    prefix_cache: tuple[bool, ...] = (True,)
    draft: tuple[int, ...] = (0,)
    unified: tuple[bool, ...] = (True,)


@dataclass(slots=True, kw_only=True)
class Candidate:
    """One setting on its way through the walk.

    Attributes:
        setting: The setting.
        quality: Of its weights and cache; None for the reference itself or if not judged.
        predicted: What is predicted of it; None if it was dropped before.
        runs: What was measured, one per round.
        dropped: Why it is not chosen; "" while it may be.
    """

    setting: Setting
    quality: Quality | None = None
    predicted: Summary | None = None
    runs: list[Summary] = field(default_factory=list[Summary])
    dropped: str = ""


def swept_as(setting: Setting) -> Setting:
    """Return the setting whose sweep tells what the steps of another take.

    Budgets, drafts and prefixes say which tokens are in a step, not how long it takes; one slot
    does not tell a sequence from a step.
    """
    shipped = Setting()
    return replace(
        setting, slots=max(setting.slots, 2), batch=shipped.batch,
        prefix_cache=shipped.prefix_cache, draft=shipped.draft,
    )  # fmt: skip


def candidates(shipped: Setting, axes: Axes) -> list[Candidate]:
    """Return every combination of the axes, the shipped setting first."""
    names = tuple(one.name for one in fields(axes))
    values = [_with(getattr(axes, name), getattr(shipped, name)) for name in names]
    settings = [
        replace(shipped, **dict(zip(names, combination, strict=True)))
        for combination in itertools.product(*values)
    ]
    return [Candidate(setting=setting) for setting in dict.fromkeys((shipped, *settings))]


def _with(values: Sequence[Any], shipped: Any) -> tuple[Any, ...]:
    return tuple(dict.fromkeys((shipped, *values)))


def price(summary: Summary, cost: UsdPerSecond) -> UsdPerToken:
    """Return what a token of prompt or output cost: rent over tokens of both kinds."""
    return cost / summary.total_rate


def missed(runs: Sequence[Summary], slo: Slo) -> str:
    """Return every target that the mean of runs missed, with what it reached; "" for none."""
    return "; ".join(_misses(runs, slo))


def _misses(runs: Sequence[Summary], slo: Slo) -> Iterator[str]:
    for target in slo.targets:
        values = [getattr(getattr(run, target.metric), target.quantile) for run in runs]
        reached = sum(values) / len(values)
        if not reached <= target.limit * (1 - slo.headroom):
            yield f"{target}: {reached * 1e3:.4g} ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What quality must be kept.

    Attributes:
        ratio: Most that perplexity may be over the reference's.
    """

    ratio: Fraction = 1.05

    def __post_init__(self) -> None:
        if not self.ratio > 0:
            raise ScenarioError(f"bound is {self.ratio:g}; more than 0 is wanted, such as 1.05")

    def fault(self, quality: Quality) -> str:
        """Return why a quality is not good enough, "" if it is."""
        if quality.ratio <= self.ratio:
            return ""
        return f"quality: perplexity {quality.ratio:.3f} x the reference, {self.ratio:g} allowed"
