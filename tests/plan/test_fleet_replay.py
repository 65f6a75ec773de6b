"""A fleet played on its own requests: every request once, misses seen, replicas counted."""

from dataclasses import replace

import numpy as np
import pytest
from fleet_cases import pool
from hypothesis import given, settings
from hypothesis import strategies as st
from perf_cases import deployment

from inferometer.catalog.efficiency import efficiencies
from inferometer.errors import ScenarioError
from inferometer.plan.fleet.classes import RequestClass
from inferometer.plan.fleet.plan import Fleet
from inferometer.plan.fleet.pool import Load
from inferometer.plan.fleet.profile import Offer
from inferometer.plan.fleet.replay import Replay, busiest, dealt_out, part_of, replay
from inferometer.workload.slo import parse_slo
from inferometer.workload.trace import Calls, Prefixes, Trace

SLOT, EACH = 100.0, 120
RANDOM = np.random.default_rng(0)
TRACE = Trace(
    arrival=np.sort(RANDOM.uniform(0, 2 * SLOT, 2 * EACH)),
    input_tokens=RANDOM.integers(200, 900, 2 * EACH),
    output_tokens=RANDOM.integers(20, 60, 2 * EACH),
)
KIND = np.arange(2 * EACH) % 2
NAMES = ("short", "long")
BUILT = replace(deployment("llama-3.1-8b", "h100-sxm"), replicas=1)
OFFERS = [
    Offer(pool=pool(name, 1.0, [2.0, 2.0]), deployment=BUILT, clock=1.0) for name in ("a", "b")
]


def classes(limit: str, headroom: float = 0.0) -> list[RequestClass]:
    slo = parse_slo([f"ttft p99 <= {limit}"], headroom=headroom)
    return [
        RequestClass(
            name=name, slo=slo, inputs=TRACE.input_tokens,
            outputs=TRACE.output_tokens, cached_fraction=0.0,
        )
        for name in NAMES
    ]  # fmt: skip


def load() -> Load:
    mean = np.array([[0.6, 0.7], [0.6, 0.5]])
    return Load(names=NAMES, peak=2 * mean, mean=mean, slot=SLOT)


def fleet(shares: list[list[float]]) -> Fleet:
    """Return one replica of each pool in both slots; shares [pool, class]."""
    each = np.repeat(np.array(shares)[:, :, None], 2, axis=2)
    return Fleet(
        pools=tuple(offer.pool for offer in OFFERS), replicas=np.ones((2, 2), np.int64),
        shares=each, rent=1.0, starting=0.0, power=0.0, energy=None, bound=1.0,
    )  # fmt: skip


def played(limit: str, *slots: int, shares: list[list[float]], headroom: float = 0.0) -> Replay:
    asked = classes(limit, headroom)
    return replay(fleet(shares), OFFERS, load(), asked, (TRACE, KIND), slots, efficiencies())


def test_every_request_of_a_slot_is_played_once() -> None:
    found = played("5 s", 0, 1, shares=[[0.3, 1.0], [0.7, 0.0]])
    assert sum(one.requests for one in found.classes) == 2 * EACH
    assert all(one.kept and one.needed == one.replicas for one in found.classes)
    assert (found.missed, found.extra) == (0, 0)
    assert {(one.pool, one.name) for one in found.classes if one.slot == 1} == {
        ("a", "short"), ("a", "long"), ("b", "short")
    }  # fmt: skip


def test_misses_are_seen_and_priced() -> None:
    kept = played("5 s", 1, shares=[[1.0, 1.0], [0.0, 0.0]])
    tail = max(one.ratio for one in kept.classes) * 5
    missed = played(f"{tail * 0.98 * 1e3:.3f} ms", 1, shares=[[1.0, 1.0], [0.0, 0.0]])
    assert missed.missed > 0
    worst = max(missed.classes, key=lambda one: one.ratio)
    assert worst.ratio > 1
    assert worst.target.startswith("ttft p99")
    assert 0 < worst.beyond < 0.2
    if worst.needed is None:
        assert missed.extra is None
    else:
        more = worst.needed - 1
        assert missed.extra == pytest.approx(more * OFFERS[0].pool.price * SLOT)
    hopeless = played("0.001 ms", 1, shares=[[1.0, 1.0], [0.0, 0.0]])
    assert hopeless.missed == 1
    assert hopeless.extra is None
    assert all(one.needed is None and one.beyond == 1 for one in hopeless.classes)


def test_headroom_stays_free_when_played() -> None:
    shares = [[1.0, 1.0], [0.0, 0.0]]
    tight, roomy = (played(limit, 1, shares=shares, headroom=headroom)
                    for limit, headroom in (("60 ms", 0.0), ("80 ms", 0.25)))  # fmt: skip
    for one, other in zip(tight.classes, roomy.classes, strict=True):
        assert other.ratio == pytest.approx(one.ratio)
        assert (other.beyond, other.kept, other.needed) == (one.beyond, one.kept, one.needed)
        assert other.target == "ttft p99 <= 80 ms"


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), pools=st.integers(1, 4))
def test_classes_are_dealt_out_in_their_shares(seed: int, pools: int) -> None:
    random = np.random.default_rng(seed)
    shares = random.dirichlet(np.ones(pools), 2).T
    kind = random.integers(0, 2, 400)
    places = dealt_out(kind, shares)
    for one in (0, 1):
        count = np.bincount(places[kind == one], minlength=pools)
        assert count.sum() == (kind == one).sum()
        assert np.abs(count - shares[:, one] * count.sum()).max() <= 5  # even, not random


def test_a_part_keeps_prefixes_sessions_and_order() -> None:
    counts = np.array([2, 0, 3, 1])
    offsets = np.append(0, np.cumsum(counts))
    whole = Trace(
        arrival=np.array([0.0, 1.0, 2.0, 3.0]), input_tokens=np.array([40, 8, 50, 20]),
        output_tokens=np.full(4, 5), session=np.array([7, 8, 7, 9]),
        prefixes=Prefixes(hashes=np.arange(6), offsets=offsets, block_size=16),
    )  # fmt: skip
    part = part_of(whole, np.array([1, 2, 3]))
    assert part.arrival.tolist() == [0, 1, 2]
    assert part.session is not None
    assert part.session.tolist() == [8, 7, 9]
    assert part.prefixes is not None
    owned = np.split(part.prefixes.hashes, part.prefixes.offsets[1:-1])
    assert [one.tolist() for one in owned] == [[], [2, 3, 4], [5]]


def test_what_cannot_be_played_is_refused() -> None:
    with pytest.raises(ScenarioError, match="1 to 2 can be played"):
        busiest(load(), 3)
    assert busiest(load(), 2) == (0, 1)
    slower = [replace(OFFERS[0], clock=0.8), OFFERS[1]]
    asked = (fleet([[1.0, 1.0], [0.0, 0.0]]), slower, load(), classes("1 s"), (TRACE, KIND), (0,))
    with pytest.raises(ScenarioError, match="lower clocks"):
        replay(*asked, efficiencies())
    waiting = Calls(
        before=np.array([0]), after=np.array([1]), delay=np.zeros(1),
        dispatched=np.zeros(1, np.bool_), earliest=np.zeros(2 * EACH), task=np.zeros(2 * EACH, int),
    )  # fmt: skip
    agents = (replace(TRACE, calls=waiting), KIND)
    with pytest.raises(ScenarioError, match="wait for each other"):
        replay(*asked[:1], OFFERS, *asked[2:4], agents, (0,), efficiencies())
