"""Energy of a set of requests served offline, by bins of their lengths, and the least it could be.

The method of Fernandez et al. (ACL 2025, arXiv 2504.17674): requests are rounded up to powers of
two and priced by the measured energy of one full batch of each bin.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from inferometer.errors import ScenarioError
from inferometer.units import FlopPerSecond, Fraction, Joules, Tokens, Watts

Bin = tuple[int, int]
"""Prompt and output tokens, both rounded up."""

INPUT_BINS, OUTPUT_BINS = (32, 8192), (8, 512)
"""Least and greatest bin of prompts and of outputs, tokens."""


def length_bin(prompt: int, output: int) -> Bin | None:
    """Return the bin of a request, both lengths rounded up to powers of two; None if too long."""
    found = tuple(
        max(low, 1 << max(length - 1, 0).bit_length())
        for length, (low, _) in ((prompt, INPUT_BINS), (output, OUTPUT_BINS))
    )
    inside = found[0] <= INPUT_BINS[1] and found[1] <= OUTPUT_BINS[1]
    return (found[0], found[1]) if inside else None


def binned_energy(
    requests: Iterable[tuple[int, int]], batch: Mapping[Bin, int], energy: Mapping[Bin, Joules]
) -> tuple[Joules, int]:
    """Return the energy of `requests`, sum over bins of (N / B) E, and how many were too long.

    Args:
        requests: Prompt and output tokens of each.
        batch: Requests of one full batch of each bin.
        energy: Energy of that batch.

    Raises:
        ScenarioError: a bin that was not measured.
    """
    total, dropped = 0.0, 0
    for prompt, output in requests:
        place = length_bin(prompt, output)
        if place is None:
            dropped += 1
            continue
        if place not in energy or place not in batch:
            raise ScenarioError(f"no batch of bin {place} was measured")
        total += energy[place] / batch[place]
    return total, dropped


@dataclass(frozen=True, slots=True, kw_only=True)
class IdealEnergy:
    """Energy if every FLOP ran at the peak rate at full power.

    Attributes:
        energy: The energy.
        doubt: What is wrong with the peak rate, "" if nothing.
    """

    energy: Joules
    doubt: str


def ideal_energy(
    parameters: float, tokens: Tokens, power: Watts, peak: FlopPerSecond, dense: FlopPerSecond
) -> IdealEnergy:
    """Return (power / peak) x 2 x parameters x tokens.

    It is no lower bound: reading memory takes power too, and a peak with structured sparsity is
    reached by no dense model.

    Args:
        parameters: Parameters active per token.
        tokens: Tokens computed.
        power: Power limit.
        peak: Rate assumed.
        dense: Dense rate of the accelerator at the same precision.
    """
    if not (peak > 0 and power >= 0 and tokens >= 0 and parameters >= 0):
        raise ScenarioError(f"peak {peak} FLOP/s and power {power} W make no ideal energy")
    above = peak / dense
    doubt = (
        f"peak is {above:.2f} x the dense rate: a sparse or narrower one" if above > 1.05 else ""
    )
    return IdealEnergy(energy=2 * parameters * tokens * power / peak, doubt=doubt)


def saving(before: Fraction, after: Fraction) -> Fraction:
    """Return what is saved going from one excess over a common base to another, of the whole.

    1 - (1 + after) / (1 + before); excesses as fractions, 0.5 for 50 % above.

    Raises:
        ScenarioError: an excess of -1 or less.
    """
    if not (math.isfinite(before) and math.isfinite(after) and before > -1 and after > -1):
        raise ScenarioError(f"excesses {before} and {after} must be finite and above -1")
    return 1 - (1 + after) / (1 + before)
