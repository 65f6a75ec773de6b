"""What is kept, what is dropped and why; faults of the real engine leave nothing running."""

import os
import re
import signal
import threading
import time
from pathlib import Path

import pytest
from loop_cases import gone, require_engine

from inferometer.errors import EngineError, InfeasibleError
from inferometer.loop.bench import Load, bench
from inferometer.loop.jobs import Bounds, fitted, jobs_of
from inferometer.loop.launch import model_file
from inferometer.loop.machine import Machine
from inferometer.loop.optimise import Task, optimise
from inferometer.loop.processor import pid_behind, processor_seconds
from inferometer.loop.quality import Quality, default_text
from inferometer.loop.setting import Setting
from inferometer.loop.sweep import Sizes
from inferometer.loop.trial import Bed, engine, measured
from inferometer.loop.walk import Axes, Bound, candidates
from inferometer.workload.slo import parse_slo
from inferometer.workload.spec import LengthSpec, WorkloadSpec
from inferometer.workload.synthesis import synthesise
from inferometer.workload.trace import Trace

MACHINE = Machine(
    name="test", cores=2, clock=2e9, memory=16e9, bandwidth=32e9, draw=16.0, cost=4e-5
)
SHIPPED = Setting(context=192, threads=1)


def _trace(requests: int, output: int = 8) -> Trace:
    lengths = LengthSpec(profile="azure-2023-conv")
    spec = WorkloadSpec(rate=1.0, requests=requests, lengths=lengths)
    bounds = Bounds(prompt=32, output=output)
    return fitted(synthesise(spec), bounds, requests=0, rate=0, seed=0)[0]


def _task(**changes: object) -> Task:
    given: dict[str, object] = {
        "trace": _trace(8), "shipped": SHIPPED, "text": default_text(), "positions": 24,
        "axes": Axes(weights=(), slots=()),
        "sizes": Sizes(prompts=1, turns=1, beyond=4),
        "rounds": 2, "measured": 1,
    }  # fmt: skip
    return Task(**{**given, **changes})  # pyrefly: ignore


def _bed(folder: Path) -> Bed:
    return Bed(shipped=model_file(), machine=MACHINE, folder=folder, say=lambda _: None)


def test_every_combination_is_a_candidate_and_the_shipped_one_is_first() -> None:
    found = candidates(Setting(), Axes(weights=("q8_0",), slots=(4, 8), threads=(0, 1)))
    settings = [one.setting for one in found]
    assert settings[0] == Setting()
    assert len(settings) == len(set(settings)) == 2 * 2 * 2
    assert {(s.weights, s.slots, s.threads) for s in settings} >= {("q8_0", 8, 1)}


def test_the_bound_on_quality_names_what_was_lost() -> None:
    def quality(ratio: float) -> Quality:
        return Quality(perplexity=20.0, ratio=ratio, ratio_low=ratio, ratio_high=ratio,
                       divergence=0.0, same_top=1.0, outside=0.0, positions=10)  # fmt: skip

    assert Bound().fault(quality(1.05)) == ""
    assert "1.219 x the reference, 1.05 allowed" in Bound().fault(quality(1.219))


def test_an_engine_killed_under_load_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    require_engine()
    killed = list[int]()

    def kill(url: str) -> None:
        time.sleep(0.7)
        pid = pid_behind(url)
        assert pid is not None
        killed.append(pid)
        os.kill(pid, signal.SIGKILL)

    def under_load() -> None:
        with engine(_bed(tmp_path), SHIPPED) as endpoint:
            thread = threading.Thread(target=kill, args=(endpoint.url,))
            thread.start()
            try:
                bench(endpoint, jobs_of(_trace(200, output=32), 0), Load(clients=4, warm=0))
            finally:
                thread.join()

    with pytest.raises(EngineError) as died:
        under_load()
    said = r"4 slots.*; \d+ of 200 requests had been answered; its process ended with -9"
    assert re.search(said, str(died.value))
    assert gone(killed)


def test_an_impossible_slo_is_infeasible_and_says_how_far_it_is(tmp_path: Path) -> None:
    require_engine()
    task = _task(slo=parse_slo(["tpot p50 <= 0.01 ms"]))
    with pytest.raises(InfeasibleError, match=r"no setting keeps the SLO.*tpot p50 <= 0.01 ms: "):
        optimise(task, _bed(tmp_path))


def test_a_quality_bound_that_nothing_keeps_is_infeasible(tmp_path: Path) -> None:
    require_engine()
    with pytest.raises(InfeasibleError, match=r"keeps the quality bound of 0\.5 x"):
        optimise(_task(bound=Bound(ratio=0.5)), _bed(tmp_path))


def test_drafts_are_walked_like_any_setting(tmp_path: Path) -> None:
    require_engine()
    axes = Axes(weights=(), slots=(), threads=(), draft=(4,))
    found = optimise(_task(axes=axes, trace=_trace(8, output=32)), _bed(tmp_path))
    shipped, drafts = found.walk
    assert (shipped.setting.draft, drafts.setting.draft) == (0, 4)
    assert drafts.quality == shipped.quality
    assert drafts.predicted is not None
    assert all(run.drafted == 0 for run in shipped.runs)
    assert all(run.drafted is not None for run in drafts.runs)
    assert drafts is found.best or drafts.dropped


def test_a_measured_run_counts_what_the_engine_counts(tmp_path: Path) -> None:
    require_engine()
    trace = _trace(8)
    found = measured(_bed(tmp_path), SHIPPED, jobs_of(trace, 0))
    assert (found.requests, found.failed, found.clients) == (8, 0, 4)
    assert found.output_tokens == pytest.approx(trace.output_tokens.mean(), abs=0.01)
    assert found.energy_label in {"modelled", "rapl", "nvml"}
    assert processor_seconds(os.getpid())
