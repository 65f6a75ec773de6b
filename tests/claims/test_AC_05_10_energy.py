"""Claims on energy per token: parallelism, precision and batch (claims.md, AC-05 to AC-10).

The model answers with its shipped efficiencies, which were fitted to other rows: the figures of
AC-05, AC-07 and AC-08 are published ones and were never fitted. Where the model misses a claim the
test says so (xfail, strict), with what it reaches.
"""

from functools import partial

import numpy as np
import pytest
from perf_cases import deployment as deployed
from perf_cases import machine, serve

from inferometer.perf.demand import fixed_lengths
from inferometer.perf.power import step_power
from inferometer.perf.static_batch import static_batch

# ML.ENERGY v3 ran vLLM as it was in 2025.
deployment = partial(deployed, served="vllm-2025")


def batch_of_one(tensor: int) -> tuple[float, float]:
    """Return time and energy of a decode step of Llama-3.1-8B at batch 1 on A100 PCIe."""
    built = machine(deployment("llama-3.1-8b", "a100-pcie-80gb", tensor=tensor))
    asked = fixed_lengths(np.array([512.0]), np.array([256.0]), built.shard.reaches)
    step = static_batch(np.ones(1), built, asked).decode
    return float(step.total[0]), float((step_power(step, built) * step.total)[0]) * tensor


def test_AC_05_tensor_parallelism_buys_latency() -> None:
    one, two, four = (batch_of_one(tensor)[0] for tensor in (1, 2, 4))
    assert two / one - 1 == pytest.approx(-0.40, abs=0.15)
    assert four / one - 1 == pytest.approx(-0.61, abs=0.15)


def test_AC_05_tensor_parallelism_costs_energy() -> None:
    one, two, four = (batch_of_one(tensor)[1] for tensor in (1, 2, 4))
    assert 1 < two / one < four / one


def test_AC_05_energy_by_the_published_amount() -> None:
    one, two, four = (batch_of_one(tensor)[1] for tensor in (1, 2, 4))
    assert two / one - 1 == pytest.approx(0.29, abs=0.15)
    assert four / one - 1 == pytest.approx(0.55, abs=0.15)


def test_AC_06_a_second_accelerator_gives_more_than_half_of_the_speed_again() -> None:
    one, two = (serve(deployment("qwen3-32b", tensor=n), 32, 120, 630) for n in (1, 2))
    assert two.itl / one.itl == pytest.approx(0.62, rel=0.15)
    assert two.rate / one.rate == pytest.approx(1.78, rel=0.15)


@pytest.mark.xfail(strict=True, reason="the model sees no saving: x1.05 for x0.89")
def test_AC_06_and_less_energy_per_token() -> None:
    one, two = (serve(deployment("qwen3-32b", tensor=n), 32, 120, 630) for n in (1, 2))
    assert two.joules_per_token / one.joules_per_token == pytest.approx(0.89, rel=0.15)


def fp8_change(sequences: int) -> float:
    wide, narrow = (
        serve(
            deployment("qwen3-235b-a22b", tensor=8, expert=True, weights=name), sequences, 120, 865
        )
        for name in ("bf16", "fp8")
    )
    return narrow.joules_per_token / wide.joules_per_token - 1


@pytest.mark.parametrize("sequences", [64, 128, 256])
def test_AC_07_fp8_saves_energy_in_large_batches(sequences: int) -> None:
    assert fp8_change(sequences) < 0


def test_AC_07_fp8_costs_energy_in_small_batches() -> None:
    assert fp8_change(8) > fp8_change(16) > 0
    assert fp8_change(16) == pytest.approx(0.22, abs=0.15)


@pytest.mark.xfail(strict=True, reason="the model says +34 % for +56 %, tolerance 15 points")
def test_AC_07_and_by_the_published_amount_at_eight() -> None:
    assert fp8_change(8) == pytest.approx(0.56, abs=0.15)


def halved() -> dict[int, float]:
    """Return the change of energy per token by sequences, 8 x B200 BF16 to 4 x B200 FP8."""
    found = dict[int, float]()
    for sequences in PUBLISHED:
        wide = serve(deployment("llama-3.1-405b", "b200", tensor=8), sequences, 120, 365)
        narrow = serve(
            deployment("llama-3.1-405b", "b200", tensor=4, weights="fp8"), sequences, 120, 365
        )
        found[sequences] = narrow.joules_per_token / wide.joules_per_token - 1
    return found


PUBLISHED = {8: -0.41, 32: -0.36, 128: -0.34, 256: -0.37, 512: -0.32}


def test_AC_08_half_the_accelerators_in_half_the_bytes_save_energy() -> None:
    assert max(halved().values()) < -0.24


@pytest.mark.xfail(strict=True, reason="the model saves 41 to 53 % for 32 to 41 %")
def test_AC_08_by_the_published_amounts() -> None:
    assert halved() == pytest.approx(PUBLISHED, abs=0.08)


# ML.ENERGY leaderboard v3, Llama-3.1-70B on 4 H100, chat: J per token and W per GPU by sequences.
PUBLISHED_J = {8: 3.759, 128: 0.563, 256: 0.479}
PUBLISHED_W = {8: 441.0, 256: 589.0}


def test_AC_09_published_coefficients_give_published_points() -> None:
    """J/token = a + c / batch with a = 0.3596, c = 27.43, fitted to mean running batches."""
    errors = [abs((0.3596 + 27.43 / n) / joules - 1) for n, joules in PUBLISHED_J.items()]
    assert np.mean(errors) <= 0.03


@pytest.mark.parametrize(
    ("name", "tensor"), [("llama-3.1-8b", 1), ("llama-3.1-70b", 4), ("qwen3-32b", 2)]
)
def test_AC_09_the_model_follows_the_law(name: str, tensor: int) -> None:
    built = deployment(name, tensor=tensor)
    points = [(float(n), serve(built, n, 120, 352).joules_per_token) for n in (8, 16, 32, 64, 128)]
    assert misfit(points) <= 0.03


def misfit(points: list[tuple[float, float]]) -> float:
    """Return the mean relative error of the best a + c / batch."""
    batch, joules = np.array(points).T
    terms = np.stack([1 / joules, 1 / batch / joules], axis=1)  # relative least squares
    found, *_ = np.linalg.lstsq(terms, np.ones_like(joules), rcond=None)
    return float(np.mean(np.abs(terms @ found - 1)))


def test_AC_10_batching_raises_power_while_it_cuts_energy() -> None:
    assert PUBLISHED_J[8] / PUBLISHED_J[256] == pytest.approx(7.85, rel=0.01)
    assert PUBLISHED_W[256] / PUBLISHED_W[8] == pytest.approx(1.34, rel=0.01)


def test_AC_10_the_model_says_the_same() -> None:
    few, many = (serve(deployment("llama-3.1-70b", tensor=4), n, 120, 352) for n in (8, 256))
    assert many.watts / few.watts == pytest.approx(1.34, rel=0.15)
    assert few.joules_per_token / many.joules_per_token == pytest.approx(7.85, rel=0.4)
