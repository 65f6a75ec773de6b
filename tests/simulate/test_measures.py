"""What a run amounts to: gaps, energy, goodput."""

from dataclasses import replace

import numpy as np
import pytest
from simulate_cases import deployment, trace

from inferometer.candidates import one
from inferometer.catalog.efficiency import efficiencies
from inferometer.errors import InfeasibleError, LedgerError, ScenarioError
from inferometer.outcome import Outcome
from inferometer.perf.predict import predict
from inferometer.simulate import measures
from inferometer.simulate.play import Play
from inferometer.simulate.records import conserved
from inferometer.simulate.simulation import Simulation, simulate
from inferometer.simulate.tally import BUCKETS, bucket
from inferometer.workload.shape import shape_of
from inferometer.workload.slo import Slo, parse_target
from inferometer.workload.trace import Trace

STEADY = trace(0, 400, 20.0)


def played(*, chunked: bool = True, requests: Trace = STEADY, sequences: int = 16) -> Simulation:
    built = deployment(sequences=sequences, budget=1024, chunked=chunked)
    return simulate(requests, built, efficiencies=efficiencies())


def predicted(run: Simulation) -> Outcome:
    return predict(one(run.deployment), shape_of(STEADY), efficiencies=efficiencies()).outcome(0)


@pytest.mark.parametrize("chunked", [True, False])
def test_gaps_add_up_to_the_time_between_first_and_last_tokens(*, chunked: bool) -> None:
    run = played(chunked=chunked)
    records = run.records
    decode = (records.finished - records.first_token).sum()
    found = measures.gap_quantiles(run).mean * run.gaps.sum()
    assert found == pytest.approx(decode, rel=0.005)


def test_buckets_are_a_percent_wide() -> None:
    places = [bucket(duration) for duration in np.geomspace(1e-5, 1e4, 500)]
    assert places == sorted(places)
    assert places[-1] < BUCKETS
    assert bucket(0.02) - bucket(0.01) == pytest.approx(np.log(2) / 0.01, abs=1)
    assert bucket(1e-9) == 0


def test_power_lies_between_idle_and_the_limit() -> None:
    run = played()
    outcome = measures.outcome(run, predicted(run))
    chip = run.deployment.accelerator
    assert chip.idle_power < outcome.power < chip.tdp
    assert outcome.energy.idle == pytest.approx(chip.idle_power * run.end)


def test_goodput_counts_requests_that_meet_every_target() -> None:
    run = played()
    first = measures.ttft(run)
    limit = float(np.quantile(first, 0.6))
    slo = Slo(targets=(parse_target(f"ttft p50 <= {limit} s"),))
    outcome = measures.outcome(run, predicted(run), slo)
    assert outcome.goodput / outcome.request_rate == pytest.approx(0.6, abs=0.01)


def test_a_run_without_answers_has_no_latency() -> None:
    run = played(requests=replace(STEADY, input_tokens=STEADY.input_tokens + 10**6))
    assert run.counts.rejected == run.counts.arrived == len(STEADY)
    assert np.isnan(measures.quantiles(measures.ttft(run)).p99)
    assert np.isnan(measures.gap_quantiles(run).mean)


def test_lost_requests_are_noticed() -> None:
    run = played()
    assert conserved(run.records, 0) == run.counts
    with pytest.raises(LedgerError, match="lost"):
        conserved(run.records, 1)
    for name, value in (("status", 0), ("admitted", 1e9), ("asked", 1e9)):
        column = getattr(run.records, name).copy()
        column[3] = value
        with pytest.raises(LedgerError):
            conserved(replace(run.records, **{name: column}), 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"router": "best"},
        {"clients": -1},
        {"horizon": float("nan")},
        {"think": -1.0},
        {"interval": -1.0},
    ],
)
def test_bad_ways_to_play_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ScenarioError, match=next(iter(wrong))):
        Play(**wrong)  # type: ignore[arg-type]


def test_what_the_loop_cannot_play_is_refused() -> None:
    with pytest.raises(ScenarioError, match="sessions"):
        simulate(replace(STEADY, session=None), deployment(), efficiencies=efficiencies(),
                 play=Play(think=1.0))  # fmt: skip
    with pytest.raises(ScenarioError, match="max_batched_tokens"):
        simulate(STEADY, deployment(sequences=300, budget=256), efficiencies=efficiencies())
    with pytest.raises(InfeasibleError, match="KV cache"):
        simulate(STEADY, deployment(fraction=0.1), efficiencies=efficiencies())
