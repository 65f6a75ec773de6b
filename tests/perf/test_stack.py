import numpy as np
from perf_cases import deployment, machine

from inferometer.perf.closed_loop import closed_loop
from inferometer.perf.demand import fixed_lengths
from inferometer.perf.stack import stack

MODELS = ("llama-3.1-8b", "gpt-oss-20b", "deepseek-v3", "qwen3-30b-a3b")


def test_models_side_by_side_give_what_each_gives_alone() -> None:
    alone = [machine(deployment(name, "b200", tensor=8, expert=False)) for name in MODELS]
    inputs, outputs, clients = np.full(4, 900.0), np.full(4, 300.0), np.full(4, 24.0)
    together = stack(alone)
    whole = closed_loop(
        clients, clients, together, fixed_lengths(inputs, outputs, together.shard.reaches)
    )
    for place, one in enumerate(alone):
        asked = fixed_lengths(inputs[:1], outputs[:1], one.shard.reaches)
        single = closed_loop(clients[:1], clients[:1], one, asked)
        np.testing.assert_allclose(whole.tpot[place], single.tpot[0], rtol=1e-12)
        np.testing.assert_allclose(whole.ttft[place], single.ttft[0], rtol=1e-9)
