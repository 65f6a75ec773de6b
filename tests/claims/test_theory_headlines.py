"""Headline numbers of "Inference economics of language models" (arXiv 2506.04645)."""

import csv
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from inferometer.perf.theory.architecture import architecture
from inferometer.perf.theory.chip import Chip, chip
from inferometer.perf.theory.exponents import bandwidth_sweep, latency_sweep, least_full, size_sweep
from inferometer.perf.theory.search import (
    Points,
    cheapest_within,
    evaluate,
    fastest_at,
    frontier,
    grid,
    preferred,
)
from inferometer.perf.theory.speculation import Rule, Speculation, latency_of
from inferometer.perf.theory.step import Question
from inferometer.perf.theory.toy import fastest

H100 = chip("H100")
MODELS = {
    "Mixtral 8x22B 16-bit": "mixtral-8x22b",
    "Llama 3 70B 8-bit": "llama3-70b-w8",
    "Llama 3.1 405B 8-bit": "llama3.1-405b-w8",
    "GPT-4 16-bit (speculative arch)": "gpt-4-spec",
    "DeepSeek-V3 8-bit": "deepseek-v3-proxy",
    "Llama 3 70B 16-bit": "llama3-70b",
    "Llama 3 70B 16-bit (S)": "llama3-70b",
    "Llama 3.1 405B 16-bit": "llama3.1-405b",
    "Llama 3.1 405B 16-bit (S)": "llama3.1-405b",
    "Llama 3 70B 4-bit weights": "llama3-70b-w4",
    "Llama 3 70B 8-bit weights": "llama3-70b-w8",
    "Llama 3 70B 16-bit weights": "llama3-70b",
}


@pytest.mark.parametrize(
    ("model", "speed", "chips"),
    [
        ("llama3-8b", 966.0, 11),
        ("llama3-70b", 234.3, 26),
        ("gpt-3", 148.4, 42),
        ("palm-540b", 86.0, 79),
        ("gpt-4-spec", 55.7, 173),
    ],
)
def test_table_1(model: str, speed: float, chips: int) -> None:
    best = fastest(architecture(model), H100)
    assert 1 / best.latency == pytest.approx(speed, abs=0.05)
    assert round(best.chips) == chips


SIZES = [
    ("toy", [0.544, 0.594, 0.398, 1.0]),
    ("toy with base latency", [0.447, 0.509, 0.259, 1.0]),
    ("full", [0.453, 0.518, 0.263, 1.0]),
]


@pytest.mark.parametrize(("function", "slopes"), SIZES)
def test_size_exponents(function: str, slopes: list[float]) -> None:
    model = architecture("llama3-70b")
    ours = [size_sweep(model, H100, depth, function).slope for depth in (1 / 4, 1 / 3, 0, 1)]
    assert ours == pytest.approx(slopes, abs=0.02)


BANDWIDTHS = [
    ("toy", [-0.437, -0.394, -0.370]),
    ("toy with base latency", [-0.230, -0.257, -0.279]),
    ("full", [-0.300, -0.294, -0.235]),
]
LLAMAS = [architecture(name) for name in ("llama3-8b", "llama3-70b", "llama3.1-405b")]


@pytest.mark.parametrize(("function", "slopes"), BANDWIDTHS)
def test_bandwidth_exponents(function: str, slopes: list[float]) -> None:
    ours = [bandwidth_sweep(model, H100, function).slope for model in LLAMAS]
    assert ours == pytest.approx(slopes, abs=0.02)


def test_latency_exponents() -> None:
    ours = [latency_sweep(model, H100).slope for model in LLAMAS]
    assert ours == pytest.approx([0.698, 0.702, 0.758], abs=0.02)


def test_doubled_bandwidth_cuts_latency_by_a_fifth_at_most() -> None:
    double = dataclasses.replace(H100, memory_bandwidth=2 * H100.memory_bandwidth)
    least = least_full()
    cuts = [1 - least(model, double) / least(model, H100) for model in LLAMAS]
    assert cuts == pytest.approx([0.169, 0.203, 0.145], abs=0.01)


