"""A sweep of a known engine gives back what made it."""

import dataclasses
import datetime as dt
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.candidates import one
from inferometer.catalog import tables
from inferometer.catalog.efficiency import efficiencies
from inferometer.catalog.models import model
from inferometer.deployment import Deployment, EngineSettings, Precision
from inferometer.errors import ScenarioError
from inferometer.loop.client import Endpoint, Shot
from inferometer.loop.fitting import fit, fitted, overlay_text, write_overlay
from inferometer.loop.jobs import Job
from inferometer.loop.local import calibrated_here
from inferometer.loop.machine import (
    ENGINE,
    KEY,
    Machine,
    cost_here,
    records,
    this_machine,
    watts_per_core,
)
from inferometer.loop.setting import Setting
from inferometer.loop.sweep import Sizes, Turn, count_for, filled, sample, steps
from inferometer.perf.demand import fixed_lengths
from inferometer.perf.roofline import compile_candidates
from inferometer.perf.steady import decode_step, prefill_time
from inferometer.simulate.play import Play
from inferometer.simulate.simulation import simulate
from inferometer.workload.trace import Trace

DAY = dt.date(2026, 11, 26)
MACHINE = Machine(
    name='Test "CPU"', cores=2, clock=2e9, memory=16e9, bandwidth=32e9, draw=16.0, cost=1e-4
)
ASSUMED = frozenset({"clock", "bandwidth"})


def _deployment(overlay: Path) -> Deployment:
    linear = tables.number_format("q8_0")
    return Deployment(
        model=model("smollm2-1.7b"),
        accelerator=tables.accelerators(overlay)[KEY],
        node=tables.nodes(overlay)[KEY],
        precision=Precision(linear=linear, experts=linear, kv=tables.number_format("fp16")),
        settings=EngineSettings(
            engine=tables.engines(overlay)[ENGINE], max_num_seqs=8, max_batched_tokens=2048,
            memory_fraction=1.0,
        ),
    )  # fmt: skip


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    path = tmp_path / "machine.toml"
    path.write_text(records(MACHINE, slots=8, day=DAY))
    return _deployment(path)


LENGTHS = (16, 50, 90, 130, 170, 256)


def _engine(
    lengths: Sequence[tuple[int, int]], clients: int, costs: tuple[float, float, float]
) -> list[Shot]:
    """Return a closed loop on an engine whose step takes what is said, told step by step.

    Args:
        lengths: Tokens of prompt and output of each request, in order.
        clients: Requests in flight.
        costs: Of a step, of each sequence in it, and of each prompt token.
    """
    queue, now = deque(enumerate(lengths)), 0.0
    coming, active = list[tuple[float, int]](), dict[int, int]()
    shots = dict[int, Shot]()
    for _ in range(min(clients, len(queue))):
        coming.append((0.0, queue.popleft()[0]))
    while coming or active:
        now = max(now, min(at for at, _ in coming)) if not active else now
        fresh = [one for one in coming if one[0] <= now]
        coming = [one for one in coming if one not in fresh]
        prompts = sum(lengths[row][0] for _, row in fresh)
        now += costs[0] + costs[1] * len(active) + costs[2] * prompts
        for sent, row in fresh:
            shots[row] = _shot(sent, lengths[row][0])
            active[row] = lengths[row][1]
        for row in list(active):
            shots[row].pieces.append(now)
            active[row] -= 1
            if not active[row]:
                del active[row]
                shots[row].ended, shots[row].output_tokens = now, lengths[row][1]
                if queue:
                    coming.append((now + REQUEST, queue.popleft()[0]))
    return [shots[row] for row in range(len(lengths))]


REQUEST = 0.004


def _shot(sent: float, prompt: int) -> Shot:
    job = Job(at=0.0, prompt="", input_tokens=prompt, output_tokens=2)
    return Shot(job=job, due=sent, sent=sent, input_tokens=prompt)


def _turn(
    costs: tuple[float, float, float], lengths: Sequence[tuple[int, int]] | None = None
) -> Turn:
    sent = lengths or [(prompt, 4 + 5 * n) for n, prompt in enumerate(2 * LENGTHS)]
    shots = _engine(sent, 4, costs)
    return Turn(
        alone=(16.0, REQUEST + costs[0] + 16 * costs[2]),
        steps=tuple(filled(steps(shots), 4)), context=100.0,
    )  # fmt: skip


COSTS = [(0.12, 0.10, 0.08), (0.05, 0.20, 0.08), (0.0, 0.09, 0.09), (0.3, 0.06, 0.10)]


