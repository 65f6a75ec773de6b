"""From the price of a token as planned to the actual one: one assumption put right at a time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from inferometer.units import PerSecond, Seconds, UsdPerSecond, UsdPerToken


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What a price of a token rests on, as assumed or as it was.

    Attributes:
        cost: Rent.
        rate: Requests per second that were answered.
        input_tokens: Mean prompt.
        output_tokens: Mean output.
    """

    cost: UsdPerSecond
    rate: PerSecond
    input_tokens: float
    output_tokens: float

    @property
    def price(self) -> UsdPerToken:
        """Rent over useful tokens of prompt and output."""
        return self.cost / (self.rate * (self.input_tokens + self.output_tokens))


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """One assumption put right.

    Attributes:
        assumption: What was assumed; "as planned" for the start.
        planned: Its value in the plan.
        actual: As it was.
        price: Price of a token once it is right, and all before it.
        added: What that adds.
    """

    assumption: str
    planned: float
    actual: float
    price: UsdPerToken
    added: UsdPerToken

    @property
    def factor(self) -> float:
        """Price over the price before."""
        return self.price / (self.price - self.added)

    @property
    def weight(self) -> float:
        """How much it matters, up or down: |ln(factor)|."""
        return abs(math.log(self.factor))


ORDER: Sequence[tuple[str, str]] = (
    ("rent", "cost"),
    ("arrivals", "rate"),
    ("prompt length", "input_tokens"),
    ("output length", "output_tokens"),
)
"""Assumptions in the order in which they are put right, and the field of each."""


def corrections(planned: Served, actual: Served) -> tuple[Correction, ...]:
    """Return the way from the planned to the actual price; what is added adds up exactly.

    Failed attempts are no part of the rate: they show as arrivals that were not answered.
    """
    values = {field: getattr(planned, field) for _, field in ORDER}
    price = planned.price
    steps = [Correction(assumption="as planned", planned=price, actual=price, price=price, added=0)]
    for name, field in ORDER:
        values[field] = getattr(actual, field)
        now = Served(**values).price
        steps.append(
            Correction(
                assumption=name, planned=getattr(planned, field), actual=values[field],
                price=now, added=now - price,
            )
        )  # fmt: skip
        price = now
    return tuple(steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """A latency as predicted for the actual traffic, and as it was.

    Attributes:
        metric: "ttft" or "tpot".
        predicted: Median predicted.
        actual: Median measured.
    """

    metric: str
    predicted: Seconds
    actual: Seconds

    @property
    def ratio(self) -> float:
        """Actual over predicted."""
        return self.actual / self.predicted


SOUND = 0.15
"""Share by which a figure may be off before it is named."""


def culprit(steps: Sequence[Correction], speeds: Sequence[Speed]) -> str:
    """Return which assumption was off the most, in a sentence."""
    worst = max(steps[1:], key=lambda step: step.weight)
    slow = [one for one in speeds if abs(math.log(one.ratio)) > math.log1p(SOUND)]
    engine = "; ".join(f"{one.metric} was {one.ratio:.2f} x what is predicted" for one in slow)
    if worst.weight <= math.log1p(SOUND):
        price = f"the price is as planned: no assumption moved it by more than {SOUND:.0%}"
    else:
        price = (
            f"{worst.assumption} was off the most: {worst.planned:.4g} planned, "
            f"{worst.actual:.4g} actual, {worst.factor:.2f} x the price"
        )
    return f"{price}; {engine or 'the engine is as fast as predicted for this traffic'}"
