"""Users to concurrency to rate."""

import math

import pytest

from inferometer.errors import WorkloadError
from inferometer.workload.population import peak_concurrency, rate_of


def test_little_s_law() -> None:
    # 500 requests in flight, 20 s each: 25 a second.
    assert rate_of(500, 20.0) == 25.0
    # 500 sessions that pause 30 s after every answer: 10 a second, of which 200 are in flight.
    assert rate_of(500, 20.0, 30.0) == 10.0


@pytest.mark.parametrize(
    ("users", "active"), [(0, 0.1), (-1, 0.1), (10, 0.0), (10, 1.5), (math.nan, 0.1)]
)
def test_impossible_users_are_refused(users: float, active: float) -> None:
    with pytest.raises(WorkloadError, match="demand"):
        peak_concurrency(users, active)


@pytest.mark.parametrize(("response", "think"), [(0.0, 0.0), (-1.0, 5.0), (1.0, math.inf)])
def test_times_that_give_no_rate_are_refused(response: float, think: float) -> None:
    with pytest.raises(WorkloadError, match="rate"):
        rate_of(10, response, think)
