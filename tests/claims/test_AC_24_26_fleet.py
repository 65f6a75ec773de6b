"""AC-24 .. AC-26: mixed fleets (Griggs et al., Melange, arXiv 2404.14527; DynamoLLM, HPCA 2025)."""

import datetime as dt
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from fleet_cases import HOUR, load, pool

from inferometer.account.bill import Tariff
from inferometer.catalog.efficiency import efficiencies
from inferometer.catalog.models import model
from inferometer.catalog.prices import accelerator_price
from inferometer.catalog.tables import accelerator, engine, formats, node
from inferometer.perf.predict import predict
from inferometer.plan.fleet.classes import classes_of, classify, load_of
from inferometer.plan.fleet.plan import plan_fleet
from inferometer.plan.fleet.profile import Terms, offers
from inferometer.plan.precision import provided
from inferometer.plan.space import Choices, Supply, build
from inferometer.workload.slo import parse_slo
from inferometer.workload.spec import read_spec
from inferometer.workload.synthesis import synthesise

# The worked example of Melange's repository: requests per second of each bucket on one GPU.
HOURLY = {"A10G": 1.01, "A100": 3.67}
THROUGHPUT = {"A10G": [2.0, 1.0, 5.0, 2.0], "A100": [20.0, 20.0, 50.0, 20.0]}
RATE, SLICES = 30.0, 4


def test_AC_24_the_example_of_melange() -> None:
    pools = [pool(name, HOURLY[name], THROUGHPUT[name], most=20) for name in HOURLY]
    found = plan_fleet(pools, load([[RATE / 4]] * 4), gap=0.0)
    counts = {p.name: int(n[0]) for p, n in zip(found.best.pools, found.best.replicas, strict=True)}
    assert counts == {"A10G": 3, "A100": 1}
    assert found.best.cost == pytest.approx(6.70)


def test_AC_24_by_brute_force() -> None:
    """Each bucket in four slices, each slice on one GPU type, as Melange states the problem."""
    rate = RATE / 4
    best = np.inf
    for slices in product(range(SLICES + 1), repeat=4):  # slices of each bucket on the A10G
        small = sum(rate * n / SLICES / t for n, t in zip(slices, THROUGHPUT["A10G"], strict=True))
        large = sum(
            rate * (1 - n / SLICES) / t for n, t in zip(slices, THROUGHPUT["A100"], strict=True)
        )
        counts = np.ceil(np.array([small, large]) - 1e-9)
        best = min(best, float(counts @ np.array([*HOURLY.values()])))
    assert best == pytest.approx(6.70)


def test_AC_25_workload_aware_planning_over_a_day() -> None:
    """A day of chat, peak to valley 2.8: classes by prompt, replicas by the hour, at equal SLO."""
    spec = read_spec(Path(__file__).parents[2] / "examples/diurnal_chat.toml")
    # Four times the example's traffic: one replica must not be enough at the peak.
    trace = synthesise(replace(spec, rate=4 * spec.rate), seed=0)
    kind, names = classify(trace, 3)
    classes = classes_of(
        trace, kind, names, parse_slo(["ttft p99 <= 2 s", "tpot p99 <= 50 ms"]), {}
    )
    asked = load_of(trace, kind, classes, HOUR)
    assert asked.mean.sum(axis=0).max() / asked.mean.sum(axis=0).min() >= 2.7
    which = model("llama-3.1-70b")
    choices = Choices(
        engines=(engine("vllm"),),
        precisions=tuple(item.precision for item in provided(which, formats())),
        max_num_seqs=(64, 256), max_batched_tokens=(2048, 8192),
    )  # fmt: skip
    supplies = [
        Supply(accelerator=accelerator(key), node=node(key), available=64,
               price=accelerator_price(key, at=dt.date(2026, 11, 1)))
        for key in ("h100-sxm", "h200-sxm")
    ]  # fmt: skip
    evaluate = partial(predict, efficiencies=efficiencies())
    found = offers(
        build(which, supplies, choices), classes, asked.mean.mean(axis=1), {1.0: evaluate},
        Tariff(accelerator=None), Terms(start=300.0),
    )  # fmt: skip
    plan = plan_fleet([offer.pool for offer in found], asked)
    each = {offer.pool.name: offer.deployment.accelerators for offer in found}
    assert plan.static is not None
    hours = [
        sum(each[p.name] * on.sum() for p, on in zip(one.pools, one.replicas, strict=True))
        for one in (plan.best, plan.static)
    ]
    assert 0.25 <= 1 - hours[0] / hours[1] <= 0.60


def test_AC_26_a_mix_is_never_dearer_than_one_type() -> None:
    random = np.random.default_rng(26)
    for _ in range(10):
        pools = [
            pool(f"p{place}", float(random.uniform(1, 4)), list(random.uniform(1, 9, 2)), most=60)
            for place in range(3)
        ]
        found = plan_fleet(pools, load(random.uniform(0.1, 20, (2, 3)).tolist()))
        assert found.best.cost <= min(one.cost for one in found.singles)
