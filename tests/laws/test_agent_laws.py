"""Laws of synthetic agents: tokens by call, time by tools, and what slow service delays."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from simulate_cases import deployment

from inferometer.account.agent import call_distribution, prompt_tokens
from inferometer.catalog.efficiency import Efficiencies, efficiencies
from inferometer.errors import WorkloadError
from inferometer.simulate.play import Play
from inferometer.simulate.records import Records
from inferometer.simulate.simulation import simulate
from inferometer.workload.formats.files import read, write
from inferometer.workload.shape import cached_fraction
from inferometer.workload.spec import WorkloadSpec, spec_of
from inferometer.workload.synthesis import synthesise
from inferometer.workload.trace import Calls, Floats, Trace

FIRST, RESULT, OUTPUT, BLOCK = 320, 96, 32, 16
STEADY: dict[str, Any] = {
    "rate": "4 1/s",
    "duration": "10 min",
    "lengths": {"input": {"p50": FIRST, "p99": FIRST}, "output": {"p50": OUTPUT, "p99": OUTPUT}},
    "prefix": {"block_size": BLOCK},
    "agents": {
        "calls_p50": 6, "calls_p99": 40, "tool_p50": "1 s", "tool_p99": "8 s",
        "result": {"p50": RESULT, "p99": RESULT},
    },
}  # fmt: skip
SUB = {"share": 0.3, "width": 3, "calls_p50": 2, "calls_p99": 6}


def spec(*, agents: dict[str, Any] | None = None, **changes: Any) -> WorkloadSpec:
    return spec_of(STEADY | changes | {"agents": STEADY["agents"] | (agents or {})}, "test")


def made(seed: int = 0, **changes: Any) -> tuple[Trace, Calls]:
    trace = synthesise(spec(**changes), seed=seed)
    assert trace.calls is not None
    return trace, trace.calls


def whole_tasks(trace: Trace, calls: Calls) -> np.ndarray:
    """Return tasks whose first call is in the trace and whose last is not near its end."""
    first, last = ends_of(calls.task, trace.arrival)
    waits = np.isin(np.arange(len(trace)), calls.after) | (calls.earliest > 0)
    opens = np.unique(calls.task[(trace.input_tokens <= FIRST) & ~waits])
    return np.array([t for t in opens if first[t] > 0 and last[t] < trace.arrival[-1] - 200])


def ends_of(task: np.ndarray, times: Floats) -> tuple[Floats, Floats]:
    first, last = np.full(task.max() + 1, np.inf), np.full(task.max() + 1, -np.inf)
    np.minimum.at(first, task, times)
    np.maximum.at(last, task, times)
    return first, last


def test_prompt_tokens_of_a_task_are_those_that_the_account_of_agents_states() -> None:
    trace, calls = made()
    tasks = whole_tasks(trace, calls)
    assert len(tasks) > 50
    for task in tasks:
        mine = trace.input_tokens[calls.task == task]
        whole, new = prompt_tokens(np.array([float(len(mine))]), FIRST, RESULT + OUTPUT)
        assert mine.sum() == whole[0]
        assert mine.max() == new[0]


def test_calls_per_task_are_distributed_as_the_account_of_agents_states() -> None:
    trace, calls = made(rate="60 1/s")
    made_calls = np.bincount(calls.task)[whole_tasks(trace, calls)]
    number, share = call_distribution(6, 40)
    wanted = float((number * share).sum())
    deviation = float(np.sqrt((number**2 * share).sum() - wanted**2) / np.sqrt(len(made_calls)))
    assert made_calls.mean() == pytest.approx(wanted, abs=4 * deviation)
    assert np.quantile(made_calls, 0.5) == pytest.approx(6, abs=1)


@pytest.mark.parametrize("agents", [{}, {"sub": SUB}])
def test_the_rate_of_calls_is_the_one_stated_from_the_start(agents: dict[str, Any]) -> None:
    trace, _ = made(agents=agents, duration="60 min")
    assert len(trace) / 3600 == pytest.approx(4, rel=0.08)
    assert (trace.arrival < 600).sum() / 600 == pytest.approx(4, rel=0.25)


def test_a_cache_finds_all_of_a_repeated_prompt_or_the_share_stated() -> None:
    trace, _ = made()
    prompts = 1 - cached_fraction(trace)
    half, _ = made(agents={"reuse": 0.5})
    assert half.input_tokens.tolist() == trace.input_tokens.tolist()
    assert 0 < prompts < 1 - cached_fraction(half) < 1
    none, _ = made(agents={"reuse": 0.0})
    assert cached_fraction(none) == 0


def test_a_shared_prefix_is_found_by_other_tasks_and_sub_agents() -> None:
    trace, _ = made(prefix={"tokens": 64, "block_size": BLOCK}, agents={"sub": SUB, "reuse": 0.0})
    assert trace.prefixes is not None
    starts = trace.prefixes.offsets[:-1]
    for block in range(4):
        assert (trace.prefixes.hashes[starts + block] == block).all()
    assert cached_fraction(trace) > 0


def test_a_context_cuts_prompts_and_what_is_left_repeats_the_shared_prefix_only() -> None:
    limit = 640
    trace, _ = made(agents={"context": f"{limit} tok"})
    free, _ = made()
    np.testing.assert_array_equal(trace.input_tokens, np.minimum(free.input_tokens, limit))
    assert cached_fraction(trace) < cached_fraction(free)


def critical_path(trace: Trace, calls: Calls, records: Records | None = None) -> Floats:
    """Return when each call may come: after all that it waits for, as they ended if known."""
    due = [0.0] * len(trace)
    needs: list[list[tuple[int, float]]] = [[] for _ in due]
    for before, after, delay in zip(calls.before, calls.after, calls.delay, strict=True):
        needs[after].append((int(before), float(delay)))
    for call, waited in enumerate(needs):
        came = [(due[b] if records is None else float(records.finished[b])) + d for b, d in waited]
        due[call] = max([*came, float(calls.earliest[call] if came else trace.arrival[call])])
    return np.array(due)


def scaled(faster: float) -> Efficiencies:
    """Return parameters by which everything is `faster` times as fast."""
    slow = ("overhead", "latency")
    return {
        key: replace(
            one,
            base=one.base / faster if any(word in key for word in slow) else one.base * faster,
            low=0.0, high=1e12,
        )
        if not key.startswith(("power", "imbalance", "routing")) else one
        for key, one in efficiencies().items()
    }  # fmt: skip


@pytest.mark.parametrize("agents", [{}, {"sub": SUB}])
def test_time_is_that_of_tools_on_the_critical_path_if_service_takes_none(
    agents: dict[str, Any],
) -> None:
    trace, calls = made(agents=agents, duration="60 s")
    np.testing.assert_allclose(critical_path(trace, calls), trace.arrival, rtol=1e-9, atol=1e-9)
    built = deployment(sequences=256, budget=8192)
    fast = simulate(trace, built, efficiencies=scaled(1e6)).records
    np.testing.assert_allclose(fast.asked, trace.arrival, atol=1e-2)


@pytest.mark.parametrize("agents", [{}, {"sub": SUB}])
def test_slow_service_delays_every_later_call_by_what_it_took(agents: dict[str, Any]) -> None:
    trace, calls = made(agents=agents, duration="60 s")
    built = deployment(sequences=64, budget=2048)
    known, slow = (simulate(trace, built, efficiencies=scaled(by)).records for by in (1.0, 0.25))
    for records in (known, slow):
        np.testing.assert_allclose(records.asked, critical_path(trace, calls, records))
    waits = np.unique(calls.after)
    assert (slow.asked[waits] > known.asked[waits]).mean() > 0.99
    assert (known.asked[waits] > trace.arrival[waits]).all()
    timed = simulate(trace, built, efficiencies=scaled(0.25), play=Play(timestamps=True)).records
    np.testing.assert_allclose(timed.asked, trace.arrival)


def test_the_next_call_waits_for_all_sub_agents_and_reads_their_answers() -> None:
    sub = {"share": 1.0, "width": 2, "calls_p50": 1, "calls_p99": 1}
    agents = {"calls_p50": 3, "calls_p99": 3, "tool_p50": "0 s", "tool_p99": "0 s", "sub": sub}
    trace, calls = made(agents=agents, duration="60 s")
    task = next(t for t in np.unique(calls.task) if (calls.task == t).sum() == 7)
    mine = np.flatnonzero(calls.task == task).tolist()
    main = [mine[0], mine[3], mine[6]]
    more = RESULT + 3 * OUTPUT  # its own answer, and those of two sub-agents
    assert trace.input_tokens[main].tolist() == [FIRST, FIRST + more, FIRST + 2 * more]
    waits = sorted(calls.before[calls.after == mine[3]].tolist())
    assert waits == mine[:3]


def test_same_seed_same_file_and_what_is_written_is_read(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        write(made(seed, agents={"sub": SUB}, duration="60 s")[0], tmp_path / f"{name}.jsonl")
    one, same, other = ((tmp_path / f"{name}.jsonl").read_bytes() for name in "abc")
    assert one == same != other
    trace, back = made(3, agents={"sub": SUB}, duration="60 s")[0], read(tmp_path / "a.jsonl").trace
    assert trace.prefixes is not None
    assert back.prefixes is not None
    np.testing.assert_allclose(back.arrival, trace.arrival, atol=1e-9)
    assert back.input_tokens.tolist() == trace.input_tokens.tolist()
    assert back.prefixes.hashes.tolist() == trace.prefixes.hashes.tolist()


def test_so_many_requests_as_are_asked_for() -> None:
    table = {key: value for key, value in STEADY.items() if key != "duration"}
    assert len(synthesise(spec_of(table | {"requests": 500}, "test"))) == 500


def test_thoughts_are_not_carried_over_to_the_next_prompt() -> None:
    quarter = STEADY["lengths"] | {"reasoning": 0.25}
    trace, calls = made(lengths=quarter)
    for task in whole_tasks(trace, calls)[:20]:
        mine = trace.input_tokens[calls.task == task]
        assert (np.diff(mine) == RESULT + OUTPUT * 3 // 4).all()


def test_effort_multiplies_outputs_and_calls() -> None:
    plain, calls = made(rate="40 1/s")
    more, longer = made(rate="40 1/s", effort={"output": 3.0, "calls": 2.0})
    assert (more.output_tokens == 3 * OUTPUT).all()
    number, share = call_distribution(12, 80)
    mean = np.bincount(longer.task)[whole_tasks(more, longer)].mean()
    assert mean == pytest.approx(float((number * share).sum()), rel=0.15)
    assert mean > 1.5 * np.bincount(calls.task)[whole_tasks(plain, calls)].mean()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"agents": {"calls_p50": 0.5}}, "calls_p50"),
        ({"agents": {"calls_p99": 3}}, "calls_p50 <= calls_p99"),
        ({"agents": {"tool_p50": "9 s"}}, "tool_p50 <= tool_p99"),
        ({"agents": {"tool_p50": "1 h 5"}}, "tool_p50"),
        ({"agents": {"reuse": 1.5}}, "reuse"),
        ({"agents": {"tools": "1 s"}}, "tools: unknown key"),
        ({"agents": {"sub": {"share": 2.0}}}, "sub.share"),
        ({"agents": {"sub": {"share": 0.1, "width": 0}}}, "width"),
        ({"agents": {"result": {"p50": 5}}}, "result"),
        ({"agents": {"reuse": 0.5}, "prefix": None}, "reuse"),
        ({"sessions": {"turns": 2, "think": "1 s"}}, "agents: give them or sessions"),
        ({"effort": {"success": 0.5}}, "effort.success"),
        ({"effort": {"output": 0.0}}, "effort: output"),
        ({"lengths": {"profile": "sharegpt", "reasoning": 1.0}}, "lengths.reasoning"),
    ],
)
def test_agents_that_cannot_be_are_refused(changes: dict[str, Any], says: str) -> None:
    table = {key: value for key, value in changes.items() if value is not None and key != "agents"}
    agents = STEADY["agents"] | changes.get("agents", {})
    whole = {key: value for key, value in STEADY.items() if changes.get(key, value) is not None}
    with pytest.raises(WorkloadError, match=says):
        synthesise(spec_of(whole | table | {"agents": agents}, "test"))
