"""The seed of everything that is drawn."""

from inferometer.errors import WorkloadError

BEYOND = 2**63


def checked(seed: int) -> int:
    """Return a seed that every source of chance takes.

    Raises:
        WorkloadError: it is negative or has over 63 bits.
    """
    if not 0 <= seed < BEYOND:
        raise WorkloadError(f"seed {seed}: a whole number from 0 to 2^63 - 1 is wanted")
    return seed