@pytest.mark.parametrize("costs", COSTS)
def test_the_model_reproduces_the_sweep(
    deployment: Deployment, tmp_path: Path, costs: tuple[float, float, float]
) -> None:
    found = fit([_turn(costs)], deployment, efficiencies())
    path = tmp_path / "overlay.toml"
    text = overlay_text(found, deployment, records(MACHINE, slots=8, day=DAY), DAY)
    write_overlay(text, path)
    again = _deployment(path)
    machine = compile_candidates(one(again), efficiencies(path))
    demand = fixed_lengths(np.array([100.0]), np.array([24.0]), machine.shard.reaches)
    constant, each, token = costs
    for sequences in (1, 4, 8):
        step = float(decode_step(np.array([float(sequences)]), machine, demand).total[0])
        assert step == pytest.approx(constant + each * sequences, rel=0.1)
    prompts = fixed_lengths(np.array([119.0]), np.array([2.0]), machine.shard.reaches)
    spent = float(prefill_time(np.array([119.0]), np.array([0.0]), machine, prompts)[0])
    assert spent == pytest.approx(119 * token + constant, rel=0.1)
    assert found.request == pytest.approx(REQUEST, abs=0.02 * 16 * token)


@pytest.mark.parametrize("costs", COSTS)
def test_requests_that_were_not_swept_take_what_is_forecast(
    deployment: Deployment, costs: tuple[float, float, float]
) -> None:
    values = fitted(
        fit([_turn(costs)], deployment, efficiencies()), deployment, efficiencies(), DAY
    )
    chance = np.random.default_rng(2)
    unseen = Trace(
        arrival=np.zeros(40), input_tokens=chance.integers(16, 256, 40),
        output_tokens=chance.integers(4, 48, 40), name="closed",
    )  # fmt: skip
    lengths = list(zip(unseen.input_tokens.tolist(), unseen.output_tokens.tolist(), strict=True))
    told = max(shot.ended for shot in _engine(lengths, 8, costs))
    found = simulate(unseen, deployment, efficiencies=values, play=Play(clients=8))
    forecast = found.records.finished.max()
    assert forecast == pytest.approx(told, rel=0.05)


def test_a_machine_that_changes_its_pace_is_taken_in_between(deployment: Deployment) -> None:
    slow, fast = ((0.12 * k, 0.10 * k, 0.08 * k) for k in (1.2, 0.8))
    found = fit([_turn(slow), _turn(fast)], deployment, efficiencies())
    middle = fit([_turn((0.12, 0.10, 0.08))], deployment, efficiencies())
    assert found.step == pytest.approx(middle.step, rel=0.01)
    assert found.arithmetic == pytest.approx(middle.arithmetic, rel=0.01)


def test_tokens_that_came_together_are_a_step() -> None:
    def shot(sent: float, pieces: list[float]) -> Shot:
        found = _shot(sent, 20)
        found.pieces.extend(pieces)
        return found

    first = shot(0.0, [1.0, 2.0, 3.0, 4.01, 5.0])
    second = shot(0.5, [2.01, 3.01, 4.0])  # waits for the end of a step, and is worked at in one
    third = shot(3.5, [6.0, 7.0])  # its prompt takes two steps
    found = list(steps([first, second, third]))
    assert [(step.decoding, len(step.prompts), step.plain) for step in found] == [
        (0, 1, False), (1, 1, False), (2, 0, True), (2, 0, True), (1, 0, False), (0, 1, False),
        (1, 0, True),
    ]  # fmt: skip
    assert [step.span for step in found] == pytest.approx([1, 1, 1, 1, 1, 1, 1], abs=0.011)
    assert [step.prompts for step in filled(found, 2)] == [(), (), (), (20.0,), ()]
    close = list(steps([shot(0.0, [1.0, 1.001, 1.002, 2.0])]))
    assert [step.decoding for step in close] == [0, 1, 1, 1]


@given(
    prompts=st.lists(st.integers(1, 500), min_size=1, max_size=60),
    count=st.integers(1, 40), place=st.floats(0, 0.999),
)  # fmt: skip
def test_lengths_of_a_sweep_are_those_of_the_trace(
    prompts: list[int], count: int, place: float
) -> None:
    outputs = np.arange(len(prompts)) % 7 + 2
    like = Trace(arrival=np.zeros(len(prompts)), input_tokens=np.array(prompts),
                 output_tokens=outputs)  # fmt: skip
    inputs, answers = sample(like, count, place)
    pairs = set(zip(prompts, outputs.tolist(), strict=True))
    assert set(zip(inputs.tolist(), answers.tolist(), strict=True)) <= pairs
    assert len(inputs) == count
    assert answers[-1] == answers.max()
    if count >= len(prompts):
        assert set(inputs.tolist()) == set(prompts)


