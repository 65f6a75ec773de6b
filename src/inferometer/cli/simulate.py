"""`inferometer simulate`: play a workload, request by request, to one stated deployment."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from inferometer.account.bill import Bill, bill
from inferometer.cli import inputs
from inferometer.cli.knee import knee, loads
from inferometer.cli.operating_options import Operating
from inferometer.cli.options import Format, Question, Stated, scenario_of
from inferometer.cli.playing import Setting, faster, played, predicted, setting_of
from inferometer.cli.record_files import record_file
from inferometer.cli.result import show_json
from inferometer.cli.scenario import Scenario
from inferometer.cli.serving_options import ServingOptions, serving_of
from inferometer.cli.simulate_tables import jitter, rent, show_run
from inferometer.errors import ScenarioError
from inferometer.outcome import Outcome
from inferometer.simulate import measures
from inferometer.simulate.groups import Groups, groups_of
from inferometer.simulate.simulation import Simulation
from inferometer.simulate.stream import PART, Sink
from inferometer.simulate.tasks import task_times
from inferometer.simulate.totals import tails
from inferometer.workload.formats.parquet import parquet_parts
from inferometer.workload.trace import Trace


@Parameter(name="*")
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Playing:
    """How the workload is played.

    Attributes:
        timestamps: Whether calls of agents come at the times of the trace, whatever became of those
            that they wait for.
        speedup: Factor by which arrivals are compressed.
        retrieval: TOML file with a [retrieval] table, as `rag` takes it: requests pass its stages,
            each a queue, and get passages; the same without either is played beside it.
        records: File for one row per request, .jsonl or .parquet.
        stream: Whether a .parquet trace is read part by part, so that memory does not grow with it.
        plot: PNG or SVG file for replicas, queue and KV cache over time.
        plot_itl: PNG or SVG file for the histogram of gaps between tokens.
        plot_knee: PNG or SVG file for latency and goodput against the offered rate, of further
            runs.
        rates: Rates of these, up to beyond the closed form's capacity.
    """

    timestamps: bool = False
    speedup: float = 1.0
    retrieval: Annotated[Path | None, Parameter(name="--retrieval")] = None
    records: Annotated[Path | None, Parameter(name="--records")] = None
    stream: bool = False
    plot: Path | None = None
    plot_itl: Path | None = None
    plot_knee: Path | None = None
    rates: int = 8


def simulate(
    file: Path | None = None,
    /,
    *,
    question: Question | None = None,
    deployment: Stated | None = None,
    playing: Playing | None = None,
    serving: ServingOptions | None = None,
    operating: Operating | None = None,
    format: Format = "table",  # noqa: A002 - the option's name
) -> None:
    """Play every request of a workload to a fleet: queues, preemptions, jitter, scaling.

    Args:
        file: Scenario, a TOML file; options lie on top of it.
        question: What is asked.
        deployment: The deployment.
        playing: How the workload is played.
        serving: How the engine serves beyond its settings.
        operating: How the fleet is operated.
        format: A table for people, or JSON.
    """
    asked = playing or Playing()
    setting = setting_of(
        scenario_of(file, question or Question(), deployment),
        operating=operating,
        serving=serving_of(serving or ServingOptions()),
        timestamps=asked.timestamps,
    )
    parts = parts_of(setting.scenario, asked)
    questions = next(parts)
    rag = None
    if asked.retrieval is not None:
        from inferometer.cli.simulate_rag import rag_of  # with the planner: a tenth of a second

        rag = rag_of(asked.retrieval, questions)
    trace = questions if rag is None else rag.trace
    expected = predicted(setting, trace)
    with taken(asked, groups_of(trace, setting.serving)) as sink:
        run = played(setting, chain([trace], parts) if asked.stream else trace, sink)
    answer = answer_of(setting, run, expected) | drawn(setting, asked, run, trace)
    if not asked.stream and (times := task_times(trace, run.records)) is not None:
        answer["tasks"] = times
    if rag is not None:
        from inferometer.cli.simulate_rag import three_ways

        answer["rag"] = three_ways(setting, rag, questions, run)
    if format == "json":
        beside = {"playing": run.play, "serving": run.serving, "scenario": setting.scenario}
        show_json(answer | beside)
    else:
        show_run(answer)


def drawn(setting: Setting, asked: Playing, run: Simulation, trace: Trace) -> dict[str, Any]:
    """Save the pictures that are asked for; return the runs at other rates behind them.

    Raises:
        ScenarioError: a file that cannot be written, or rates that cannot be played.
    """
    if asked.plot_knee is not None and asked.stream:
        raise ScenarioError("--plot-knee: a whole trace is played at each rate; drop --stream")
    if not (asked.plot or asked.plot_itl or asked.plot_knee):
        return {}
    from inferometer.cli.simulate_plot import save_gaps, save_knee, save_series  # half a second

    if asked.plot is not None:
        save_series(run, asked.plot)
    if asked.plot_itl is not None:
        save_gaps(run, asked.plot_itl)
    if asked.plot_knee is None:
        return {}
    capacity = predicted(setting, trace).capacity
    found = list(loads(setting, trace, capacity, asked.rates))
    save_knee(found, asked.plot_knee)
    return {"loads": found, "knee_per_s": knee(found)}


def answer_of(setting: Setting, run: Simulation, expected: Outcome) -> dict[str, Any]:
    """Return what is shown of a run."""
    totals = measures.totals_of(run, setting.slo)
    outcome = measures.outcome(run, expected, setting.slo)
    charged = bill_of(setting, outcome)
    found = tails(totals, run.gaps)
    cost = charged.total if setting.steady else rent(run, setting.prices)
    return {
        "deployment": run.deployment,
        "outcome": outcome,
        "tails": found,
        "jitter": jitter(run, totals, found[0], cost),
        "bill": charged if setting.steady else None,
        "predicted": expected,
    }


def bill_of(setting: Setting, outcome: Outcome) -> Bill:
    """Return the bill of the stated deployment under an outcome."""
    scenario, built = setting.scenario, setting.fleet[0]
    price = inputs.price_of(built.accelerator.key, scenario.prices, setting.catalog)
    tariff = dataclasses.replace(inputs.site_of(scenario), accelerator=price)
    return bill(outcome, built, tariff)


def parts_of(scenario: Scenario, asked: Playing) -> Iterator[Trace]:
    """Yield the workload: as a whole, or part by part in a stream.

    Raises:
        ScenarioError: a stream of what is not Parquet, or with retrieval; users are stated.
        WorkloadError: a trace that cannot be read.
    """
    if not asked.stream:
        yield faster(inputs.trace_of_scenario(scenario), asked.speedup)
        return
    inputs.refuse_users(scenario)
    path = Path(scenario.trace)
    if path.suffix != ".parquet":
        raise ScenarioError(
            f"--stream {scenario.trace or 'without --trace'}: a .parquet trace, sorted by arrival, "
            "is wanted; `inferometer trace convert` writes one"
        )
    if asked.retrieval is not None:
        raise ScenarioError("--stream: retrieval is played of a whole trace; leave out one of them")
    for part in parquet_parts(path, PART):
        yield faster(part, asked.speedup)


@contextmanager
def taken(asked: Playing, groups: Groups) -> Iterator[Sink | None]:
    """Open the file of records, if one is asked for."""
    if asked.records is None:
        yield None
        return
    with record_file(asked.records, groups.names) as sink:
        yield sink
