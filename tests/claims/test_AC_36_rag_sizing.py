"""AC-36: NVIDIA's enterprise RAG sizing guide (August 2026): baseline "1X", and users at once."""

from functools import partial

import numpy as np
import pytest
from perf_cases import deployment

from inferometer.account.bill import Tariff
from inferometer.catalog.efficiency import efficiencies
from inferometer.catalog.tables import operations
from inferometer.perf.predict import predict
from inferometer.plan.retrieval import RagCost, Retrieval, Stage, rag_cost
from inferometer.plan.whatif.case import Case
from inferometer.workload.population import peak_concurrency
from inferometer.workload.shape import shape_of_lengths
from inferometer.workload.slo import Slo

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


def answers(rate: float, chunks: float = LARGEST_INDEX) -> RagCost:
    """Return what answers to `rate` questions take with the guide's stages."""
    case = Case(
        deployment=deployment("llama-3.1-8b", "h100-sxm"),
        shape=shape_of_lengths(np.array([300]), np.array([200]), rate), slo=Slo(),
        evaluate=partial(predict, efficiencies=efficiencies()), price=None,
        site=Tariff(accelerator=None),
    )  # fmt: skip
    asked = Retrieval(
        passages=4, passage=512, stages=stages(1.0), chunks=chunks, chunk_bytes=VECTOR
    )  # fmt: skip
    return rag_cost(case, asked)


def test_AC_36_rag_takes_2_75_accelerators_per_accelerator_of_the_model() -> None:
    found = answers(1.0)
    assert found.long.accelerators == 1
    assert found.accelerators == 2.75


def test_AC_36_stages_grow_in_whole_units_by_load_and_by_index() -> None:
    more = answers(3.5)
    assert [stage.units for stage in more.stages] == [4, 4, 4]
    assert more.accelerators == 1 + 4 * 1.75 / more.long.accelerators
    larger = answers(1.0, LARGEST_INDEX + 1)
    assert larger.accelerators == pytest.approx(2.75 + GUIDE["index"])


def test_AC_36_five_thousand_users_are_five_hundred_at_once() -> None:
    assert operations().active == 0.10
    assert peak_concurrency(USERS, operations().active) == 500
