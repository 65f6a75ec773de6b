"""Risk: errors of predictions, turned into the probability that a deployment keeps its SLO."""

import datetime as dt
import math
from dataclasses import replace

import pytest
from plan_cases import choices, evaluator, model, shape, slo, supply

from inferometer.candidates import table
from inferometer.catalog.source import Source
from inferometer.catalog.uncertainty import Basis, Residual, Spread, novelty_of
from inferometer.errors import ScenarioError
from inferometer.perf.prediction import Depth
from inferometer.plan.replicas import meets
from inferometer.plan.risk import LEVELS, Doubt, Risk, at, doubts_of, probabilities
from inferometer.plan.search import search
from inferometer.plan.space import Space, build

SURE, WIDE = Spread(1.0, 1.0 + 1e-12), Spread(0.5, 2.0)
KEYS = ("h100-sxm", "l40s", "a100-sxm-80gb")
LIMITS = ("ttft p99 <= 2 s", "tpot p99 <= 12 ms")


def doubt(spread: Spread, novelty: str = "known") -> Doubt:
    each = dict.fromkeys(("rate", "ttft", "tpot", "itl", "e2e", "power"), spread)
    return Doubt(novelty=novelty, **each)


def space() -> Space:
    return build(model(), tuple(supply(key) for key in KEYS), choices(model()))


def test_a_spread_is_log_normal_through_its_percentiles() -> None:
    found = Spread(0.6, 1.5)
    assert found.quantile(0.1) == pytest.approx(0.6)
    assert found.quantile(0.9) == pytest.approx(1.5)
    assert found.quantile(0.5) == pytest.approx(math.sqrt(0.6 * 1.5))
    assert found.quantile(0.97) > 1.5


def test_without_error_reality_is_the_prediction() -> None:
    built, load = space(), shape()
    plain = evaluator()(built.candidates, load)
    same = at(evaluator(), dict.fromkeys(KEYS, doubt(SURE)), 0.9)(built.candidates, load)
    for name in ("ttft", "tpot", "itl", "e2e", "capacity", "utilisation"):
        assert getattr(same, name) == pytest.approx(getattr(plain, name), rel=1e-9, nan_ok=True)


def test_every_accelerator_has_its_own_error() -> None:
    built, load = space(), shape()
    mixed = {key: doubt(WIDE if key == "l40s" else SURE) for key in KEYS}
    found = at(evaluator(), mixed, 0.9)(built.candidates, load)
    plain = evaluator()(built.candidates, load)
    keys = [chip.key for chip in built.candidates.accelerators]
    slow = built.candidates.accelerator == keys.index("l40s")
    ratio = found.capacity / plain.capacity
    assert ratio[slow & plain.fits] == pytest.approx(0.5)
    assert ratio[~slow & plain.fits] == pytest.approx(1.0)


def test_a_slower_reality_is_a_heavier_load_on_the_same_clock() -> None:
    built, load = space(), shape(5.0)
    found = at(evaluator(), dict.fromkeys(KEYS, doubt(WIDE)), 0.9)(built.candidates, load)
    heavier = replace(load, rate=10.0, peak_rate=15.0, series=load.series * 2)
    expected = evaluator()(built.candidates, heavier)
    assert found.tpot == pytest.approx(2 * expected.tpot, nan_ok=True)
    assert found.utilisation == pytest.approx(expected.utilisation, nan_ok=True)


@pytest.mark.parametrize("confidence", [0.6, 0.8, 0.95])
def test_a_plan_with_confidence_keeps_its_slo_with_that_probability(confidence: float) -> None:
    doubts = dict.fromkeys(KEYS, doubt(WIDE))
    plain = search(space(), shape(), slo(*LIMITS), evaluator(), risk=Risk(doubts=doubts))
    sure = search(
        space(), shape(), slo(*LIMITS), evaluator(),
        risk=Risk(doubts=doubts, confidence=confidence),
    )  # fmt: skip
    assert plain.best.cost is not None
    assert sure.best.cost is not None
    assert plain.best.cost <= sure.best.cost
    for option in (*sure.alternatives, *sure.front, *sure.curves):
        assert option.probability is not None
        assert option.probability >= confidence - 0.021  # the grid's step
    assert sure.confidence == confidence
    assert any("probability" in line for line in sure.why)


def test_options_are_shown_as_predicted_whatever_the_confidence() -> None:
    risk = Risk(doubts=dict.fromkeys(KEYS, doubt(WIDE)), confidence=0.9)
    best = search(space(), shape(), slo(*LIMITS), evaluator(), risk=risk).best
    assert best.outcome.tpot.p99 < 0.012 / 1.9  # the limit over the error that it must survive


def test_probability_is_the_largest_share_that_still_holds() -> None:
    load, goal = shape(), slo(*LIMITS)
    doubts = dict.fromkeys(KEYS, doubt(WIDE))
    plan = search(space(), load, goal, evaluator(), risk=Risk(doubts=doubts))
    deployments = [option.deployment for option in plan.alternatives]
    found = probabilities(deployments, load, goal, evaluator(), doubts)
    for option, share in zip(plan.alternatives, found, strict=True):
        assert option.probability == pytest.approx(share)
        one = table([option.deployment])
        holds = [
            bool(meets(at(evaluator(), doubts, c)(one, load, depth=Depth.LATENCY), goal)[0])
            for c in LEVELS
        ]
        assert holds == sorted(holds, reverse=True)  # what holds holds for every milder outcome
        assert share == pytest.approx(max([c for c, h in zip(LEVELS, holds, strict=True) if h]))


def test_more_replicas_are_never_less_probable_to_serve() -> None:
    load, goal = shape(), slo(*LIMITS)
    doubts = dict.fromkeys(KEYS, doubt(WIDE))
    best = search(space(), load, goal, evaluator()).best.deployment
    more = [replace(best, replicas=best.replicas + n) for n in range(4)]
    found = probabilities(more, load, goal, evaluator(), doubts).tolist()
    assert found == sorted(found)
    assert found[0] < found[-1]


@pytest.mark.parametrize("confidence", [0.0, 1.0, 1.2, -0.1])
def test_a_confidence_beyond_what_errors_tell_is_refused(confidence: float) -> None:
    with pytest.raises(ScenarioError, match="confidence is"):
        Risk(doubts={}, confidence=confidence)


def test_doubts_follow_what_the_fit_had_seen() -> None:
    source = Source(source="test", as_of=dt.date(2026, 1, 1))
    rests = Basis(
        key="fit", families=("llama3",), architectures=("llama",), accelerators=("h100-sxm",),
        laboratories=("lab",), sources={"": source},
    )  # fmt: skip
    widths = {
        f"{what}.any.{novelty}": Residual(
            key=f"{what}.any.{novelty}", low=1 / width, high=width, rows=50
        )
        for what in ("rate", "ttft", "tpot", "itl", "e2e", "power")
        for novelty, width in (("known", 1.2), ("new-accelerator", 1.5), ("new-both", 2.0))
    }
    found = doubts_of(widths, rests, "llama", ("h100-sxm", "l40s"))
    assert (found["h100-sxm"].novelty, found["h100-sxm"].tpot.high) == ("known", 1.2)
    assert (found["l40s"].novelty, found["l40s"].rate.low) == ("new-accelerator", 1 / 1.5)
    assert novelty_of(rests, "gemma2", "l40s") == "new-both"
    assert novelty_of(rests, "llama3", "h100-sxm") == "known"
