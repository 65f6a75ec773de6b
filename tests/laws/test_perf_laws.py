"""Laws that the performance model obeys for any deployment and load."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from perf_cases import deployment, machine

from inferometer.perf.clocks import at_clock
from inferometer.perf.closed_loop import closed_loop
from inferometer.perf.demand import fixed_lengths
from inferometer.perf.power import busy_draw, idle_power
from inferometer.perf.roofline import Machine
from inferometer.perf.static_batch import static_batch
from inferometer.perf.steady import steady

NAMES = ("llama-3.1-8b", "qwen3-30b-a3b", "deepseek-v3", "gemma-3-27b", "gpt-oss-120b")
CHIPS = ("a100-sxm-80gb", "h100-sxm", "b200", "mi300x", "l40s", "rtx-4090")


def built_on(name: str, chip: str, tensor: int) -> Machine:
    return machine(deployment(name, chip, tensor=tensor))


machines = st.builds(
    built_on,
    st.sampled_from(NAMES), st.sampled_from(CHIPS), st.sampled_from((1, 2, 4)),
)  # fmt: skip
sequences = st.floats(1, 500)
lengths = st.floats(8, 20_000)


def step(built: Machine, count: float, inputs: float, outputs: float) -> float:
    asked = fixed_lengths(np.array([inputs]), np.array([outputs]), built.shard.reaches)
    return float(steady(np.array([count]), built, asked).step[0])


@settings(max_examples=60, deadline=None)
@given(machines, sequences, st.floats(1.01, 4), lengths, lengths)
def test_a_step_never_shortens_with_more_sequences(
    built: Machine, count: float, more: float, inputs: float, outputs: float
) -> None:
    asked = fixed_lengths(np.array([inputs]), np.array([outputs]), built.shard.reaches)
    few, many = (steady(np.array([n]), built, asked) for n in (count, count * more))
    assert many.plain.total[0] >= few.plain.total[0] * (1 - 1e-9)


@settings(max_examples=60, deadline=None)
@given(machines, sequences, lengths, st.floats(1.01, 4))
def test_a_decode_step_never_shortens_with_longer_context(
    built: Machine, count: float, inputs: float, more: float
) -> None:
    short, long = (
        steady(np.array([count]), built,
               fixed_lengths(np.array([n]), np.array([100.0]), built.shard.reaches)).plain.total[0]
        for n in (inputs, inputs * more)
    )  # fmt: skip
    assert long >= short * (1 - 1e-9)


@settings(max_examples=40, deadline=None)
@given(machines, sequences, lengths, lengths)
def test_a_static_batch_ends_no_sooner_than_its_parts(
    built: Machine, count: float, inputs: float, outputs: float
) -> None:
    asked = fixed_lengths(np.array([inputs]), np.array([outputs]), built.shard.reaches)
    one = static_batch(np.array([count]), built, asked)
    assert one.total[0] >= one.prefill[0]
    assert one.total[0] >= (np.maximum(outputs, 1) - 1) * one.decode.total[0]


@settings(max_examples=40, deadline=None)
@given(machines, sequences, lengths, lengths, st.floats(0.2, 1))
def test_draw_stays_between_idle_and_limit_at_any_clock(
    built: Machine, count: float, inputs: float, outputs: float, clock: float
) -> None:
    slowed = at_clock(built, clock)
    asked = fixed_lengths(np.array([inputs]), np.array([outputs]), built.shard.reaches)
    watts = busy_draw(steady(np.array([count]), slowed, asked), 1.0, slowed).total[0]
    chip = built.candidates.accelerators[0]
    assert idle_power(built.candidates)[0] <= watts <= chip.tdp * (1 + 1e-9)


@settings(max_examples=40, deadline=None)
@given(machines, st.integers(1, 200), lengths, lengths)
def test_a_closed_loop_keeps_littles_law(
    built: Machine, clients: int, inputs: float, outputs: float
) -> None:
    asked = fixed_lengths(np.array([inputs]), np.array([outputs]), built.shard.reaches)
    count = np.array([float(clients)])
    loop = closed_loop(count, count, built, asked)
    held = loop.rate[0] * (loop.ttft[0] + max(outputs - 1, 1.0) * loop.tpot[0])
    assert abs(held / clients - 1) < 1e-9
