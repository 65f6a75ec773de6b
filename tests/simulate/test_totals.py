"""Quantiles by tenant and class, from buckets."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulate_cases import deployment, trace

from inferometer.catalog.efficiency import efficiencies
from inferometer.deployment import Speculation
from inferometer.simulate import measures
from inferometer.simulate.groups import MOST, OTHERS, groups_of, members
from inferometer.simulate.histogram import at_level, buckets, quantiles_of
from inferometer.simulate.serving import NOTHING, Serving, priorities
from inferometer.simulate.simulation import Simulation, simulate
from inferometer.simulate.tally import BUCKETS, bucket
from inferometer.simulate.totals import tails
from inferometer.workload.slo import Slo, parse_target
from inferometer.workload.trace import Trace


@given(st.lists(st.floats(2e-6, 4e5), min_size=1, max_size=60), st.sampled_from([0.5, 0.9, 0.999]))
@settings(deadline=None)
def test_quantiles_are_within_half_a_percent(values: list[float], level: float) -> None:
    column = np.array(values)
    counts = np.bincount(buckets(column), minlength=BUCKETS)
    exact = np.sort(column)[int(np.ceil(level * len(values))) - 1]
    assert at_level(counts, level) == pytest.approx(exact, rel=0.00502)


@given(st.floats(0, 1e7))
def test_a_column_falls_into_the_buckets_of_the_loop(value: float) -> None:
    assert buckets(np.array([value]))[0] == bucket(value)


def test_nothing_has_no_quantiles() -> None:
    found = quantiles_of(np.zeros(BUCKETS, np.int64))
    assert found.count == 0
    assert np.isnan([found.mean, found.p50, found.p999]).all()


def shared(seed: int = 0, size: int = 200) -> Trace:
    names = np.random.default_rng(seed).choice(["chat", "night", "tools"], size, p=[0.5, 0.3, 0.2])
    return replace(trace(seed, size, 60.0), tenant=names)


def played(requests: Trace) -> Simulation:
    serving = Serving(batch_tenants=("night",))
    return simulate(
        requests, deployment(sequences=16), efficiencies=efficiencies(), serving=serving
    )


def test_tails_by_tenant_are_those_of_the_tenants_requests() -> None:
    requests = shared()
    run = played(requests)
    slo = Slo(targets=(parse_target("ttft p50 <= 300 ms"),))
    found = {one.tenant: one for one in tails(measures.totals_of(run, slo), run.gaps)[1:]}
    first, whole = measures.ttft(run), measures.e2e(run)
    for name in ("chat", "night", "tools"):
        mine = np.array(requests.tenant) == name
        one = found[name]
        assert one.requests == mine.sum()
        assert one.priority == ("batch" if name == "night" else "interactive")
        assert one.missed == pytest.approx((first[mine] > 0.3).mean())
        for known, values in ((one.ttft, first[mine]), (one.e2e, whole[mine])):
            assert known.mean == pytest.approx(values.mean())
            assert known.p999 == pytest.approx(values.max(), rel=0.006)
            middle = np.sort(values)[int(np.ceil(len(values) / 2)) - 1]
            assert known.p50 == pytest.approx(middle, rel=0.006)


@pytest.mark.parametrize("drafts", [0, 3])
def test_gaps_of_a_tenant_add_up_to_its_decoding(drafts: int) -> None:
    requests = shared()
    built = deployment(sequences=16)
    if drafts:
        built = replace(built, speculation=Speculation(draft_tokens=drafts, acceptance=0.7))
    run = simulate(requests, built, efficiencies=efficiencies())
    records = run.records
    for name, place in groups_of(requests, NOTHING).listed.items():
        mine = np.array(requests.tenant) == name
        assert run.gaps[place].sum() == (records.output[mine] - 1).sum()
        decode = (records.finished - records.first_token)[mine].sum()
        found = quantiles_of(run.gaps[place])
        assert found.mean * found.count == pytest.approx(decode, rel=0.01)


def test_classes_are_told_apart() -> None:
    run = played(shared())
    found = tails(measures.totals_of(run, Slo()), run.gaps)
    by_class = {one.priority: one for one in found if one.tenant == "all"}
    assert by_class.keys() == {"all", "interactive", "batch"}
    assert by_class["batch"].ttft.p99 > by_class["interactive"].ttft.p99
    assert by_class["all"].requests == sum(
        by_class[kind].requests for kind in ("interactive", "batch")
    )


def test_small_tenants_share_a_row_by_class() -> None:
    names = np.array([f"t{place}" for place in range(MOST + 3)] * 2 + ["t0"])
    requests = replace(trace(0, len(names), 10.0), tenant=names)
    serving = Serving(batch_tenants=("t9",))  # the last by name of those with two requests
    groups = groups_of(requests, serving)
    rows = members(groups, requests, priorities(serving, requests))
    assert groups.names[0] == "t0"
    assert groups.names[-2:] == (OTHERS, OTHERS)
    assert (np.bincount(rows) > 0).all()
    assert len(np.bincount(rows)) == len(groups) == MOST + 2
    assert set(names[rows == MOST + 1]) == {"t9"}
    assert (rows[names == "t0"] == 0).all()