def searched(row: dict[str, str]) -> Points:
    """Return the frontier on the 170 x 110 grid that the table was made with."""
    on_chip = row["row"].removesuffix(" SXM") if row["table"] == "4" else "H100"
    model = "llama3-70b-w8" if row["table"] == "4" else MODELS[row["row"]]
    caps = {
        "arithmetic_cap": float(row["notebook_arith_cap"]),
        "memory_cap": float(row["notebook_mem_cap"]),
    }
    question = Question(model=architecture(model), chip=dataclasses.replace(chip(on_chip), **caps))
    latency = latency_of(question, speculation(row["spec_rule"]))
    model_bytes = question.model.weight_bytes * question.model.parameters
    wide = np.geomspace(model_bytes / question.chip.memory, 2.0**10, 170)
    high = np.geomspace(1, 2.0**13, 110)
    chips, batch = np.meshgrid(wide, high)
    return evaluate(question, latency, chips.ravel(), batch.ravel())


def speculation(rule: str) -> Speculation | None:
    if rule == "none":
        return None
    which = Rule.NOTEBOOK if "g+1" in rule else Rule.PAPER
    return Speculation(draft=architecture("llama3-8b"), acceptance=0.8, longest=8, rule=which)


def table_rows(data: Path) -> list[dict[str, str]]:
    with (data / "theory/paper_tables.csv").open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["table"] != "1"]


def test_tables_2_to_6(data: Path) -> None:
    rows = table_rows(data)
    assert len(rows) == 64
    for row in rows:
        points = searched(row)
        assert points.speed.max() == pytest.approx(float(row["nb_max_tok_s"]), rel=0.02), row
        if not row["nb_tok_s_at_paper_cost"]:
            continue
        fast = fastest_at(points, 1e-6 * float(row["paper_usd_per_mtok"]))
        assert float(fast.speed) == pytest.approx(float(row["nb_tok_s_at_paper_cost"]), rel=0.02)
        # Price is steep in speed where a node fills up, and the grid's step shows: compare the
        # same point of the frontier along speed to 2 %, along price to the step of 6 %.
        same = fastest_at(points, 1.02e-6 * float(row["nb_usd_at_paper_speed"]))
        assert float(same.speed) >= 0.98 * float(row["paper_tok_s"])
        cheap = cheapest_within(points, 1 / float(row["paper_tok_s"]))
        assert 1e6 * float(cheap.price) == pytest.approx(
            float(row["nb_usd_at_paper_speed"]), rel=0.06
        )


def front_of(model: str, *, arithmetic: float, memory: float) -> Points:
    capped = dataclasses.replace(H100, arithmetic_cap=arithmetic, memory_cap=memory)
    question = Question(model=architecture(model), chip=capped)
    return grid(question, latency_of(question))


@pytest.mark.parametrize(("arithmetic", "memory", "speed"), [(1, 1, 87.1), (0.7, 0.75, 71.6)])
def test_opening_question(arithmetic: float, memory: float, speed: float) -> None:
    points = front_of("llama3-70b", arithmetic=arithmetic, memory=memory)
    busy = points.at((points.mfu >= 0.15) & (points.chips <= 8))
    assert float(busy.speed.max()) == pytest.approx(speed, rel=0.02)


def test_notebook_frontier_is_limited_by_its_thresholds() -> None:
    front = frontier(front_of("llama3-70b", arithmetic=1, memory=1))
    assert float(front.speed.max()) == pytest.approx(124.99, rel=0.005)


def test_long_context_floor_of_mistral_large_2() -> None:
    model = architecture("mistral-large-2")
    assert model.kv_bytes == 360448
    assert model.kv_bytes * 1e5 == pytest.approx(36.0e9, rel=0.002)
    question = Question(model=model, chip=H100, context=1e5)
    cheapest = frontier(grid(question, latency_of(question))).price.min()
    assert 1e6 * float(cheapest) == pytest.approx(9.83, rel=0.05)
    assert 1e6 * float(cheapest) > 6.37


def test_arithmetic_floor_of_70b() -> None:
    flop = 2 * architecture("llama3-70b").active_parameters
    assert 1e6 * flop / (0.7 * H100.peak(2.0)) * 2 / 3600 == pytest.approx(0.112, abs=5e-4)


def slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    return float(np.polyfit(np.log(xs), np.log(ys), 1)[0])


def test_size_exponent_of_the_real_llamas() -> None:
    latency = [least_full()(model, H100) for model in LLAMAS]
    assert slope([m.parameters for m in LLAMAS], latency) == pytest.approx(0.546, abs=0.02)


def chips_with(names: Sequence[str], factors: Sequence[float]) -> list[Chip]:
    return [
        dataclasses.replace(H100, **{name: float(f) * getattr(H100, name) for name in names})
        for f in factors
    ]


