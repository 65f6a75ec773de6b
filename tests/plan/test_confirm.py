"""A plan's options, played: replicas by need, rank by cost."""

from dataclasses import replace
from typing import Any

import pytest
from simulate_cases import deployment, trace

from inferometer.candidates import one
from inferometer.catalog.efficiency import efficiencies
from inferometer.deployment import Deployment
from inferometer.outcome import Counts, Outcome
from inferometer.perf.predict import predict
from inferometer.plan.confirm import FACTOR, Played, confirm, missed, player
from inferometer.plan.option import Option, stated
from inferometer.workload.shape import shape_of
from inferometer.workload.slo import Slo, parse_slo

REQUESTS = trace(0, 300, 30.0)
SLO = parse_slo(["ttft p99 <= 1 s"])


def option(replicas: int, price: float, **changes: Any) -> Option:
    built = deployment(replicas=replicas, **changes)
    prediction = predict(one(built), shape_of(REQUESTS), efficiencies=efficiencies())
    return replace(stated(built, None, prediction, SLO), cost=price * replicas)


def needing(replicas: int) -> Played:
    """Return a fleet that holds from so many replicas on."""
    plain = option(1, 1.0).outcome

    def played(built: Deployment) -> tuple[Outcome, float]:
        slow = replace(plain.ttft, p99=0.5 if built.replicas >= replicas else 2.0)
        return replace(plain, ttft=slow, counts=Counts(arrived=300, finished=300)), 1.0

    return played


@pytest.mark.parametrize(("planned", "need"), [(3, 2), (3, 3), (3, 5), (4, 1), (2, 4)])
def test_replicas_are_the_fewest_that_hold(planned: int, need: int) -> None:
    (found,) = confirm([option(planned, 2.0)], SLO, needing(need))
    assert found.holds
    assert found.deployment.replicas == need
    assert found.planned == planned
    assert found.cost == 2.0 * need


def test_what_never_holds_comes_last() -> None:
    options = [option(1, 1.0), option(4, 3.0), option(2, 5.0)]
    first, *others = confirm(options, SLO, needing(3))
    assert first.deployment.replicas == 3
    assert first.cost == 9.0  # 3 x 3.0, planned as the dearest
    assert [one.holds for one in others] == [True, False]
    assert others[1].deployment.replicas == FACTOR
    assert others[1].missed == ("ttft p99 <= 1000 ms",)


def test_a_trace_decides() -> None:
    outcome = option(1, 1.0).outcome
    played = player(REQUESTS, SLO, efficiencies(), outcome, 0)
    (found,) = confirm([option(2, 1.0, sequences=16, budget=1024)], SLO, played)
    assert found.holds
    assert found.outcome.evidence.value == "simulated"
    assert found.outcome.ttft.p99 <= 1.0
    fewer = replace(found.deployment, replicas=max(found.deployment.replicas - 1, 1))
    again, _ = played(fewer)
    assert found.deployment.replicas == 1 or again.ttft.p99 > 1.0


def test_requests_are_good_within_what_the_headroom_leaves() -> None:
    built, outcome = deployment(replicas=1), option(1, 1.0).outcome
    slo = parse_slo(["ttft p99 <= 60 ms"])
    looser = parse_slo(["ttft p99 <= 80 ms"], headroom=0.25)
    shares = [player(REQUESTS, one, efficiencies(), outcome, 0)(built)[1]
              for one in (slo, looser, replace(looser, headroom=0.0))]  # fmt: skip
    assert shares[0] == shares[1] < shares[2]


def test_headroom_goodput_and_lost_requests_count() -> None:
    outcome = replace(option(1, 1.0).outcome, counts=Counts(arrived=10, finished=10))
    near = replace(outcome, ttft=replace(outcome.ttft, p99=0.95))
    assert missed(near, 1.0, SLO) == ()
    assert missed(near, 1.0, replace(SLO, headroom=0.1)) == ("ttft p99 <= 1000 ms",)
    strict = Slo(targets=SLO.targets, goodput=0.99)
    assert missed(near, 0.98, strict) == ("goodput >= 0.99",)
    lost = replace(near, counts=Counts(arrived=10, finished=9, rejected=1))
    assert missed(lost, 1.0, SLO) == ("1 requests unanswered",)
