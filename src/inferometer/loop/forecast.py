"""What a setting will do with given requests, before it is measured: the simulator's answer.

The requests to come are played to the engine that the overlay describes, and what comes out is
judged as a measured run is, over the same stretch and by the same formulas.
"""

from pathlib import Path

import numpy as np

from inferometer.catalog.efficiency import efficiencies
from inferometer.errors import ScenarioError
from inferometer.loop.client import Shot
from inferometer.loop.drive import Run
from inferometer.loop.jobs import Job
from inferometer.loop.local import deployment_here
from inferometer.loop.readings import Spent
from inferometer.loop.setting import Setting
from inferometer.loop.summary import Summary, summarise
from inferometer.simulate.play import Play
from inferometer.simulate.simulation import Records, simulate
from inferometer.units import Watts
from inferometer.workload.trace import Trace

PREDICTED = "predicted"
"""Label of energy that the model gives: the declared draw for the whole time."""


def forecast(
    trace: Trace, file: Path, setting: Setting, overlay: Path, *, clients: int, draw: Watts
) -> Summary:
    """Return the figures of a closed loop to come.

    Args:
        trace: The requests; their times do not matter.
        file: GGUF file that is served.
        setting: Setting of the engine.
        overlay: What `calibrate --endpoint` wrote of it.
        clients: Requests in flight.
        draw: Declared draw of the machine while it serves.

    Raises:
        ScenarioError: the engine cannot run them.
    """
    deployment = deployment_here(file, setting, overlay)
    values = efficiencies(overlay)
    found = simulate(trace, deployment, efficiencies=values, play=Play(clients=clients))
    overhead = float(found.machine.rates.request_overhead[0])
    run = _run(found.records, clients, overhead)
    span = run.ended - run.began
    spent = Spent(
        span=span, processor=None, prompt_tokens=None, generated_tokens=None,
        joules=span * draw, energy_label=PREDICTED,
    )  # fmt: skip
    return summarise(run, spent, loop="closed")


def _run(records: Records, clients: int, overhead: float) -> Run:
    """Return simulated records as a run, tokens evenly between the first and the last."""
    if not bool(records.done.all()):
        raise ScenarioError("no forecast: the engine cannot run every request of the trace")
    shots = [
        _shot(records, row, overhead) for row in np.argsort(records.arrival, kind="stable").tolist()
    ]
    return Run(
        shots=tuple(shots),
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
