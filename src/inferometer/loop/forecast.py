"""What a setting will do with given requests, before it is measured: the simulator's answer.

The requests to come are played to the engine that the overlay describes, and what comes out is
judged as a measured run is, over the same stretch and by the same formulas.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from inferometer.catalog.efficiency import efficiencies
from inferometer.errors import ScenarioError
from inferometer.loop.client import Shot
from inferometer.loop.drafting import Drafting
from inferometer.loop.drive import Run
from inferometer.loop.jobs import Job
from inferometer.loop.local import deployment_here
from inferometer.loop.readings import Spent
from inferometer.loop.setting import Setting
from inferometer.loop.summary import Summary, summarise
from inferometer.simulate.play import Play
from inferometer.simulate.records import Records
from inferometer.simulate.simulation import simulate
from inferometer.units import Watts
from inferometer.workload.trace import Trace

PREDICTED = "predicted"
"""Label of energy that the model gives: the declared draw for the whole time."""


def forecast(
    trace: Trace, file: Path, setting: Setting, overlay: Path, *, clients: int, draw: Watts,
    drafts: Drafting | None = None,
) -> Summary:  # fmt: skip
    """Return the figures of a closed loop to come.

    With drafts it is played twice, never and always with a draft in a step. The times of the two
    are weighed by the shares of tokens that come from steps of either kind, which is exact where
    a step takes a constant and as much again for each token that it computes.

    Args:
        trace: The requests; their times do not matter.
        file: GGUF file that is served.
        setting: Setting of the engine.
        overlay: What `calibrate --endpoint` wrote of it.
        clients: Requests in flight.
        draw: Declared draw of the machine while it serves.
        drafts: What drafts of the engine were seen to do with such requests; None for none.

    Raises:
        ScenarioError: the engine cannot run them.
    """
    deployment = deployment_here(file, setting, overlay)
    values = efficiencies(overlay)
    play = Play(clients=clients, timestamps=True)  # the load client does not know of agents
    found = simulate(trace, deployment, efficiencies=values, play=play)
    overhead = float(found.machine.rates.request_overhead[0])
    shots = shots_of(found.records, overhead)
    if drafts is not None:
        drafting = replace(deployment, speculation=drafts.speculation)
        always = simulate(trace, drafting, efficiencies=values, play=play)
        shots = _blended(shots, shots_of(always.records, overhead), drafts.share)
    run = _run(shots, clients)
    span = run.ended - run.began
    spent = Spent(
        span=span, processor=None, prompt_tokens=None, generated_tokens=None,
        joules=span * draw, energy_label=PREDICTED,
    )  # fmt: skip
    return summarise(run, spent, loop="closed")


def shots_of(records: Records, overhead: float) -> list[Shot]:
    """Return simulated records as requests, by their place in the trace."""
    if not bool(records.done.all()):
        raise ScenarioError("no forecast: the engine cannot run every request of the trace")
    return [_shot(records, row, overhead) for row in range(len(records.done))]


def _blended(plain: Sequence[Shot], drafted: Sequence[Shot], share: float) -> list[Shot]:
    """Return requests whose every instant lies between the same one of two runs."""

    def between(a: float, b: float) -> float:
        return a + share * (b - a)

    return [
        replace(
            one,
            due=between(one.due, other.due),
            sent=between(one.sent, other.sent),
            pieces=[between(a, b) for a, b in zip(one.pieces, other.pieces, strict=True)],
            ended=between(one.ended, other.ended),
        )
        for one, other in zip(plain, drafted, strict=True)
    ]


def _run(shots: Sequence[Shot], clients: int) -> Run:
    return Run(
        shots=tuple(sorted(shots, key=lambda shot: shot.sent)),
        began=0.0,
        exhausted=max(shot.sent for shot in shots),
        ended=max(shot.ended for shot in shots),
        clients=clients,
    )


def _shot(records: Records, row: int, overhead: float) -> Shot:
    prompt, output = int(records.prompt[row]), int(records.output[row])
    sent, last = float(records.arrival[row]), float(records.finished[row])
    first = float(records.first_token[row])
    return Shot(
        job=Job(at=sent, prompt="", input_tokens=prompt, output_tokens=output),
        due=sent - overhead,
        sent=sent,
        pieces=np.linspace(first, last, output).tolist(),
        ended=last,
        input_tokens=prompt,
        cached_tokens=int(records.cached[row]),
        output_tokens=output,
    )
