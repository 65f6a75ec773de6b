"""AC-12: an agent of nine calls sends 19,800 prompt tokens, of which caching leaves 3,400."""

from dataclasses import replace

import numpy as np
import pytest
from simulate_cases import deployment

from inferometer.catalog.efficiency import efficiencies
from inferometer.simulate.play import Play
from inferometer.simulate.simulation import simulate
from inferometer.workload.trace import Prefixes, Trace

CALLS, FIRST, MORE, UNIT = 9, 1000, 300, 100


def agent() -> Trace:
    """Return the calls of one agent, each prompt the last one and what came of it."""
    prompts = FIRST + MORE * np.arange(CALLS)
    blocks = prompts // UNIT
    return Trace(
        arrival=np.zeros(CALLS),
        input_tokens=prompts,
        output_tokens=np.full(CALLS, 50),
        session=np.zeros(CALLS, np.int64),
        prefixes=Prefixes(
            hashes=np.concatenate([np.arange(count) for count in blocks]),
            offsets=np.cumsum([0, *blocks]),
            block_size=UNIT,
        ),
    )


def test_AC_12_agent_tokens() -> None:
    built, play = deployment(block=1, budget=4096), Play(think=1.0)
    records = simulate(agent(), built, efficiencies=efficiencies(), play=play).records
    assert records.prompt.sum() == 19_800 == 19.8 * FIRST
    assert (records.prompt - records.cached).sum() == 3_400
    assert records.cached.sum() / records.prompt.sum() == pytest.approx(0.828, abs=5e-4)
    off = replace(built, settings=replace(built.settings, prefix_caching=False))
    assert simulate(agent(), off, efficiencies=efficiencies(), play=play).records.cached.sum() == 0
