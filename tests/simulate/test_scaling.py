"""Autoscaling policies, on signals that are written out."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulate_cases import deployment, trace

from inferometer.catalog.efficiency import efficiencies
from inferometer.errors import ScenarioError
from inferometer.simulate.play import Gateway, Play
from inferometer.simulate.scaling import METRICS, SCALERS, Scaling, Signals, wanted
from inferometer.simulate.simulation import Simulation, simulate
from inferometer.simulate.throttle import THROTTLES, Throttle
from inferometer.workload.trace import Trace

HPA = Scaling(policy="hpa", target=100, most=50)


def seen(at: float, **given: Any) -> Signals:
    known: dict[str, Any] = {
        "ready": 1, "starting": 0, "waiting": 0, "running": 0, "held": 0, "kv_fraction": 0.0,
        "rate": 1.0, "itl": np.nan,
    }  # fmt: skip
    return Signals(at=at, **(known | given))


@pytest.mark.parametrize(
    ("running", "ready", "expected"),
    [
        (200, 1, 2),  # twice the target: twice the replicas (Kubernetes documentation)
        (109, 1, 1),  # within the tolerance of a tenth
        (111, 1, 2),
        (950, 1, 5),  # ten would be needed; one period adds 4 pods, or doubles
        (3000, 10, 20),
    ],
)
def test_hpa_asks_for_the_ratio(running: int, ready: int, expected: int) -> None:
    assert wanted([seen(0, running=running, ready=ready)], HPA) == expected


def test_hpa_comes_down_only_after_its_window() -> None:
    history = [seen(15.0 * k, ready=8, running=800 if k == 0 else 100) for k in range(21)]
    assert wanted(history, HPA) == 8  # 300 s back, 8 were asked for
    assert wanted([*history, seen(315.0, ready=8, running=100)], HPA) == 1


def test_scale_to_zero_waits_for_the_cooldown_and_comes_back_for_anything() -> None:
    zero = Scaling(policy="hpa", target=100, most=5, least=0)
    history = [seen(30.0 * k, running=0, rate=0.0) for k in range(10)]
    assert wanted(history, zero) == 1
    assert wanted([*history, seen(300.0, rate=0.0)], zero) == 0
    gone = seen(330.0, ready=0, rate=0.0)
    assert wanted([*history, gone], zero) == 0
    assert wanted([*history, gone, seen(345.0, ready=0, held=1, rate=0.1)], zero) == 1


def test_threshold_steps_by_one() -> None:
    rule = Scaling(policy="threshold", target=4, most=9, down_window=60)
    assert wanted([seen(0, waiting=9, ready=2)], rule) == 3
    assert wanted([seen(0, waiting=9, ready=2, starting=1)], rule) == 3
    assert wanted([seen(0, kv_fraction=0.9, ready=2)], rule) == 3
    calm = [seen(15.0 * k, ready=3, kv_fraction=0.1) for k in range(5)]
    assert wanted(calm, rule) == 2
    assert wanted(calm[:3], rule) == 3


def test_forecast_is_ahead_of_a_rising_rate_and_knows_yesterday() -> None:
    rule = Scaling(policy="forecast", rate=10.0, margin=0.0, most=99, startup_most=400.0)
    rising = [seen(15.0 * k, rate=15.0 * k / 10) for k in range(100)]
    ahead = (rising[-1].at + 415) / 10 / 10
    assert wanted(rising, rule) == int(np.ceil(ahead))
    day = [seen(60.0 * k, rate=100.0 if 300 <= k % 1440 < 600 else 10.0) for k in range(1440 + 298)]
    assert wanted(day, rule) == 10  # the morning's load begins within the start-up time
    assert wanted(day[:1000], rule) == 1  # rounding of a level line buys nothing


@given(
    waiting=st.integers(0, 500), running=st.integers(0, 500), ready=st.integers(0, 20),
    held=st.integers(0, 5), policy=st.sampled_from(list(SCALERS)),
    metric=st.sampled_from(list(METRICS)), least=st.integers(0, 3),
)  # fmt: skip
def test_policies_stay_within_their_bounds(
    waiting: int, running: int, ready: int, held: int, policy: str, metric: str, least: int
) -> None:
    rule = Scaling(policy=policy, metric=metric, target=3, rate=2.0, least=least, most=7)
    history = [seen(0, waiting=waiting, running=running, ready=ready, held=held)]
    assert least <= wanted(history, rule) <= 7
    if held or waiting:
        assert wanted(history, rule) >= 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"policy": "best"}, {"metric": "joy"}, {"policy": "hpa"}, {"policy": "forecast"},
        {"least": -1}, {"least": 3, "most": 2}, {"poll": 0.0}, {"startup_least": 500.0},
        {"tolerance": 1.5}, {"cooldown": -1.0}, {"kv_low": 0.9},
    ],
)  # fmt: skip
def test_bad_rules_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ScenarioError, match="scaling"):
        Scaling(**wrong)


def played(requests: Trace, scaling: Scaling, **changes: Any) -> Simulation:
    play = Play(scaling=scaling, **changes)
    return simulate(requests, deployment(), efficiencies=efficiencies(), play=play)


def test_a_fleet_scales_to_zero_and_back_and_is_paid_for_what_it_uses() -> None:
    """Two bursts with an hour of nothing between them."""
    bursts = trace(0, 80, 2.0)
    second = bursts.arrival + 3600
    gap = Trace(
        arrival=np.concatenate([bursts.arrival, second]),
        input_tokens=np.tile(bursts.input_tokens, 2),
        output_tokens=np.tile(bursts.output_tokens, 2),
    )
    steady = played(gap, Scaling())
    rule = Scaling(policy="hpa", target=6, least=0, most=3, startup_least=150, startup_most=150)
    scaled = played(gap, rule)
    assert scaled.counts.finished == steady.counts.finished == 160
    assert steady.usage[0].accelerator_hours == pytest.approx(steady.end / 3600)
    assert scaled.usage[0].accelerator_hours < 0.5 * steady.usage[0].accelerator_hours
    assert scaled.series.replicas.min() == 0
    first = scaled.records.admitted[80] - scaled.records.arrival[80]
    assert 150 <= first <= 150 + 2 * rule.poll  # a cold start, from the next poll on
    left = played(gap, rule, gateway=Gateway(timeout=60.0))
    assert left.counts.timed_out > 50


def test_clocks_trade_time_for_energy() -> None:
    requests = trace(0, 300, 10.0)
    runs = [
        simulate(
            requests, deployment(), efficiencies=efficiencies(),
            play=Play(throttle=Throttle(decode=level, prefill=0)),
        )
        for level in (0, 3)
    ]  # fmt: skip
    full, slow = (run.usage[0].spent for run in runs)
    assert full[1:].sum() == slow[0, :3].sum() == slow[1:3].sum() == 0
    assert slow[3, 0] > 0 < slow[0, 3]
    times = [run.sums["plain_time"] + run.sums["mixed_time"] for run in runs]
    assert sum(spent.sum() for spent in slow[:, [0, 3]]) == pytest.approx(times[1])


def test_slack_slows_down_while_there_is_room() -> None:
    rule = Throttle(policy="slack", itl=0.1, prefill=5, decode=5)
    act = THROTTLES["slack"]
    assert act([seen(0, itl=0.05)], (0, 0), rule) == (1, 1)
    assert act([seen(0, itl=0.097, waiting=3)], (4, 3), rule) == (0, 2)
    assert act([seen(0, itl=0.09)], (5, 5), rule) == (5, 5)
    assert act([seen(0, itl=np.nan)], (2, 2), rule) == (3, 2)


@pytest.mark.parametrize(
    "wrong", [{"policy": "best"}, {"levels": (0.9,)}, {"decode": 9}, {"policy": "slack"}]
)
def test_bad_clocks_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ScenarioError, match=r"clock|throttle"):
        Throttle(**wrong)
