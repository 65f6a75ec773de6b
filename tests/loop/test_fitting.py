"""A sweep of a known engine gives back what made it."""

import dataclasses
import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from inferometer.candidates import one
from inferometer.catalog import tables
from inferometer.catalog.efficiency import efficiencies
from inferometer.catalog.models import model
from inferometer.deployment import Deployment, EngineSettings, Precision
from inferometer.errors import ScenarioError
from inferometer.loop.client import Endpoint, Shot
from inferometer.loop.fitting import Fit, fit, fitted, overlay_text, write_overlay
from inferometer.loop.forecast import shots_of
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
from inferometer.loop.sweep import Mixture, Step, Sweep, mixture
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


LENGTHS = (16.0, 50.0, 90.0, 130.0, 170.0, 256.0)


def _sweep(constant: float, each: float, token: float) -> Sweep:
    steps = tuple(Step(clients=n, gap=constant + each * n, context=30.0) for n in (1, 8))
    prompts = sum(LENGTHS) * token
    mixture = Mixture(
        prompts=LENGTHS, span=prompts + 40 * constant + 160 * each, steps=40.0, decoded=160
    )
    alone = 0.003 + constant + each
    return Sweep(alone=(16.0, 16 * token + alone), steps=steps, mixture=mixture)


@pytest.mark.parametrize(
    ("constant", "each", "token"),
    [(0.12, 0.10, 0.08), (0.05, 0.20, 0.08), (0.0, 0.09, 0.09), (0.3, 0.06, 0.10)],
)
def test_the_model_reproduces_the_sweep(
    deployment: Deployment, tmp_path: Path, constant: float, each: float, token: float
) -> None:
    found = fit(_sweep(constant, each, token), deployment, efficiencies())
    path = tmp_path / "overlay.toml"
    text = overlay_text(found, deployment, records(MACHINE, slots=8, day=DAY), DAY)
    write_overlay(text, path)
    again = _deployment(path)
    machine = compile_candidates(one(again), efficiencies(path))
    demand = fixed_lengths(np.array([18.0]), np.array([24.0]), machine.shard.reaches)
    for sequences in (1, 4, 8):
        step = float(decode_step(np.array([float(sequences)]), machine, demand).total[0])
        assert step == pytest.approx(constant + each * sequences, rel=0.1)
    prompts = fixed_lengths(np.array([119.0]), np.array([2.0]), machine.shard.reaches)
    spent = float(prefill_time(np.array([119.0]), np.array([0.0]), machine, prompts)[0])
    assert spent == pytest.approx(119 * token + constant, rel=0.1)


def test_an_engine_that_obeys_the_model_is_forecast_as_it_is(
    deployment: Deployment, tmp_path: Path
) -> None:
    """Swept by requests of the sweep's kind, a simulated engine does what is then forecast."""
    truth = Fit(arithmetic=40e9, step=0.05, sequence=0.02, prefill=0.03, request=0.004)
    values = fitted(truth, deployment, efficiencies(), DAY)
    engine = compile_candidates(one(deployment), values)
    demand = fixed_lengths(np.array([18.0]), np.array([24.0]), engine.shard.reaches)
    steps = tuple(
        Step(
            clients=n, context=30.0,
            gap=float(decode_step(np.array([float(n)]), engine, demand).total[0]),
        )
        for n in (1, 8)
    )  # fmt: skip
    loop = Play(clients=8)
    shots = shots_of(
        simulate(_trace(24, 1), deployment, efficiencies=values, play=loop).records, 0.004
    )
    alone = 0.004 + steps[0].gap + float(
        prefill_time(np.array([16.0]), np.array([0.0]), engine, demand)[0]
    ) - truth.step  # fmt: skip
    swept = Sweep(alone=(16.0, alone), steps=steps, mixture=mixture(shots))
    again = fitted(fit(swept, deployment, efficiencies()), deployment, efficiencies(), DAY)
    unseen = _trace(40, 2)
    ends = [
        simulate(unseen, deployment, efficiencies=using, play=loop).records.finished.max()
        for using in (values, again)
    ]
    assert ends[1] == pytest.approx(ends[0], rel=0.05)


def _trace(count: int, seed: int) -> Trace:
    chance = np.random.default_rng(seed)
    return Trace(
        arrival=np.zeros(count), input_tokens=chance.integers(16, 256, count),
        output_tokens=chance.integers(4, 48, count), name="closed",
    )  # fmt: skip


def test_tokens_of_a_mixture_are_parts_of_steps() -> None:
    job = Job(at=0.0, prompt="", input_tokens=20, output_tokens=3)

    def shot(sent: float, pieces: list[float]) -> Shot:
        return Shot(
            job=job, due=sent, sent=sent, pieces=pieces, ended=pieces[-1], input_tokens=20,
            cached_tokens=5, output_tokens=len(pieces),
        )  # fmt: skip

    found = mixture([shot(0.0, [1.0, 2.0, 3.0, 4.0]), shot(0.5, [2.0, 3.0]), shot(3.0, [4.0, 5.0])])
    assert found == Mixture(prompts=(15.0, 15.0, 15.0), span=4.0, steps=3.0, decoded=4)


def test_an_overlay_changes_nothing_else(deployment: Deployment, tmp_path: Path) -> None:
    found = fit(_sweep(0.12, 0.1, 0.08), deployment, efficiencies())
    path = tmp_path / "overlay.toml"
    records_text = records(MACHINE, slots=8, day=DAY)
    write_overlay(overlay_text(found, deployment, records_text, DAY), path)
    ours = {f"accelerator:{KEY}", f"release:{ENGINE}"}
    for name, parameter in efficiencies(path).items():
        shipped = efficiencies()[name]
        assert parameter.base == shipped.base
        assert {k: v for k, v in parameter.factors.items() if k not in ours} == shipped.factors


def test_a_disturbed_sweep_is_refused(deployment: Deployment) -> None:
    sound = _sweep(0.1, 0.1, 0.08)
    faster = dataclasses.replace(
        sound, mixture=dataclasses.replace(sound.mixture, span=40 * 0.1 + 159 * 0.1)
    )
    fewer = dataclasses.replace(sound, steps=tuple(reversed(
        [dataclasses.replace(s, clients=9 - s.clients) for s in sound.steps])))  # fmt: skip
    for disturbed in (faster, fewer):
        with pytest.raises(ScenarioError, match="too disturbed"):
            fit(disturbed, deployment, efficiencies())


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
