"""What the planner's exact replica counts rest on: the closed form gains from every replica."""

from dataclasses import replace
from functools import partial

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_cases import choices, model, shape, slo, supply

from inferometer.catalog.efficiency import efficiencies
from inferometer.perf.predict import predict
from inferometer.plan.replicas import meets, size, with_replicas
from inferometer.plan.space import build

MOST = 24


@given(
    load=st.floats(0.5, 100.0),
    burstiness=st.floats(0.05, 20.0),
    first=st.floats(0.05, 5.0),
    token=st.floats(0.005, 0.1),
    share=st.sampled_from((None, 0.5, 0.9, 0.95, 0.99)),
    headroom=st.sampled_from((0.0, 0.2)),
)
@settings(max_examples=25, deadline=None)
def test_a_count_that_serves_is_followed_by_counts_that_serve(
    load: float, burstiness: float, first: float, token: float, share: float | None, headroom: float
) -> None:
    which = model()
    limits = replace(
        slo(f"ttft p99 <= {first}s", f"tpot p99 <= {token}s"), goodput=share, headroom=headroom
    )
    offers = [supply("h100-sxm", available=512), supply("l40s", available=512)]
    candidates = build(which, offers, choices(which)).candidates
    work, evaluate = (
        shape(load, burstiness=burstiness),
        partial(predict, efficiencies=efficiencies()),
    )
    counts = range(1, MOST + 1)
    ones = np.ones(len(candidates), np.int64)
    served = np.array([
        meets(evaluate(with_replicas(candidates, count * ones), work), limits) for count in counts
    ])  # fmt: skip
    assert (np.diff(served.astype(int), axis=0) >= 0).all()
    smallest = np.where(served.any(axis=0), served.argmax(axis=0) + 1, 0)
    found = size(candidates, MOST * ones, work, limits, evaluate).replicas
    np.testing.assert_array_equal(found, smallest)
