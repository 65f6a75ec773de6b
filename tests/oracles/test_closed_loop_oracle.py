"""TTFT of a closed loop in closed form, held against a twin that runs it step by step."""

from dataclasses import dataclass

import numpy as np
import pytest
from perf_cases import deployment, machine

from inferometer.perf.closed_loop import closed_loop
from inferometer.perf.demand import fixed_lengths
from inferometer.perf.steady import decode_step, prefill_time

WARM_UP, ROUNDS = 3, 10
BUDGET = 8192


@dataclass
class Request:
    came: float
    prompt: int
    output: int


@dataclass
class Costs:
    alone: float
    each: float
    token: float


def twin(clients: int, inputs: int, outputs: int, cost: Costs) -> float:
    """Return the mean TTFT after the first rounds: chunked prefill beside decodes, in order.

    Lengths vary by a tenth either way. An answered client's next request comes when the step that
    follows has begun, and waits for its end.
    """
    chance, clock, found = np.random.default_rng(7), 0.0, list[float]()

    def request() -> Request:
        spread = [round(mean * chance.uniform(0.9, 1.1)) for mean in (inputs, outputs)]
        return Request(clock, *spread)

    waiting, running = [request() for _ in range(clients)], list[Request]()
    late = list[Request]()
    while len(found) < ROUNDS * clients:
        if not waiting and not running:
            waiting, late = late, list[Request]()
        done = prefilled(waiting, BUDGET - len(running))
        tokens = sum(taken for taken, _ in done)
        clock += cost.alone + cost.each * len(running) + cost.token * tokens
        first = [one for _, one in done if not one.prompt]
        waiting = [one for one in waiting if one.prompt] + late
        found += [clock - one.came for one in first]
        running += first
        for one in running:
            one.output -= 1
        late = [request() for one in running if one.output <= 0]
        running = [one for one in running if one.output > 0]
    return float(np.mean(found[WARM_UP * clients :]))


def prefilled(waiting: list[Request], budget: int) -> list[tuple[int, Request]]:
    """Return how much of each prompt the step takes, off the prompts as well."""
    parts = list[tuple[int, Request]]()
    for one in waiting:
        taken = min(one.prompt, budget)
        one.prompt, budget = one.prompt - taken, budget - taken
        if taken:
            parts.append((taken, one))
    return parts


@pytest.mark.parametrize(
    ("clients", "inputs", "outputs"),
    [(1, 1024, 128), (8, 1024, 512), (32, 1024, 512), (32, 1024, 128), (8, 4096, 256),
     (64, 4096, 256), (128, 512, 512)],
)  # fmt: skip
def test_ttft_is_that_of_the_twin(clients: int, inputs: int, outputs: int) -> None:
    built = machine(deployment())
    asked = fixed_lengths(np.array([float(inputs)]), np.array([float(outputs)]),
                          built.shard.reaches)  # fmt: skip

    def step(sequences: float) -> float:
        return float(decode_step(np.array([sequences]), built, asked).total[0])

    each = (step(64) - step(1)) / 63
    alone = step(1) - each
    prompt = float(prefill_time(float(inputs), np.zeros(1), built, asked)[0])
    costs = Costs(alone=alone, each=each, token=(prompt - alone) / inputs)
    count = np.array([float(clients)])
    loop = closed_loop(count, count, built, asked)
    ttft = float((loop.ttft - built.rates.request_overhead)[0])
    assert ttft == pytest.approx(twin(clients, inputs, outputs, costs), rel=0.2)
