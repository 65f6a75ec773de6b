"""The control plane: looks, clocks, outages and preemptions at the same or at awkward times."""

from dataclasses import replace
from typing import Any

import pytest
from simulate_cases import deployment, trace

from inferometer.catalog.efficiency import efficiencies
from inferometer.errors import ScenarioError
from inferometer.simulate.faults import Faults, Outage
from inferometer.simulate.play import Play
from inferometer.simulate.scaling import Scaling
from inferometer.simulate.simulation import Simulation, simulate
from inferometer.simulate.throttle import Throttle
from inferometer.workload.trace import Trace

QUICK = Scaling(startup_least=0.0, startup_most=0.0)


def played(requests: Trace, replicas: tuple[int, ...] = (1,), **given: Any) -> Simulation:
    built = tuple(deployment(replicas=each) for each in replicas)
    return simulate(requests, built, efficiencies=efficiencies(), play=Play(**given),
                    compiled=False)  # fmt: skip


def spaced(size: int, gap: float) -> Trace:
    """Return short requests that come every `gap` seconds."""
    few = trace(0, size, 60.0)
    return replace(few, arrival=gap * (few.arrival * 0 + 1).cumsum() - gap)


@pytest.mark.parametrize("poll", [5.0, 3.0])
def test_clocks_that_are_not_changed_do_not_change_what_is_bought(poll: float) -> None:
    """A look at clocks covers no time of its own: not the start, nor the instant of a poll."""
    scaling = Scaling(policy="forecast", rate=2.0, most=8, poll=15.0, startup_most=120.0)
    slack = Throttle(policy="slack", itl=1e-9, poll=poll)  # never slower
    plain, *clocked = (
        played(spaced(60, 1.0), scaling=scaling, throttle=throttle)
        for throttle in (None, Throttle(), slack)
    )
    assert all(len(run.usage[0].lives) == len(plain.usage[0].lives) for run in clocked)
    assert [run.usage[0].paid for run in clocked] == pytest.approx(2 * [plain.usage[0].paid])


def test_nobody_is_warned_before_a_replica_serves() -> None:
    faults = Faults(spot=5.0, warning=20.0)
    later = Scaling(startup_least=30.0, startup_most=30.0)
    *lives, last = played(spaced(30, 4.0), scaling=later, faults=faults).usage[0].lives
    assert len(lives) > 3
    assert all(0.0 <= life.asked <= life.up <= life.closed <= life.off for life in lives)
    assert last.asked >= lives[-1].up


def test_an_outage_stops_a_replica_when_it_says() -> None:
    faults = Faults(outages=(Outage(at=1.0, replica=0, warning=20.0),))
    few = spaced(40, 0.1)
    long = replace(few, output_tokens=few.output_tokens * 0 + 2000)
    run = played(long, scaling=QUICK, faults=faults)
    first = min(run.usage[0].lives, key=lambda life: life.off)
    assert (first.closed, first.off) == (0.0, 1.0)


def test_an_outage_counts_the_replicas_of_the_start_over_the_pools() -> None:
    """Places kept for replacements have no numbers."""
    run = played(spaced(40, 0.1), (2, 1), faults=Faults(outages=(Outage(at=1.0, replica=2),)))
    stopped = [[life.off for life in usage.lives].count(1.0) for usage in run.usage]
    assert stopped == [0, 1]
    with pytest.raises(ScenarioError, match=r"faults\.outages: replica 3 of 3"):
        played(spaced(4, 0.1), (2, 1), faults=Faults(outages=(Outage(at=1.0, replica=3),)))


def test_a_replica_that_stops_before_its_clock_changed_comes_back_with_the_new_one() -> None:
    """Its first step runs when the clock is asked for, and is cut; it returns for the second."""
    run = played(
        spaced(40, 0.1), (2,), scaling=QUICK, throttle=Throttle(prefill=1, decode=1),
        faults=Faults(outages=(Outage(at=1e-6, replica=0), Outage(at=1.0, replica=1))),
    )  # fmt: skip
    full, slower = run.usage[0].spent[:2].sum(axis=1)
    assert full == 0.0 < slower
