"""Claims on reasoning length and on the price of percentiles (claims.md, AC-15 to AC-17)."""

from functools import partial

import pytest
from perf_cases import deployment as deployed
from perf_cases import serve

from inferometer.deployment import Deployment

# ML.ENERGY v3 ran vLLM as it was in 2025.
deployment = partial(deployed, served="vllm-2025")

# ML.ENERGY leaderboard v3, Llama-3.1-70B on 4 H100, chat: ITL p50 and p99 (ms) and J per token, by
# the limit on running sequences.
PUBLISHED = {
    8: (16.57, 21.12, 3.7587),
    16: (17.70, 32.14, 2.0910),
    32: (20.05, 56.29, 1.2069),
    64: (22.43, 90.54, 0.7972),
    96: (25.36, 114.15, 0.6478),
    128: (27.87, 121.34, 0.5634),
    192: (33.70, 161.52, 0.5140),
    256: (39.84, 240.36, 0.4790),
}
P50, P99, JOULES = 0, 1, 2


def eight() -> Deployment:
    return deployment("qwen3-8b")


def test_AC_15_energy_grows_faster_than_tokens() -> None:
    chat, thought = serve(eight(), 32, 120, 647), serve(eight(), 32, 230, 8170)
    ratio = thought.joules_per_token * 8170 / (chat.joules_per_token * 647)
    assert ratio > 1.4 * 8170 / 647  # the context-length term
    assert ratio == pytest.approx(24.5, rel=0.20)


def cheapest(quantile: int, limit_ms: float) -> tuple[int, float]:
    allowed = {n: row[JOULES] for n, row in PUBLISHED.items() if row[quantile] <= limit_ms}
    best = min(allowed, key=lambda n: allowed[n])
    return best, allowed[best]


def test_AC_16_what_the_percentile_costs() -> None:
    at_p50, at_p99 = cheapest(P50, 30), cheapest(P99, 30)
    assert at_p50 == (128, pytest.approx(0.563, abs=5e-4))
    assert at_p99 == (8, pytest.approx(3.759, abs=5e-4))
    assert at_p99[1] / at_p50[1] == pytest.approx(6.7, abs=0.05)


def test_AC_16_the_model_picks_about_the_same_batch() -> None:
    found = {
        n: serve(deployment("llama-3.1-70b", tensor=4), n, 120, 352) for n in (64, 96, 128, 192)
    }
    allowed = [n for n, one in found.items() if one.itl <= 0.030]
    assert max(allowed) in {96, 128}
    assert found[128].joules_per_token == pytest.approx(0.563, rel=0.25)


def test_AC_17_tails_grow_with_the_batch() -> None:
    ratios = [PUBLISHED[n][P99] / PUBLISHED[n][P50] for n in (8, 32, 128, 256)]
    assert ratios == pytest.approx([1.27, 2.81, 4.35, 6.04], abs=0.01)
