"""Kinds of lanes in one fleet: step times and engine limits by deployment and clock, in tables.

The engine reads `World.step`, `World.mixed` and `World.limits`; `view` sets them to one lane's. A
fleet of one kind is its own view. Runs as it is, and compiled (`compiled`).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from inferometer.simulate.coefficients import StepCoefficients
from inferometer.simulate.limits import Limits
from inferometer.simulate.state import (
    Floats,
    Ints,
    World,
)

SCALARS = tuple(name for name, kind in StepCoefficients.__annotations__.items() if kind is float)
"""Fields of `StepCoefficients` that are one number."""

RAGGED = ("reaches", "decode_flop", "prefill_flop", "kv_read", "pages")
"""Fields by attention window."""

TABLES = ("spread", "spread_compute", "spread_memory")
"""Fields by tokens of a step."""


SEQUENCES, BLOCKS, LONGEST = (Limits._fields.index(n) for n in ("sequences", "blocks", "longest"))
"""Columns of `Kinds.limits`."""


class Kinds(NamedTuple):
    """Tables of step coefficients and limits, and the rows of each lane.

    Attributes:
        scalars: Fields of `SCALARS` [step kind, field].
        windows: Attention windows [step kind].
        ragged: Fields of `RAGGED` [step kind, field, window].
        tables: Fields of `TABLES` [step kind, field, tokens].
        limits: Fields of `Limits` [limit kind, field].
        plain: Step kind of each lane's steps without prompt tokens [lane].
        mixed: Step kind of its steps with prompt tokens [lane].
        limit: Limit kind of each lane [lane].
    """

    scalars: Floats
    windows: Ints
    ragged: Floats
    tables: Floats
    limits: Ints
    plain: Ints
    mixed: Ints
    limit: Ints


def kinds_of(
    steps: Sequence[StepCoefficients], limits: Sequence[Limits], limit: Ints, step: Ints
) -> Kinds:
    """Return the tables of a fleet.

    Args:
        steps: Step times, one per step kind.
        limits: Engine limits, one per limit kind.
        limit: Limit kind of each lane [lane].
        step: Step kind with which each lane starts, whatever its step holds [lane].
    """
    windows = np.array([len(step.reaches) for step in steps])
    ragged = np.zeros((len(steps), len(RAGGED), int(windows.max())))
    longest = max(len(step.spread) for step in steps)
    tables = np.zeros((len(steps), len(TABLES), longest))
    for row, known in enumerate(steps):
        for place, name in enumerate(RAGGED):
            ragged[row, place, : windows[row]] = getattr(known, name)
        for place, name in enumerate(TABLES):
            tables[row, place, : len(known.spread)] = getattr(known, name)
    return Kinds(
        scalars=np.array([[getattr(known, name) for name in SCALARS] for known in steps]),
        windows=windows,
        ragged=ragged,
        tables=tables,
        limits=np.array(limits, np.int64).reshape(len(limits), len(Limits._fields)),
        plain=step.copy(),
        mixed=step.copy(),
        limit=limit,
    )


def step_of(kinds: Kinds, row: int) -> StepCoefficients:
    """Return the step time of one step kind."""
    one, count = kinds.scalars[row], kinds.windows[row]
    ragged, tables = kinds.ragged[row], kinds.tables[row]
    return StepCoefficients(
        one[0], one[1], one[2], one[3], one[4], one[5], one[6], one[7], one[8], one[9], one[10],
        one[11], one[12], one[13],
        ragged[0, :count], ragged[1, :count], ragged[2, :count], ragged[3, :count],
        ragged[4, :count],
        tables[0], tables[1], tables[2],
    )  # fmt: skip


def limits_at(kinds: Kinds, row: int) -> Limits:
    """Return the engine limits of one limit kind."""
    one = kinds.limits[row]
    return Limits(
        one[0], one[1], one[2], one[3], one[4], one[5], one[6], one[7], one[8], one[9], one[10],
        one[11], one[12], one[13], one[14],
    )  # fmt: skip


def view(world: World, kinds: Kinds, number: int) -> World:
    """Return the world as the engine of lane `number` reads it."""
    if len(kinds.scalars) * len(kinds.limits) == 1:
        return world
    own = (
        step_of(kinds, kinds.mixed[number]),
        step_of(kinds, kinds.plain[number]),
        limits_at(kinds, kinds.limit[number]),
    )
    return World(*(world[:-3] + own))
