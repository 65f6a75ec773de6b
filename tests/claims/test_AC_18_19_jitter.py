"""AC-18: what chunked prefill does to the tails; AC-19: what preemption does."""

from dataclasses import replace

import numpy as np
from simulate_cases import deployment

from inferometer.candidates import one
from inferometer.catalog.efficiency import efficiencies
from inferometer.catalog.models import model
from inferometer.deployment import Deployment
from inferometer.outcome import Outcome
from inferometer.perf.predict import predict
from inferometer.simulate import measures
from inferometer.simulate.simulation import Simulation, simulate
from inferometer.workload.shape import shape_of
from inferometer.workload.slo import Slo, parse_target
from inferometer.workload.trace import Trace


def requests(rate: float, *, size: int = 1500, prompt: int = 4000) -> Trace:
    random = np.random.default_rng(0)
    return Trace(
        arrival=np.cumsum(random.exponential(1 / rate, size)),
        input_tokens=random.integers(50, prompt, size),
        output_tokens=random.integers(50, 400, size),
    )


def played(built: Deployment, trace: Trace, slo: Slo | None = None) -> tuple[Simulation, Outcome]:
    run = simulate(trace, built, efficiencies=efficiencies())
    predicted = predict(one(built), shape_of(trace), efficiencies=efficiencies()).outcome(0)
    return run, measures.outcome(run, predicted, slo)


def llama(*, chunked: bool, budget: int) -> Deployment:
    built = deployment(sequences=128, budget=budget, chunked=chunked)
    return replace(built, model=model("llama-3.1-8b"))


def test_AC_18_chunked_prefill() -> None:
    """P99 ITL falls, TTFT rises slightly, capacity at the P99 SLO rises 1.5 to 4 times."""
    whole, cut = llama(chunked=False, budget=8192), llama(chunked=True, budget=512)
    off, on = (played(built, requests(6.0))[1] for built in (whole, cut))
    assert on.itl.p99 < 0.6 * off.itl.p99
    assert off.ttft.p50 < on.ttft.p50 < 2 * off.ttft.p50
    gain = capacity(cut) / capacity(whole)
    assert 1.5 <= gain <= 4


def capacity(built: Deployment) -> float:
    """Return the highest rate at which gaps meet Sarathi-Serve's strict target for 7B models."""
    low, high = 0.1, 64.0
    while high / low > 1.05:
        middle = (low * high) ** 0.5
        outcome = played(built, requests(middle, size=600))[1]
        met = outcome.itl.p99 <= 0.1 and outcome.ttft.p99 <= 2.0
        low, high = (middle, high) if met else (low, middle)
    return low


def test_AC_19_preemption_is_reported_as_missed_targets() -> None:
    # 12 requests/s: more than the small cache sustains, less than the large one does.
    slo, trace = Slo(targets=(parse_target("e2e p99 <= 4 s"),)), requests(12.0, prompt=1000)
    roomy, tight = (
        deployment(sequences=128, budget=2048, fraction=fraction) for fraction in (0.9, 0.24)
    )
    (free, good), (short, bad) = (played(built, trace, slo) for built in (roomy, tight))
    assert free.sums["preemptions"] == 0 < short.sums["preemptions"]
    assert bad.e2e.p99 > good.e2e.p99
    assert bad.goodput / bad.request_rate < good.goodput / good.request_rate
