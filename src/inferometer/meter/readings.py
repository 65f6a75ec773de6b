"""Readings of a replica over time: its engine's counters and this machine's energy, as lines.

`inferometer meter watch` appends them, `attribute` uses them: what grew between two instants tells
which work no row shows, and what the machine drew. An instant between two readings is interpolated;
a span that the readings do not cover, or in which a counter went backwards, tells nothing.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from inferometer.errors import LedgerError
from inferometer.meter.power import Counters, between
from inferometer.meter.scrape import Counted

LONGEST_GAP_NS = 15 * 60 * 1_000_000_000
"""Readings further apart say too little about an hour within. Our own choice."""


class Reading(NamedTuple):
    """What was counted so far at one instant.

    Attributes:
        at_ns: Unix time.
        prompt: Prompt tokens, cached ones too, over all models.
        cached: Of these, served from the prefix cache.
        generated: Generated tokens.
        power: "nvml", "rapl", or "declared" where the machine counts no energy.
        microjoules: Energy counters.
        ranges: Where each of them starts again from 0.
    """

    at_ns: int
    prompt: float
    cached: float
    generated: float
    power: str = "declared"
    microjoules: tuple[int, ...] = ()
    ranges: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """What was counted over a span.

    Attributes:
        fresh: Prompt tokens computed afresh.
        generated: Generated tokens.
        energy_uj: Microjoules; None where nothing counts energy.
        power: Where the energy is from.
    """

    fresh: float
    generated: float
    energy_uj: int | None
    power: str


def reading(at_ns: int, counted: Mapping[str, Counted], energy: Counters) -> Reading:
    """Return one reading, summed over the models of the replica."""
    prompt, cached, generated = (
        sum(getattr(one, name) for one in counted.values())
        for name in ("prompt", "cached", "generated")
    )
    return Reading(at_ns, prompt, cached, generated, *energy)


def append(path: Path, one: Reading) -> None:
    """Append a reading to a file of lines.

    Raises:
        LedgerError: it cannot be written.
    """
    try:
        with path.open("ab") as file:
            file.write(msgspec.json.encode(one) + b"\n")
    except OSError as error:
        raise LedgerError(f"{path}: cannot be written: {error.strerror}") from None


def load(path: Path) -> list[Reading]:
    """Return the readings of a file, in the order of time.

    Raises:
        LedgerError: it cannot be read, or a line is no reading.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise LedgerError(f"{path}: cannot be read: {error.strerror}") from None
    found: list[Reading] = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(msgspec.json.decode(line, type=Reading))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise LedgerError(f"{path}, line {number}: no reading: {error}") from None
    return sorted(found)


def grown(readings: Sequence[Reading], start_ns: int, end_ns: int) -> Growth | None:
    """Return what was counted over a span; None if the readings cannot tell."""
    total = [0.0, 0.0, 0.0]
    energy, power, at = 0.0, "", start_ns
    while at < end_ns:
        place = bisect_right(readings, at, key=lambda one: one.at_ns)
        if not 0 < place < len(readings):
            return None
        before, after = readings[place - 1], readings[place]
        until = min(end_ns, after.at_ns)
        steps = _steps(before, after)
        if steps is None or power not in {"", after.power}:
            return None
        share = (until - at) / (after.at_ns - before.at_ns)
        total = [sum_ + step * share for sum_, step in zip(total, steps, strict=True)]
        counted = between(_counters(before), _counters(after))
        energy, power = energy + (counted or 0) * share, after.power
        at = until
    prompt, cached, generated = total
    known = None if power in {"", "declared"} else round(energy)
    return Growth(fresh=prompt - cached, generated=generated, energy_uj=known, power=power)


def _steps(before: Reading, after: Reading) -> tuple[float, float, float] | None:
    """Return what the engine's counters grew by; None over a gap or a restart."""
    steps = (
        after.prompt - before.prompt,
        after.cached - before.cached,
        after.generated - before.generated,
    )
    far = after.at_ns - before.at_ns > LONGEST_GAP_NS
    return None if far or min(steps) < 0 or before.power != after.power else steps


def _counters(one: Reading) -> Counters:
    return Counters(one.power, one.microjoules, one.ranges)
