"""The simulated closed loop hands each request to whoever is free, as the load client does."""

import datetime as dt
import heapq
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.catalog import tables
from inferometer.catalog.efficiency import efficiencies
from inferometer.catalog.models import model
from inferometer.deployment import Deployment, EngineSettings, Precision
from inferometer.loop.machine import KEY, Machine, records
from inferometer.loop.shared_queue import played
from inferometer.workload.trace import Trace


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    path = Path(tmp_path_factory.mktemp("machine")) / "machine.toml"
    machine = Machine(
        name="CPU", cores=2, clock=2e9, memory=16e9, bandwidth=32e9, draw=16.0, cost=1e-4
    )
    path.write_text(records(machine, slots=8, day=dt.date(2026, 11, 26)))
    linear = tables.number_format("q8_0")
    return Deployment(
        model=model("smollm2-1.7b"),
        accelerator=tables.accelerators(path)[KEY],
        node=tables.nodes(path)[KEY],
        precision=Precision(linear=linear, experts=linear, kv=tables.number_format("fp16")),
        settings=EngineSettings(
            engine=tables.engines(path)["llama.cpp-here"], max_num_seqs=8, max_batched_tokens=2048,
            memory_fraction=1.0,
        ),
    )  # fmt: skip


def _trace(lengths: list[tuple[int, int]]) -> Trace:
    prompts, outputs = (np.array(side) for side in zip(*lengths, strict=True))
    return Trace(
        arrival=np.zeros(len(lengths)), input_tokens=prompts, output_tokens=outputs, name="loop"
    )


@settings(deadline=None, max_examples=25)
@given(
    lengths=st.lists(st.tuples(st.integers(1, 200), st.integers(1, 40)), min_size=1, max_size=14),
    clients=st.integers(1, 6),
)
def test_each_request_comes_when_a_client_is_free(
    deployment: Deployment, lengths: list[tuple[int, int]], clients: int
) -> None:
    found = played(_trace(lengths), deployment, efficiencies(), clients=clients).records
    assert bool(found.done.all())
    free = [0.0] * clients
    for row in range(len(lengths)):
        assert found.arrival[row] == pytest.approx(heapq.heappop(free), abs=1e-9)
        heapq.heappush(free, float(found.finished[row]))


def test_one_client_gets_one_request_after_another(deployment: Deployment) -> None:
    found = played(_trace([(30, 5)] * 4), deployment, efficiencies(), clients=1).records
    assert found.arrival[1:] == pytest.approx(found.finished[:-1])
    alone = played(_trace([(30, 5)]), deployment, efficiencies(), clients=3).records
    assert found.finished[-1] == pytest.approx(4 * alone.finished[0])


def test_times_of_the_trace_do_not_matter(deployment: Deployment) -> None:
    trace = _trace([(40, 9), (80, 30), (20, 12), (60, 4), (10, 25)])
    late = replace(trace, arrival=np.linspace(0.0, 400.0, 5))
    ends = [
        played(one, deployment, efficiencies(), clients=2).records.finished for one in (trace, late)
    ]
    assert ends[0] == pytest.approx(ends[1])
