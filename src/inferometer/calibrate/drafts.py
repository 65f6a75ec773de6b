"""Acceptance of drafted tokens from counts of a run."""

STEPS = 60
"""Halvings: beyond the precision of a float."""


def chance(accepted: float, drafted: int) -> float:
    """Return a such that a + a^2 + ... + a^drafted = `accepted`, by halving; 0 to 1.

    A token can only be accepted after those before it (Leviathan et al. 2023, equation 1).
    """
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        if sum(middle**place for place in range(1, drafted + 1)) < accepted:
            low = middle
        else:
            high = middle
    return high