FACTORS = np.geomspace(0.25, 8, 11)
SWEEPS = [
    (("memory_bandwidth",), 1e5, 1.0, [-0.294, -0.289, -0.228]),
    (("peak_16",), 0.0, 1.0, [0.0, 0.0, 0.0]),
    (("intra_bandwidth", "inter_bandwidth"), 0.0, 64.0, [-0.023, -0.041, -0.069]),
]


@pytest.mark.parametrize(("names", "context", "batch", "slopes"), SWEEPS)
def test_other_latency_exponents(
    names: Sequence[str], context: float, batch: float, slopes: list[float]
) -> None:
    least = least_full(context, batch)
    variants = chips_with(names, list(FACTORS))
    ours = [slope(list(FACTORS), [least(model, c) for c in variants]) for model in LLAMAS]
    assert ours == pytest.approx(slopes, abs=0.02)


@pytest.mark.parametrize(
    ("context", "expected"), [(0.0, -0.045), (10_000.0, -0.771), (100_000.0, -0.806)]
)
def test_cost_exponent_of_bandwidth(context: float, expected: float) -> None:
    factors = np.geomspace(2**-0.5, 2**1.5, 5)
    prices: list[float] = []
    for variant in chips_with(("memory_bandwidth",), list(factors)):
        question = Question(model=architecture("llama3-70b"), chip=variant, context=context)
        points = grid(question, latency_of(question), size=200)
        prices.append(float(cheapest_within(points, 1 / 20).price))
    assert slope(list(factors), prices) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(("alpha", "expected"), [(3.0, -0.460), (4.0, -0.361)])
def test_bandwidth_exponent_at_the_preferred_point(alpha: float, expected: float) -> None:
    factors = np.geomspace(0.5, 4, 7)
    latency: list[float] = []
    for variant in chips_with(("memory_bandwidth",), list(factors)):
        question = Question(model=architecture("llama3-70b"), chip=variant)
        points = frontier(grid(question, latency_of(question), size=300))
        latency.append(float(preferred(points, alpha).latency))
    assert slope(list(factors), latency) == pytest.approx(expected, abs=0.02)


SPEEDUPS = [
    ("llama3-70b", Rule.NOTEBOOK, {0.5: 1.54, 1: 1.63, 2: 1.69}),
    ("llama3-70b", Rule.PAPER, {0.5: 1.36, 1: 1.42, 2: 1.50}),
    ("llama3.1-405b", Rule.NOTEBOOK, {4: 2.22, 10: 2.17, 20: 2.18}),
    ("llama3.1-405b", Rule.PAPER, {4: 2.11, 10: 2.05, 20: 2.04}),
]


@pytest.mark.parametrize(("model", "rule", "gains"), SPEEDUPS)
def test_speculation_at_fixed_cost(model: str, rule: Rule, gains: dict[float, float]) -> None:
    question = Question(model=architecture(model), chip=H100)
    draft = Speculation(draft=architecture("llama3-8b"), acceptance=0.8, longest=8, rule=rule)
    plain = grid(question, latency_of(question), size=250)
    near = (plain.chips < 1024) & (plain.batch < 2**13)
    kept = plain.at(near)
    fast = evaluate(question, latency_of(question, draft), kept.chips, kept.batch)
    for price, gain in gains.items():
        cap = 1e-6 * price
        ratio = float(fastest_at(fast, cap).speed / fastest_at(kept, cap).speed)
        assert ratio == pytest.approx(gain, abs=0.1)


def test_halved_weights_raise_the_largest_speed_by_a_quarter() -> None:
    least = [least_full()(architecture(f"llama3-70b{w}"), H100) for w in ("", "-w8", "-w4")]
    gains = [least[0] / least[1], least[1] / least[2]]
    assert gains == pytest.approx([1.25, 1.26], abs=0.03)


def test_groq_is_not_faster_for_the_largest_model() -> None:
    groq = {"llama3-8b": 867, "llama3-70b": 140, "llama3.1-405b-w8": 54}
    nvidia = {"llama3-8b": 486, "llama3-70b": 125, "llama3.1-405b-w8": 67}
    for name, speeds in (("GroqLPU", groq), ("H100", nvidia)):
        for model, speed in speeds.items():
            question = Question(model=architecture(model), chip=chip(name))
            chips = np.geomspace(1, 2**13, 3000)
            batch = np.array([[1.0], [6.1]])  # six stages need six sequences
            found = evaluate(question, latency_of(question), chips, batch)
            assert float(found.speed.max()) == pytest.approx(speed, rel=0.02), (name, model)
