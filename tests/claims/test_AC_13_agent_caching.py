"""AC-13: a prefix cache helps agents several times over, chat hardly (Kim et al. 2506.04301).

ReAct-like: 9 calls, a context of about 1,000 tokens at first, mostly few-shot instructions that all
agents share, growing threefold by what tools return; short answers. Chat: prompts of their own,
long answers, few turns. 8B on one A100.
"""

from dataclasses import replace

import numpy as np
from simulate_cases import deployment

from inferometer.catalog.efficiency import efficiencies
from inferometer.catalog.models import model
from inferometer.catalog.tables import accelerator, node
from inferometer.deployment import Deployment
from inferometer.simulate.play import Play
from inferometer.simulate.simulation import Simulation, simulate
from inferometer.workload.trace import Prefixes, Trace

UNIT = 16


def conversations(*, shared: int, first: int, more: int, turns: int, output: int) -> Trace:
    """Return 60 sessions: a prompt part shared by all, then one of its own that grows by turn."""
    sessions = 60
    hashes = list[int]()
    offsets, prompts, owners = [0], list[int](), list[int]()
    for turn in range(turns):
        for session in range(sessions):
            own = first + more * turn
            prompts.append(shared + own)
            owners.append(session)
            hashes += range(shared // UNIT)
            hashes += range(10**6 * (session + 1), 10**6 * (session + 1) + own // UNIT)
            offsets.append(len(hashes))
    return Trace(
        arrival=np.zeros(len(prompts)),
        input_tokens=np.array(prompts),
        output_tokens=np.full(len(prompts), output),
        session=np.array(owners),
        prefixes=Prefixes(hashes=np.array(hashes), offsets=np.array(offsets), block_size=UNIT),
    )


def gain(trace: Trace) -> tuple[float, float]:
    """Return throughput, and time in steps with prompt tokens, with the cache over without."""
    chip = accelerator("a100-sxm-80gb")
    built = replace(
        deployment(sequences=64, budget=2048),
        model=model("llama-3.1-8b"), accelerator=chip, node=node(chip.key),
    )  # fmt: skip
    off = replace(built, settings=replace(built.settings, prefix_caching=False))
    on, without = (played(trace, case) for case in (built, off))
    return without.end / on.end, on.sums["mixed_time"] / without.sums["mixed_time"]


def played(trace: Trace, built: Deployment) -> Simulation:
    return simulate(trace, built, efficiencies=efficiencies(), play=Play(think=0.0))


def test_AC_13_agent_caching() -> None:
    agent = conversations(shared=1008, first=208, more=304, turns=9, output=48)
    chat = conversations(shared=0, first=160, more=160, turns=2, output=320)
    throughput, prompts = gain(agent)
    assert 4 <= throughput <= 7
    assert prompts <= 0.5
    throughput, _ = gain(chat)
    assert 1.0 <= throughput <= 1.1
