"""AC-36: NVIDIA's enterprise RAG sizing guide (August 2026): baseline "1X", and users at once."""

import numpy as np
import pytest

from inferometer.catalog.tables import operations
from inferometer.plan.retrieval import Retrieval, Stage, stages_at
from inferometer.workload.population import peak_concurrency
from inferometer.workload.shape import Shape, shape_of_lengths

GUIDE = {"rerank": 1.0, "embed": 0.5, "index": 0.25}
"""Accelerators of each stage beside one for the model, as the guide states them."""
LARGEST_INDEX, VECTOR = 10e6, 6144.0
"""Vectors that 1X holds at most; bytes of one (1,536 single-precision numbers)."""
USERS = 5_000


def stages(rate: float) -> tuple[Stage, ...]:
    """Return the guide's stages: one unit of each serves `rate` and holds the index of 1X."""
    return tuple(
        Stage(
            name=name, rate=rate, price=1 / 3600, accelerators=share,
            memory=LARGEST_INDEX * VECTOR if name == "index" else 0.0,
        )
        for name, share in GUIDE.items()
    )  # fmt: skip


def questions(rate: float) -> Shape:
    return shape_of_lengths(np.array([300]), np.array([200]), rate)


def accelerators(rate: float, chunks: float = LARGEST_INDEX) -> float:
    """Return the accelerators of a service whose model runs on one per `1 1/s`, stages included."""
    bought = stages(1.0)
    asked = Retrieval(
        passages=4, passage=512, stages=bought, chunks=chunks, chunk_bytes=VECTOR
    )  # fmt: skip
    found = stages_at(asked, questions(rate))
    beside = sum(one.units * stage.accelerators for one, stage in zip(found, bought, strict=True))
    return rate + beside


def test_AC_36_rag_takes_2_75_accelerators_per_accelerator_of_the_model() -> None:
    assert accelerators(1.0) == 2.75


def test_AC_36_stages_grow_in_whole_units_by_load_and_by_index() -> None:
    assert accelerators(4.0) == 4 * 2.75
    assert accelerators(1.0, chunks=LARGEST_INDEX + 1) == pytest.approx(2.75 + GUIDE["index"])


def test_AC_36_five_thousand_users_are_five_hundred_at_once() -> None:
    assert operations().active == 0.10
    assert peak_concurrency(USERS, operations().active) == 500
