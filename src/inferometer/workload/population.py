"""From users to load: how many are served at once at the peak, and how often they ask."""

import math

from inferometer.errors import WorkloadError
from inferometer.units import Duration, Fraction, PerSecond


def peak_concurrency(users: float, active: Fraction) -> float:
    """Return how many users have a request in flight, or a session open, at the peak.

    users x active: sizing guides count a tenth of all users.

    Args:
        users: All users.
        active: Share of them at the peak.

    Raises:
        WorkloadError: users that are not positive, or a share outside 0..1.
    """
    if not (math.isfinite(users) and users > 0):
        raise WorkloadError(f"demand.users is {users}; a positive number is wanted")
    if not 0 < active <= 1:
        raise WorkloadError(f"demand.active is {active}; it is a share above 0, at most 1")
    return users * active


def rate_of(concurrency: float, response: Duration, think: Duration = 0.0) -> PerSecond:
    """Return the rate at which so many users ask, concurrency / (response + think).

    Little's law. Without `think` the users are those with a request in flight, with it those with
    a session open.

    Args:
        concurrency: Users at once.
        response: Time of one answer, first to last token included.
        think: Pause of a user from an answer to the next question.

    Raises:
        WorkloadError: times that are negative or add up to nothing.
    """
    cycle = response + think
    if not (math.isfinite(cycle) and response >= 0 and think >= 0 and cycle > 0):
        raise WorkloadError(
            f"demand: an answer of {response} s and a pause of {think} s give no rate; times >= 0 "
            "that add up to more than 0 are wanted"
        )
    return concurrency / cycle
