"""A real vLLM run, replayed: simulated against measured requests.

300 ShareGPT requests to Llama 3.1 8B on one RTX PRO 6000 (vLLM 0.19, published with LLMServingSim).
Settings assumed: vLLM's defaults for this accelerator, but for 128 running sequences, where the
run's own log levels off. The edition of the card is not stated: the server edition is assumed,
`--gpu rtx-pro-6000-workstation` takes the other. Nothing is fitted to this run. TTFT is
first_token_ts - queued_ts and E2E last_token_ts - queued_ts, both inside the engine, so HTTP and
tokeniser do not count.
"""

import argparse
import csv
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from inferometer.catalog.efficiency import Efficiencies, efficiencies
from inferometer.catalog.models import model
from inferometer.cli.inputs import deployment_of
from inferometer.cli.scenario import DeploymentSpec
from inferometer.simulate.play import Play
from inferometer.simulate.simulation import Simulation, simulate
from inferometer.workload.formats.files import read
from inferometer.workload.trace import Floats, Ints

RUN = "llmservingsim_RTXPRO6000_Llama-3.1-8B"
SEQUENCES = 128


def main() -> None:
    """Print the errors; draw running and waiting requests if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    parser.add_argument("--prior", action="store_true", help="parameters before any fit")
    parser.add_argument("--gpu", default="rtx-pro-6000", help="edition of the accelerator")
    parser.add_argument("--plot", type=Path, help="image of both time series")
    options = parser.parse_args()
    folder = Path(os.environ.get("INFEROMETER_DATA", "../shared/data")) / "traces"
    parameters = prior() if options.prior else efficiencies()
    run = replayed(folder, parameters, options.gpu)
    found = compared(run, folder)
    lines = (f"{name}: {value:,.4g}" for name, value in found.items())
    sys.stdout.write((json.dumps(found) if options.json else "\n".join(lines)) + "\n")
    if options.plot:
        draw(run, folder, options.plot)


def prior() -> Efficiencies:
    """Return the parameters as they were plausible from the literature, before any fit."""
    return {
        key: replace(parameter, base=parameter.prior, factors={})
        for key, parameter in efficiencies().items()
    }


def replayed(folder: Path, parameters: Efficiencies, gpu: str) -> Simulation:
    """Return the simulation of the run's workload on an edition of the accelerator."""
    spec = DeploymentSpec(gpu=gpu, weights="bf16", max_num_seqs=SEQUENCES)
    built = deployment_of(model("llama-3.1-8b"), spec)
    trace = read(folder / f"{RUN}.workload.jsonl").trace
    return simulate(trace, built, efficiencies=parameters, play=Play(interval=1.0))


def compared(run: Simulation, folder: Path) -> dict[str, float]:
    """Return simulated and measured values, and simulated / measured - 1, by metric."""
    ours, theirs = simulated(run), measured(folder)
    found: dict[str, float] = {}
    for name, values in ours.items():
        for level in (50, 99):
            pair = [float(np.percentile(both, level)) for both in (values, theirs[name])]
            found[f"{name}_p{level}_ms"] = pair[0] * 1e3
            found[f"{name}_p{level}_ms_measured"] = pair[1] * 1e3
            found[f"{name}_p{level}_error"] = pair[0] / pair[1] - 1
    whole = float((theirs["e2e"] + theirs["start"]).max())
    found |= {"total_s": run.end, "total_s_measured": whole, "total_error": run.end / whole - 1}
    return found


def simulated(run: Simulation) -> dict[str, Floats]:
    """Return the latencies of every request inside the engine, s [request]."""
    records = run.records
    return {
        "ttft": records.first_token - records.arrival,
        "tpot": per_token(records.finished - records.first_token, records.output),
        "e2e": records.finished - records.arrival,
    }


def measured(folder: Path) -> dict[str, Floats]:
    """Return the same of the run, and when each request started."""
    lines = (folder / f"{RUN}.requests.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    names = ("queued_ts", "first_token_ts", "last_token_ts", "output_toks")
    queued, first, last, output = (np.array([float(row[name]) for row in rows]) for name in names)
    return {
        "ttft": first - queued,
        "tpot": per_token(last - first, output),
        "e2e": last - queued,
        "start": queued - queued.min(),
    }


def per_token(decode: Floats, output: Floats | Ints) -> Floats:
    """Return decode time over gaps, of requests that have any."""
    several = output > 1
    return decode[several] / (output[several] - 1)


def draw(run: Simulation, folder: Path, path: Path) -> None:
    """Draw running and waiting requests of both over time."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - only for the plot

    with (folder / f"{RUN}.timeseries.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    times = np.arange(len(run.series.running)) * run.series.interval
    for name, colour in (("running", "C0"), ("waiting", "C1")):
        axes.plot(times, getattr(run.series, name), colour, label=f"{name}, simulated")
        axes.plot([float(row["t"]) for row in rows], [float(row[name]) for row in rows],
                  colour, linestyle=":", label=f"{name}, measured")  # fmt: skip
    axes.set_xlabel("time, s")
    axes.set_ylabel("requests")
    axes.legend()
    figure.savefig(path)


if __name__ == "__main__":
    main()
