"""Shapes and chips of the theory: counts, variants, names."""

import numpy as np
import pytest

from inferometer.errors import CatalogError, InfeasibleError, ScenarioError
from inferometer.perf.theory.architecture import architecture, scaled
from inferometer.perf.theory.chip import chip
from inferometer.perf.theory.constraint import parse_constraint
from inferometer.perf.theory.search import fastest_at, frontier, grid, preferred
from inferometer.perf.theory.speculation import latency_of
from inferometer.perf.theory.step import Question, step
from inferometer.perf.theory.utilisation import fastest_at_utilisation, size_for_speed

COUNTS = [
    ("llama3-8b", 8.030, 8.030, 131072),
    ("llama3-70b", 70.552, 70.552, 327680),
    ("llama3.1-405b", 410.077, 410.077, 1032192),
    ("mixtral-8x7b", 46.701, 12.879, 131072),
    ("mixtral-8x22b", 140.617, 39.149, 229376),
    ("gpt-4-spec", 1796.850, 274.821, 92160),
    ("gpt-3", 175.181, 175.181, 4718592),
    ("mistral-large-2", 122.608, 122.608, 360448),
    ("palm-540b", 545.073, 545.073, 120832),
    ("falcon-180b", 178.453, 178.453, 20480),
    ("gpt-3.5", 23.145, 12.273, 18432),
    ("palm-8b", 9.680, 9.680, 32768),
    ("gpt-j-6b", 6.049, 6.049, 458752),
    ("deepseek-v3-proxy", 704.137, 37.897, 62464),
    ("llama3-8b-mqa", 7.795, 7.795, 16384),
    ("llama3-70b-mqa", 69.378, 69.378, 40960),
    ("mixtral-8x22b-mqa", 140.001, None, 28672),
]


@pytest.mark.parametrize(("name", "total", "active", "kv"), COUNTS)
def test_counts(name: str, total: float, active: float | None, kv: float) -> None:
    model = architecture(name)
    assert model.parameters / 1e9 == pytest.approx(total, abs=6e-4)
    assert active is None or model.active_parameters / 1e9 == pytest.approx(active, abs=6e-4)
    assert model.kv_bytes == kv


@pytest.mark.parametrize("name", ["LLaMa 3 70B", "llama3_70b", "meta/Llama-3-70B"])
def test_spellings(name: str) -> None:
    assert architecture(name).key == "llama3-70b"


def test_variants_follow_one_another() -> None:
    model = architecture("llama3-70b-w8-mqa")
    assert (model.weight_bytes, model.kv_heads) == (1.0, 2)
    assert architecture("llama3-70b-mqa-w4").weight_bytes == 0.5
    assert architecture("llama3-8b-a8").kv_bytes == 65536


def test_unknown_names_come_with_the_nearest() -> None:
    with pytest.raises(CatalogError, match="llama3-70b"):
        architecture("llama3-70")
    with pytest.raises(CatalogError, match="H100"):
        chip("H1000")
    with pytest.raises(CatalogError, match="4-bit"):
        chip("A100").peak(0.5)


@pytest.mark.parametrize("text", ["", "fastest", "min_cost@>=tok/s", "max_speed;total<=", "nan"])
def test_unknown_constraint(text: str) -> None:
    with pytest.raises(ScenarioError, match="constraint"):
        parse_constraint(text)


def test_constraint_forms() -> None:
    assert parse_constraint("argmax_speed^4/price;total<=1e+06tok/s").demand == 1e6
    assert parse_constraint("min_cost@>=20 tok/s").least_speed == 20


def test_frontier_by_its_definition() -> None:
    """Each threshold's cheapest point, found the slow way."""
    question = Question(model=architecture("llama3-8b"), chip=chip("H100"))
    points = grid(question, latency_of(question), size=40)
    front = frontier(points, demand=2e4)
    usable = points.at(np.isfinite(points.latency) & (points.system <= 2e4))
    slow = {
        float(np.where(usable.latency <= limit, usable.price, np.inf).min())
        for limit in np.geomspace(1e-4, 1, 600)
        if (usable.latency <= limit).any()
    }
    assert sorted(slow) == sorted(set(map(float, front.price)))
    assert (np.diff(front.latency) > 0).all()
    assert (np.diff(front.price) < 0).all()
    score = front.speed**3 / front.price
    assert float(preferred(front, 3).price) == float(front.price[score.argmax()])


def test_nothing_affordable() -> None:
    question = Question(model=architecture("llama3-8b"), chip=chip("H100"))
    points = grid(question, latency_of(question), size=20)
    with pytest.raises(InfeasibleError, match="USD/Mtok"):
        fastest_at(points, 1e-12)
    with pytest.raises(InfeasibleError, match="grid"):
        frontier(points, demand=1e-3)


def test_utilisation_is_met_and_size_follows_speed() -> None:
    question = Question(model=architecture("llama3-70b"), chip=chip("H100"))
    assert float(fastest_at_utilisation(question, 0.15).mfu) == pytest.approx(0.15, rel=0.051)
    small, large = (size_for_speed(question, 0.15, speed).parameters for speed in (100, 20))
    assert small < question.model.parameters < large
    assert scaled(question.model, 8.0).parameters == pytest.approx(8 * 70.55e9, rel=0.1)


def test_experts_apart_speed_up_a_sparse_model() -> None:
    sparse = Question(model=architecture("deepseek-v3-proxy"), chip=chip("H100"))
    apart = Question(model=sparse.model, chip=sparse.chip, experts_apart=True)
    chips, batch = np.array([32.0]), np.array([256.0])
    assert step(apart, chips, batch).total[0] < step(sparse, chips, batch).total[0]
