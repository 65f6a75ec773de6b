import numpy as np
import pytest
from perf_cases import deployment, machine

from inferometer.perf.closed_loop import closed_loop
from inferometer.perf.demand import Demand, fixed_lengths
from inferometer.perf.open_run import OpenRun, open_run
from inferometer.perf.roofline import Machine

LIMIT = np.array([64.0])


def case(inputs: float = 512.0, outputs: float = 128.0) -> tuple[Machine, Demand]:
    built = machine(deployment())
    return built, fixed_lengths(np.array([inputs]), np.array([outputs]), built.shard.reaches)


def run(rate: float, requests: float, lockstep: float = 1.0, limit: float = 64.0) -> OpenRun:
    built, asked = case()
    return open_run(
        np.array([rate]), np.array([requests]), np.array([limit]), built, asked, lockstep=lockstep
    )


def capacity() -> float:
    built, asked = case()
    return float(closed_loop(LIMIT, LIMIT, built, asked).rate[0])


def test_below_capacity_all_that_arrives_is_served_and_half_wait_for_no_prompt() -> None:
    quiet = run(0.3 * capacity(), np.inf)
    assert quiet.rate == pytest.approx(0.3 * capacity())
    mean, median = quiet.ttft[0, :2]
    assert median < mean < 2 * median


def test_a_long_run_below_capacity_is_the_run_that_never_ends() -> None:
    rate = 0.3 * capacity()
    ever, long = run(rate, np.inf), run(rate, 50_000)
    assert long.tpot == pytest.approx(ever.tpot, rel=0.01)
    assert long.rate == pytest.approx(ever.rate, rel=0.01)
    assert long.ttft == pytest.approx(ever.ttft, rel=0.02)


def test_above_capacity_ttft_is_that_of_a_twin_that_starts_requests_one_by_one() -> None:
    rate, requests, limit = 3 * capacity(), 2000, 64
    found = run(rate, requests)
    arrivals = np.arange(requests) / rate
    starts = arrivals.copy()
    for number in range(limit, requests):  # a place is free as often as a full house ends one
        starts[number] = max(arrivals[number], starts[number - 1] + 1 / capacity())
    waits = starts - arrivals
    assert found.ttft[0, 0] == pytest.approx(waits.mean(), rel=0.05)
    assert found.ttft[0, 1] == pytest.approx(np.median(waits), rel=0.05)
    assert found.ttft[0, 3] == pytest.approx(np.quantile(waits, 0.99), rel=0.05)


def test_where_all_have_places_only_the_prefill_holds_requests_up() -> None:
    few = run(1e4, 60, limit=64.0)
    many = run(1e4, 600, limit=64.0)
    roomy = run(1e4, 600, limit=1024.0)
    assert few.ttft[0, 1] < roomy.ttft[0, 1] < many.ttft[0, 1]


def test_a_run_of_varied_lengths_has_a_tail_and_fewer_run_beside_one_another() -> None:
    alike, varied = run(1e4, 64, lockstep=1.0), run(1e4, 64, lockstep=0.0)
    assert varied.tpot < alike.tpot
    assert varied.rate < alike.rate


@pytest.mark.parametrize("lockstep", [0.0, 1.0])
def test_more_arrivals_wait_longer_and_are_served_no_slower(lockstep: float) -> None:
    runs = [run(share * capacity(), 500, lockstep) for share in (0.2, 0.6, 1.5, 5.0)]
    waits = [one.ttft[0, 0] for one in runs]
    rates = [one.rate[0] for one in runs]
    assert waits == sorted(waits)
    assert rates == sorted(rates)
