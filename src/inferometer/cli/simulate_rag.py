"""Retrieval before the model, played: queues of its stages, and the split of what it adds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inferometer.cli.playing import Setting, played
from inferometer.cli.rag import read_retrieval
from inferometer.cli.result import show_rows
from inferometer.errors import ScenarioError
from inferometer.plan.retrieval import Retrieval, stage_cost
from inferometer.simulate import measures
from inferometer.simulate.simulation import Simulation
from inferometer.simulate.totals import Tail, tails
from inferometer.workload.shape import shape_of
from inferometer.workload.stages import Servers, StageTime, retrieved, with_passages
from inferometer.workload.trace import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Rag:
    """Questions with retrieval.

    Attributes:
        trace: The questions, longer and delayed.
        long: The questions, longer alone.
        stages: What they meet in each stage.
    """

    trace: Trace
    long: Trace
    stages: tuple[StageTime, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreeWays:
    """The same questions without retrieval, with prompts as long as with it, and with it.

    Attributes:
        without: Questions alone.
        long: Questions with passages, which take no time to find.
        on: Questions that pass the stages and get passages.
        stages: What they meet in each stage.
    """

    without: Tail
    long: Tail
    on: Tail
    stages: tuple[StageTime, ...]


def rag_of(file: Path, questions: Trace) -> Rag:
    """Return the questions with the retrieval of a file.

    Stages have as many servers as `rag` buys for the busiest minute.

    Raises:
        ScenarioError: the file is at fault, or retrieval during the answer.
    """
    retrieval = read_retrieval(file)
    if retrieval.stride > 0:
        raise ScenarioError(
            f"{file}: retrieval.stride: retrieval during an answer is not played; leave it out"
        )
    tokens = retrieval.passages * retrieval.passage
    trace, met = retrieved(questions, tokens, _servers(retrieval, questions))
    return Rag(trace=trace, long=with_passages(questions, tokens), stages=met)


def _servers(retrieval: Retrieval, questions: Trace) -> list[Servers]:
    shape = shape_of(questions)
    return [
        Servers(
            name=stage.name,
            units=stage_cost(stage, retrieval, shape.peak_rate, shape.rate, 1).units,
            rate=stage.rate,
            calls=stage.calls,
            latency=stage.latency,
        )
        for stage in retrieval.stages
    ]


def three_ways(setting: Setting, rag: Rag, questions: Trace, run: Simulation) -> ThreeWays:
    """Return the three-way split.

    Args:
        setting: What plays the questions.
        rag: The questions with retrieval.
        questions: The questions alone.
        run: The run with retrieval.
    """
    runs = (played(setting, questions), played(setting, rag.long), run)
    without, long, on = (tails(measures.totals_of(one, setting.slo), one.gaps)[0] for one in runs)
    return ThreeWays(without=without, long=long, on=on, stages=rag.stages)


def show_three_ways(found: ThreeWays) -> None:
    """Print the split, and what requests meet in each stage."""
    cases = {
        "questions alone": found.without,
        "prompts as long as with passages": found.long,
        "with retrieval": found.on,
    }
    show_rows("Retrieval, played", [_way(name, tail) for name, tail in cases.items()])
    show_rows("Stages of retrieval, as queues", [
        {
            "stage": stage.name, "units": stage.units, "load": stage.load,
            "wait mean ms": stage.wait_mean * 1e3, "wait p99 ms": stage.wait_p99 * 1e3,
            "time mean ms": stage.time_mean * 1e3,
        }
        for stage in found.stages
    ])  # fmt: skip


def _way(name: str, tail: Tail) -> dict[str, Any]:
    return {
        "case": name,
        "TTFT p50 ms": tail.ttft.p50 * 1e3,
        "TTFT p99 ms": tail.ttft.p99 * 1e3,
        "TPOT p99 ms": tail.tpot.p99 * 1e3,
        "E2E p50 ms": tail.e2e.p50 * 1e3,
        "E2E p99 ms": tail.e2e.p99 * 1e3,
        "missed": tail.missed,
    }