@given(slots=st.integers(2, 64), beyond=st.integers(1, 20))
def test_equal_requests_of_a_sweep_do_not_all_end_at_once(slots: int, beyond: int) -> None:
    count = count_for(slots, Sizes(beyond=beyond))
    assert count >= slots + beyond
    assert count % slots


def test_an_overlay_changes_nothing_else(deployment: Deployment, tmp_path: Path) -> None:
    found = fit([_turn((0.12, 0.1, 0.08))], deployment, efficiencies())
    path = tmp_path / "overlay.toml"
    records_text = records(MACHINE, slots=8, day=DAY)
    write_overlay(overlay_text(found, deployment, records_text, DAY), path)
    ours = {f"accelerator:{KEY}", f"release:{ENGINE}"}
    for name, parameter in efficiencies(path).items():
        shipped = efficiencies()[name]
        assert parameter.base == shipped.base
        assert {k: v for k, v in parameter.factors.items() if k not in ours} == shipped.factors


def test_a_disturbed_sweep_is_refused(deployment: Deployment) -> None:
    sound = _turn((0.1, 0.1, 0.08))
    no_time = [dataclasses.replace(s, span=0.1) if s.prompts else s for s in sound.steps]
    fewer = [
        dataclasses.replace(s, span=0.6 - 0.1 * s.decoding) if s.plain else s for s in sound.steps
    ]
    for disturbed in (no_time, fewer):
        with pytest.raises(ScenarioError, match="too disturbed"):
            fit([dataclasses.replace(sound, steps=tuple(disturbed))], deployment, efficiencies())


def test_a_sweep_that_saw_one_number_of_sequences_is_refused(deployment: Deployment) -> None:
    sound = _turn((0.1, 0.1, 0.08))
    full = [dataclasses.replace(s, plain=s.plain and s.decoding == 4) for s in sound.steps]
    with pytest.raises(ScenarioError, match=r"1 number\(s\) of sequences"):
        fit([dataclasses.replace(sound, steps=tuple(full))], deployment, efficiencies())


def test_rent_and_draw_are_declared_or_the_catalogues() -> None:
    assert cost_here(3.6) == pytest.approx(0.001)
    assert cost_here() > 0
    assert watts_per_core() > 0
    with pytest.raises(ScenarioError):
        cost_here(0.0)


def test_records_say_what_was_measured_and_what_is_the_templates(tmp_path: Path) -> None:
    path = tmp_path / "machine.toml"
    for assumed, evidence in ((frozenset[str](), "measured"), (ASSUMED, "assumed")):
        machine = dataclasses.replace(MACHINE, assumed=assumed)
        path.write_text(records(machine, slots=8, day=DAY))
        sources = tables.accelerators(path)[KEY].sources
        assert sources["memory_bandwidth"].evidence == evidence
        assert sources["peak_bf16"].evidence == "assumed"
        assert ("cpu-x86-2core" in sources["peak_bf16"].source) == ("clock" in assumed)
    engine = tables.engines(path)[ENGINE].sources
    assert {one.evidence for one in engine.values()} == {"assumed"}
    here = this_machine()
    assert here.assumed <= ASSUMED
    assert here.bandwidth >= tables.accelerators()["cpu-x86-2core"].memory_bandwidth


def test_an_engine_elsewhere_is_not_described_as_this_machine(tmp_path: Path) -> None:
    away = Endpoint(url="http://192.0.2.1:8080", model="m")
    with pytest.raises(ScenarioError, match="may be another machine's"):
        calibrated_here(
            away, tmp_path / "m.gguf", Setting(), tmp_path / "o.toml", pytest.fail, machine=MACHINE
        )


def test_one_slot_is_too_few_to_tell_a_sequence_from_a_step(tmp_path: Path) -> None:
    here = Endpoint(url="http://127.0.0.1:9", model="m")
    with pytest.raises(ScenarioError, match=r"slots is 1: .*2 slots or more"):
        calibrated_here(
            here, tmp_path / "m.gguf", Setting(slots=1), tmp_path / "o.toml", pytest.fail,
            machine=MACHINE,
        )  # fmt: skip
