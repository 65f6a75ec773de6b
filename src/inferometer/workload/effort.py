"""Levels of reasoning effort: the same task thought about for longer or shorter."""

from dataclasses import dataclass

from inferometer.errors import ScenarioError
from inferometer.units import Fraction

MOST = 1000.0
"""Factor beyond which a level is taken for a slip; published levels differ by tens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """A level of reasoning effort, as factors on the task.

    Attributes:
        output: Output of a call over that of the task.
        calls: Calls over those of the task.
        success: Share of tasks that succeed at this level; 0 keeps the task's.
    """

    output: float = 1.0
    calls: float = 1.0
    success: Fraction = 0.0

    def __post_init__(self) -> None:
        for name in ("output", "calls"):
            value = getattr(self, name)
            if not 0 < value <= MOST:
                raise ScenarioError(
                    f"effort: {name} is {value:g}; a factor above 0 and up to {MOST:g} is wanted"
                )

    def calls_of(self, calls: float) -> float:
        """Return how many calls take the place of `calls`, 1 at least."""
        return max(calls * self.calls, 1.0)
