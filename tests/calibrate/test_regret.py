"""What choosing by prediction costs: inside one kind of accelerator, in dollars among several."""

import math
from dataclasses import replace

import pytest

from inferometer.calibrate.measurement import Row
from inferometer.calibrate.regret import choices, choices_in_dollars
from inferometer.calibrate.verdict import Verdict

RENT = {"h100-sxm": 2.0, "h200-sxm": 3.0}


def run(key: str, gpu: str, gpus: int, tpot: float, believed: float) -> list[Verdict]:
    """Return verdicts of 8 clients with 100 tokens each; the time to the first is one step."""
    cells = {"isl": "100", "osl": "100", "concurrency_or_rate": "8", "num_gpus": str(gpus)}
    metrics = {"ttft_ms_p50": tpot, "tpot_ms_p50": tpot}
    row = Row(key=key, source="lab", family="llama3", gpu=gpu, model="llama-3.1-8b", cells=cells,
              metrics=metrics, layout="serving")  # fmt: skip
    return [Verdict(row=row, metric=n, measured=v, predicted=believed) for n, v in metrics.items()]


def test_dollars_decide_among_accelerators() -> None:
    """H200 is 1.4 x as fast at 1.5 x the rent: the H100 is right, and 7 % cheaper."""
    both = run("a", "H100-SXM", 1, 14.0, 14.0) + run("b", "H200-SXM", 1, 10.0, 10.0)
    (right,) = (c for c in choices_in_dollars(both, RENT.get) if c.tpot_limit_ms == 15)
    assert (right.chosen, right.best, right.regret) == ("a", "a", 0.0)
    flattered = run("a", "H100-SXM", 1, 14.0, 14.0) + run("b", "H200-SXM", 1, 10.0, 9.0)
    (wrong,) = (c for c in choices_in_dollars(flattered, RENT.get) if c.tpot_limit_ms == 15)
    assert (wrong.chosen, wrong.best, wrong.accelerators) == ("b", "a", 2)
    assert wrong.regret == pytest.approx((3.0 * 10) / (2.0 * 14) - 1)
    assert not choices(flattered)  # one configuration of each kind is no choice inside a kind


def test_what_is_unpriced_cannot_be_chosen() -> None:
    both = run("a", "H100-SXM", 1, 14.0, 14.0) + run("b", "B200-SXM", 1, 5.0, 5.0)
    assert not choices_in_dollars(both, RENT.get)


@pytest.mark.parametrize(("gpus", "rent"), [(0, 2.0), (1, 0.0), (1, math.nan)])
def test_no_accelerators_or_no_rent_are_no_price(gpus: int, rent: float) -> None:
    both = run("a", "H100-SXM", 1, 14.0, 14.0) + run("b", "B200-SXM", gpus, 5.0, 5.0)
    assert not choices_in_dollars(both, (RENT | {"b200-sxm": rent}).get)


def test_inside_one_kind_accelerators_are_the_cost() -> None:
    """Two accelerators at 1.5 x the speed of one cost a third more per token."""
    both = run("one", "H100-SXM", 1, 15.0, 15.0) + run("two", "H100-SXM", 2, 10.0, 7.0)
    (first, *_) = choices(both)
    assert (first.chosen, first.best, first.options) == ("two", "one", 2)
    assert first.regret == pytest.approx(2 * 10 / 15 - 1)
    assert not choices_in_dollars(both, RENT.get)


def test_a_limit_that_only_one_keeps_is_no_choice() -> None:
    both = run("one", "H100-SXM", 1, 20.0, 20.0) + run("two", "H100-SXM", 2, 10.0, 10.0)
    assert {choice.tpot_limit_ms for choice in choices(both)} == {30.0, 60.0}


def test_an_engine_that_lets_its_clients_wait_keeps_no_limit() -> None:
    """The cheapest by far, but its first tokens come after 24 s."""
    waiting = run("waits", "H100-SXM", 1, 5.0, 5.0)
    waiting = [replace(v, measured=24e3) if v.metric == "ttft_ms_p50" else v for v in waiting]
    both = run("one", "H100-SXM", 1, 14.0, 14.0) + run("two", "H100-SXM", 2, 13.0, 13.0) + waiting
    assert {choice.best for choice in choices(both)} == {"one"}


def test_measured_throughput_goes_before_the_loops() -> None:
    rated = run("rated", "H100-SXM", 1, 10.0, 10.0)
    rated.append(replace(rated[0], metric="tokens_per_s", measured=100.0, predicted=100.0))
    both = rated + run("looped", "H100-SXM", 1, 14.0, 14.0)  # 8 clients at 14 ms: 571 tokens/s
    assert {choice.best for choice in choices(both)} == {"looped"}


def test_pools_without_a_measured_throughput_are_left_out() -> None:
    split = run("split", "H100-SXM", 1, 10.0, 10.0)
    cells = {**split[0].row.cells, "disagg": "1"}
    split = [replace(v, row=replace(v.row, cells=cells)) for v in split]
    assert not choices(split + run("one", "H100-SXM", 1, 14.0, 14.0))


def test_a_believed_miss_is_strict_regret_alone() -> None:
    """Both keep 15 ms; the model picks the better one, but would not have dared to."""
    both = run("timid", "H100-SXM", 2, 12.0, 12.0) + run("bold", "H100-SXM", 1, 14.0, 16.0)
    (first, *_) = choices(both)
    assert (first.chosen, first.regret) == ("bold", 0.0)
    assert first.strict_regret == pytest.approx(2 * 12 / 14 - 1)
