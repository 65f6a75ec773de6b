"""Files of agents' runs: what waits for what, and files that cannot be."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from simulate_cases import deployment

from inferometer.catalog.efficiency import efficiencies
from inferometer.errors import WorkloadError
from inferometer.simulate.play import Play
from inferometer.simulate.simulation import simulate
from inferometer.workload.formats.files import read, write
from inferometer.workload.trace import Calls

HEADER = {"schema": "dynamo.agentic_mooncake", "version": 2, "block_size": 64}


def row(name: str, *needs: tuple[str, str, float], **given: Any) -> dict[str, Any]:
    dependencies = [
        {"predecessor": before, "trigger": trigger, "delay": delay, "relation": "sequence"}
        for before, trigger, delay in needs
    ]
    known = {"play_id": "p", "session_id": "s", "model": "m", "input_length": 64,
             "output_length": 8, "hash_ids": [0], "not_before_ms": 0.0}  # fmt: skip
    return {"request_id": name, "dependencies": dependencies} | known | given


FAN = (
    row("join", ("left", "completion", 50.0), ("right", "completion", 0.0)),
    row("root"),
    row("left", ("root", "completion", 500.0)),
    row("right", ("root", "dispatch", 10.0), not_before_ms=20.0),
)


def saved(folder: Path, *rows: dict[str, Any], header: dict[str, Any] | None = None) -> Path:
    path = folder / "agents.jsonl"
    path.write_text("\n".join(json.dumps(item) for item in (header or HEADER, *rows)))
    return path


def test_a_fan_of_calls_is_read_and_slow_service_delays_the_join(tmp_path: Path) -> None:
    found = read(saved(tmp_path, *FAN))
    assert found.format == "agentic-mooncake"
    trace = found.trace
    assert trace.calls is not None
    assert trace.arrival.tolist() == [0.0, 0.02, 0.5, 0.55]
    edges = zip(trace.calls.before.tolist(), trace.calls.after.tolist(), strict=True)
    assert sorted(edges) == [(0, 1), (0, 2), (1, 3), (2, 3)]
    records = simulate(trace, deployment(), efficiencies=efficiencies()).records
    assert records.asked[1] == pytest.approx(0.02)
    assert records.asked[2] == pytest.approx(records.finished[0] + 0.5)
    assert records.asked[3] == pytest.approx(max(records.finished[2] + 0.05, records.finished[1]))
    assert records.asked[3] > trace.arrival[3]
    timed = simulate(trace, deployment(), efficiencies=efficiencies(), play=Play(timestamps=True))
    np.testing.assert_allclose(timed.records.asked, trace.arrival)


def test_earliest_times_count_from_the_first_call_as_arrivals_do(tmp_path: Path) -> None:
    later = row("later", ("root", "dispatch", 10.0), not_before_ms=61e3)
    trace = read(saved(tmp_path, row("root", not_before_ms=60e3), later)).trace
    assert trace.calls is not None
    assert trace.arrival.tolist() == [0.0, 1.0]
    assert trace.calls.earliest.tolist() == [0.0, 1.0]
    records = simulate(trace, deployment(), efficiencies=efficiencies()).records
    assert records.asked.tolist() == pytest.approx([0.0, 1.0])


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf")])
def test_an_earliest_time_that_cannot_be_is_refused(tmp_path: Path, wrong: float) -> None:
    trace = read(saved(tmp_path, row("root"), row("next", ("root", "completion", 0.0)))).trace
    assert trace.calls is not None
    calls = replace(trace.calls, earliest=np.array([0.0, wrong]))
    with pytest.raises(WorkloadError, match="earliest time is negative or not finite"):
        replace(trace, calls=calls)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ((row("a", ("b", "completion", 0.0)), row("b", ("a", "completion", 0.0))), "itself"),
        ((row("a", ("a", "completion", 0.0)),), "itself"),
        ((row("a"), row("b", ("nobody", "completion", 0.0))), ":3: predecessor 'nobody'"),
        ((row("a"), row("b", ("a", "completion", -1.0))), ":3: -1.0 is a negative"),
        ((row("a", not_before_ms=-5.0),), ":2: -5.0 is a negative"),
        ((row("a"), row("b", ("a", "soon", 0.0))), "trigger 'soon'"),
        ((row("a"), row("a")), "occurs twice"),
        ((row("a", output_length=0), row("b")), ":2: a call without"),
        ((row("a", hash_ids=[1, 2, 3]),), "hash_ids"),
        ((row("a", input_length=-1),), "input_length"),
        ((), "no usable requests"),
    ],
)  # fmt: skip
def test_graphs_that_cannot_be_are_refused(
    tmp_path: Path, rows: tuple[dict[str, Any], ...], says: str
) -> None:
    with pytest.raises(WorkloadError, match=says):
        read(saved(tmp_path, *rows))


def test_other_versions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WorkloadError, match="version 3"):
        read(saved(tmp_path, *FAN, header=HEADER | {"version": 3}))


def test_calls_are_not_dropped_when_a_trace_is_written(tmp_path: Path) -> None:
    trace = read(saved(tmp_path, *FAN)).trace
    with pytest.raises(WorkloadError, match="calls"):
        write(trace, tmp_path / "out.parquet")
    with pytest.raises(WorkloadError, match="tenants"):
        write(replace(trace, tenant=np.array(["a"] * len(trace))), tmp_path / "out.jsonl")
    write(trace, tmp_path / "out.jsonl")
    again = read(tmp_path / "out.jsonl").trace
    assert trace.calls is not None
    assert again.calls is not None
    assert trace.prefixes is not None
    assert again.prefixes is not None
    for name in ("arrival", "input_tokens", "output_tokens"):
        assert getattr(again, name).tolist() == pytest.approx(getattr(trace, name).tolist())
    assert again.prefixes.hashes.tolist() == trace.prefixes.hashes.tolist()
    assert again.calls.earliest.tolist() == pytest.approx(trace.calls.earliest.tolist())
    assert edges(again.calls) == edges(trace.calls)


def edges(calls: Calls) -> list[tuple[int, int, float, bool]]:
    columns = (calls.before, calls.after, calls.delay.round(9), calls.dispatched)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


def test_other_requests_are_no_agents_calls(tmp_path: Path) -> None:
    trace = replace(read(saved(tmp_path, *FAN)).trace, calls=None)
    with pytest.raises(WorkloadError, match="calls of agents"):
        write(trace, tmp_path / "out.jsonl", "agentic-mooncake")


def call(t: float, **given: Any) -> dict[str, Any]:
    known = {"t": t, "type": "s", "in": 128, "out": 8, "hash_ids": [0, 1], "api_time": 2.0}
    return known | given


RUN = {
    "id": "r", "models": ["m"], "block_size": 64, "hash_id_scope": "local", "tool_tokens": 10,
    "requests": [
        call(0.0),
        {"type": "subagent", "t": 2.5, "agent_id": "a", "requests": [call(3.0), call(7.0)]},
        {"type": "subagent", "t": 2.5, "agent_id": "b", "requests": [call(4.0, api_time=60.0)]},
        call(10.0, **{"in": 64, "hash_ids": [0]}),
    ],
}  # fmt: skip


def runs(folder: Path, *documents: dict[str, Any], indent: int | None = None) -> Path:
    path = folder / "runs.json"
    path.write_text("\n".join(json.dumps(document, indent=indent) for document in documents))
    return path


@pytest.mark.parametrize("indent", [None, 2])
def test_runs_with_sub_agents_are_read(tmp_path: Path, indent: int | None) -> None:
    found = read(runs(tmp_path, RUN, indent=indent))
    assert found.format == "weka"
    trace = found.trace
    assert trace.arrival.tolist() == [0.0, 3.0, 4.0, 7.0, 10.0]
    assert trace.calls is not None
    edges = dict(
        zip(
            zip(trace.calls.before.tolist(), trace.calls.after.tolist(), strict=True),
            trace.calls.delay.tolist(),
            strict=True,
        )
    )
    # both sub-agents follow the first call; only the one that had ended is waited for
    assert edges == {(0, 1): 1.0, (0, 2): 2.0, (1, 3): 2.0, (0, 4): 8.0, (3, 4): 1.0}
    records = simulate(trace, deployment(), efficiencies=efficiencies()).records
    assert records.asked[4] == pytest.approx(
        max(records.finished[0] + 8.0, records.finished[3] + 1.0)
    )


def test_runs_of_one_file_share_no_blocks_and_start_together(tmp_path: Path) -> None:
    trace = read(runs(tmp_path, RUN, RUN)).trace
    assert trace.prefixes is not None
    assert trace.calls is not None
    by_task = [set[int](), set[int]()]
    for row, task in enumerate(trace.calls.task):
        start, end = trace.prefixes.offsets[row : row + 2]
        by_task[task] |= set(trace.prefixes.hashes[start:end].tolist())
    assert len(by_task[0]) == len(by_task[1]) == 2
    assert not by_task[0] & by_task[1]


def test_times_of_a_sub_agent_may_count_from_its_beginning(tmp_path: Path) -> None:
    agent = {"type": "subagent", "t": 5.0, "requests": [call(0.0), call(3.0)]}
    trace = read(runs(tmp_path, RUN | {"requests": [call(0.0), agent]})).trace
    assert trace.arrival.tolist() == [0.0, 5.0, 8.0]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"block_size": 0}, "block_size"),
        ({"hash_id_scope": "global"}, "'global'"),
        ({"requests": []}, "no usable requests"),
        ({"requests": [call(5.0), call(1.0)]}, "sort them"),
        ({"requests": [call(-1.0)]}, "requests"),
        ({"requests": [call(0.0, api_time=-1.0)]}, "api_time"),
        ({"requests": [call(0.0, out=0), call(2.0)]}, ":1: a call without"),
        ({"requests": [call(0.0, hash_ids=[-1])]}, "hash_ids"),
        ({"requests": "none"}, "requests"),
    ],
)
def test_runs_that_cannot_be_are_refused(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    with pytest.raises(WorkloadError, match=says):
        read(runs(tmp_path, RUN | change))


def test_blocks_of_one_file_have_one_size(tmp_path: Path) -> None:
    with pytest.raises(WorkloadError, match=":2: blocks of 32"):
        read(runs(tmp_path, RUN, RUN | {"block_size": 32}))
