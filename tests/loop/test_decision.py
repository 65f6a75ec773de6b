"""What is measured, what is kept and how it is told, on candidates made by hand."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from inferometer.errors import InfeasibleError, ScenarioError
from inferometer.loop import story
from inferometer.loop.machine import Machine
from inferometer.loop.optimise import Findings, Task, decision, promising
from inferometer.loop.quality import Quality
from inferometer.loop.setting import Setting
from inferometer.loop.summary import Summary
from inferometer.loop.trial import Bed
from inferometer.loop.walk import Bound, Candidate
from inferometer.outcome import Latency
from inferometer.workload.slo import Slo, parse_slo
from inferometer.workload.spec import LengthSpec, WorkloadSpec
from inferometer.workload.synthesis import synthesise

MACHINE = Machine(
    name="test", cores=2, clock=2e9, memory=16e9, bandwidth=32e9, draw=16.0, cost=4e-5
)
BED = Bed(shipped=Path("m.gguf"), machine=MACHINE, folder=Path(), say=lambda _: None)
QUALITY = Quality(perplexity=20.0, ratio=0.999, ratio_low=0.99, ratio_high=1.01, divergence=0.005,
                  same_top=0.9, outside=0.021, positions=192)  # fmt: skip


def _flat(value: float) -> Latency:
    return Latency(mean=value, p50=value, p90=value, p99=value)


def _summary(rate: float, *, ttft: float = 1.0, tpot: float = 0.04) -> Summary:
    """Return a run of 32 tokens in and 8 out, `rate` requests a second."""
    return Summary(
        loop="closed", clients=4, rate=0.0, requests=32, failed=0, steady=True, span=30.0,
        input_tokens=32.0, output_tokens=8.0, cached=0.0, request_rate=rate, output_rate=8 * rate,
        ttft=_flat(ttft), tpot=_flat(tpot), itl=_flat(tpot), e2e=_flat(ttft + 7 * tpot), late=0.0,
        processor=0.04, joules=None, power=None, energy_label="not measured",
    )  # fmt: skip


def _candidate(slots: int, predicted: Summary | None, *runs: Summary) -> Candidate:
    setting = Setting(slots=slots)
    return Candidate(setting=setting, quality=QUALITY, predicted=predicted, runs=list(runs))


def _task(slo: Sequence[str] = (), *, measured: int = 3) -> Task:
    lengths = LengthSpec(profile="azure-2023-conv")
    trace = synthesise(WorkloadSpec(rate=1.0, requests=4, lengths=lengths))
    return Task(trace=trace, text="", slo=parse_slo(slo), measured=measured)


def _found(task: Task, *walk: Candidate) -> Findings:
    return decision(walk, walk, None, task, BED)


def _shipped() -> Candidate:
    return _candidate(4, _summary(1.0), *[_summary(1.0)] * 3)


def test_the_cheapest_that_surely_saves_is_kept() -> None:
    best = _candidate(8, _summary(1.6), *map(_summary, (2.0, 2.02, 1.98)))
    less = _candidate(6, _summary(1.4), *map(_summary, (1.25, 1.26, 1.24)))
    found = _found(_task(), _shipped(), less, best)
    assert found.best is best
    assert found.saved.mean == pytest.approx(0.5, abs=1e-3)
    assert 0 < found.saved.low < found.saved.mean < found.saved.high
    assert found.predicted == pytest.approx(1 - 1 / 1.6)
    assert less.dropped == "saves less: 20.0%"
    assert not best.dropped


def test_what_may_not_pay_is_not_kept() -> None:
    """Twice it saves and once it loses: the mean is a saving, the interval is not."""
    maybe = _candidate(8, _summary(1.6), *map(_summary, (1.5, 0.9, 1.6)))
    found = _found(_task(), shipped := _shipped(), maybe)
    assert found.best is shipped
    assert (found.predicted, found.saved.mean) == (0.0, 0.0)
    assert maybe.dropped.startswith("may not pay: saving 2")
    assert "nothing surely pays" in story.headline(found)
    assert story.verdict(shipped, found) == "kept: nothing surely pays"


def test_what_misses_the_slo_as_measured_is_not_kept_however_cheap() -> None:
    slow = _candidate(16, _summary(2.0), *[_summary(3.0, tpot=0.30)] * 3)
    found = _found(_task(["tpot p50 <= 250 ms"]), shipped := _shipped(), slow)
    assert found.best is shipped
    assert slow.dropped == "SLO as measured: tpot p50 <= 250 ms: 300 ms"
    late = _candidate(4, _summary(1.0), *[_summary(1.0, tpot=0.26)] * 3)
    with pytest.raises(InfeasibleError, match=r"shipped: tpot p50 <= 250 ms: 260 ms"):
        _found(_task(["tpot p50 <= 250 ms"]), late, slow)


def test_only_what_is_predicted_to_pay_within_the_slo_is_measured() -> None:
    shipped, best, next_ = (_candidate(n, _summary(r)) for n, r in ((4, 1.0), (8, 2.0), (6, 1.5)))
    third, dearer = _candidate(5, _summary(1.2)), _candidate(2, _summary(0.8))
    slow = _candidate(16, _summary(3.0, tpot=0.3))
    lossy = Candidate(setting=Setting(weights="q4_0"), dropped="quality: lost")
    walk = (shipped, third, dearer, slow, lossy, next_, best)
    assert promising(walk, _task(["tpot p50 <= 250 ms"], measured=2), BED) == [shipped, best, next_]
    assert dearer.dropped == "does not pay as predicted: -25.0%"
    assert slow.dropped == "SLO as predicted: tpot p50 <= 250 ms: 300 ms"
    assert third.dropped == "not measured: 2 are predicted to pay more"
    assert lossy.dropped == "quality: lost"


def test_targets_that_are_not_judged_are_refused() -> None:
    with pytest.raises(ScenarioError, match="goodput target is not judged"):
        _task(["ttft p99 <= 2 s", "goodput >= 0.99"])
    for wrong in (float("nan"), 0.0, -1.0):
        with pytest.raises(ScenarioError, match="bound is"):
            Bound(ratio=wrong)
    assert _task().slo == Slo()


def _told() -> Findings:
    """Return a saving whose prompts were 0.4 s faster and whose 7 gaps 0.1 s slower, as predicted.

    In shares it is the other way round: the gaps are off by 1.25 times, the prompts by 0.8.
    """
    ahead, seen = _summary(1.5, ttft=2.0, tpot=0.04), _summary(1.6, ttft=1.6, tpot=0.052)
    best = _candidate(8, ahead, *[seen] * 3)
    return _found(_task(), _shipped(), best)


def test_the_difference_is_told_in_seconds_of_a_request() -> None:
    said = story.difference(_told())
    assert said.startswith("Predicted 33.3%, measured 37.5%: the shipped setting reached 1.00 x")
    kept = said.split("the kept setting ")[1]
    assert "TPOT 1.30 x and TTFT 0.80 x" in kept
    assert "-0.4 s to a request's first token, +0.084 s from there to its last" in kept
    assert kept.endswith("so prompts (TTFT) were off by more.")


def test_the_headline_says_what_is_not_in_the_figure() -> None:
    said = story.headline(_told())
    assert said.startswith("measured saving: 37.5% of $/Mtok (95 % interval 37.5% to 37.5%")
    assert "perplexity 0.999 x the reference (from listed probabilities; 2.1% of places" in said
    assert "bound" not in said


def test_rows_hold_every_candidate_and_every_run() -> None:
    found = _told()
    theory = Candidate(setting=Setting(weights="f16", slots=1), runs=[_summary(0.8)] * 3)
    whole = replace(found, theory=theory)
    rows = story.settings_rows(whole, MACHINE.cost)
    assert [row["what became of it"] for row in rows] == [
        "as shipped", "kept", "theory check only",
    ]  # fmt: skip
    assert rows[1]["measured $/Mtok"] == pytest.approx(4e-5 / (1.6 * 40) * 1e6)
    assert rows[2]["predicted $/Mtok"] is None
    runs = story.run_rows(whole, MACHINE.cost)
    assert [row["round"] for row in runs] == [1, 2, 3] * 3
    errors = story.error_rows(found)
    assert len(errors) == 6
    assert errors[-1]["TPOT, predicted / measured - 1"] == pytest.approx(0.04 / 0.052 - 1)
    assert errors[-1]["mean TPOT, predicted / measured - 1"] == pytest.approx(0.04 / 0.052 - 1)
    assert "costs 2.00 x" in story.theory_line(whole, MACHINE.cost)
    assert story.theory_line(found, MACHINE.cost) == ""
    assert story.energy_line(found).count("not measured (not measured)") == 2
