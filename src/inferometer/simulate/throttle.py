"""Clock policies: at which clock the cores of a pool run, apart for prompts and for decoding.

A policy is a function of what the metrics show; levels count from the highest clock, 0, down.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inferometer.errors import ScenarioError
from inferometer.simulate.scaling import Signals, since
from inferometer.units import Duration, Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """How clocks are set.

    Attributes:
        policy: Name of a policy of `THROTTLES`.
        levels: Clocks that may be set, falling, over the highest; the first is 1.
        prefill: Level of steps with prompt tokens: the one to keep ("fixed"), or the lowest clock
            that may be set ("slack").
        decode: The same of all other steps.
        itl: Limit of the 99th percentile of the gaps between tokens, for "slack".
        poll: Time between two looks; DynamoLLM sets clocks every 5 s (Stojkovic et al. 2408.00741).
    """

    policy: str = "fixed"
    levels: tuple[float, ...] = (1.0, 0.9, 0.8, 0.7, 0.6, 0.55)
    prefill: int = 0
    decode: int = 0
    itl: Seconds = 0.0
    poll: Duration = 5.0

    def __post_init__(self) -> None:
        if self.policy not in THROTTLES:
            known = ", ".join(THROTTLES)
            raise ScenarioError(f"clock policy {self.policy!r} is unknown; known: {known}")
        falling = all(a > b for a, b in zip(self.levels, self.levels[1:], strict=False))
        if not self.levels or self.levels[0] != 1 or not falling or self.levels[-1] <= 0:
            raise ScenarioError("throttle.levels: clocks falling from 1, above 0, are wanted")
        for name in ("prefill", "decode"):
            if not 0 <= getattr(self, name) < len(self.levels):
                raise ScenarioError(f"throttle.{name}: a place in levels, from 0, is wanted")
        if self.policy == "slack" and not self.itl > 0:
            raise ScenarioError("throttle.itl: slack needs a limit above 0")
        if not self.poll > 0:
            raise ScenarioError("throttle.poll: a time above 0 is wanted")


Levels = tuple[int, int]
"""Clock level of steps with prompt tokens, and of all others."""


def fixed(history: Sequence[Signals], now: Levels, throttle: Throttle) -> Levels:
    """Keep the stated levels."""
    return throttle.prefill, throttle.decode


def slack(history: Sequence[Signals], now: Levels, throttle: Throttle) -> Levels:
    """Slow down while targets leave room, speed up when they do not.

    Decoding: one level slower while the gaps' p99 is below `ROOM` of its limit, one faster above
    `NEAR`. Prompts: full clock as soon as requests wait, one level slower after `CALM` polls
    without any. The scheme of throttLL'eM (2408.05235) and GreenLLM (2508.16449), reduced to
    feedback from engine metrics.
    """
    seen, (prefill, decode) = history[-1], now
    if seen.itl > NEAR * throttle.itl:
        decode -= 1
    elif seen.itl < ROOM * throttle.itl:
        decode += 1
    if seen.waiting > 0:
        prefill = 0
    elif all(past.waiting == 0 for past in since(history, CALM * throttle.poll)):
        prefill += 1
    return min(prefill, throttle.prefill), min(max(decode, 0), throttle.decode)


ROOM, NEAR, CALM = 0.85, 0.95, 3
"""Shares of the limit between which `slack` holds its clock, and polls of calm before it slows."""

THROTTLES: dict[str, Callable[[Sequence[Signals], Levels, Throttle], Levels]] = {
    "fixed": fixed,
    "slack": slack,
}
