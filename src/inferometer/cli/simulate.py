"""`inferometer simulate`: play a workload, request by request, to one stated deployment."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from inferometer.account.bill import bill
from inferometer.candidates import one
from inferometer.catalog.efficiency import efficiencies
from inferometer.cli import inputs
from inferometer.cli.operating_options import HOUR, Operating, known, others_of, rents
from inferometer.cli.options import Format, Question, Stated, deployment_spec, scenario_of
from inferometer.cli.result import show_json, show_rows
from inferometer.cli.serving_options import ServingOptions, serving_of
from inferometer.cli.simulate_plot import save_series
from inferometer.errors import ScenarioError
from inferometer.outcome import Latency
from inferometer.simulate import measures
from inferometer.simulate.play import Play
from inferometer.simulate.simulation import Simulation
from inferometer.simulate.simulation import simulate as simulated
from inferometer.units import Fraction, Seconds, Usd
from inferometer.workload.shape import shape_of
from inferometer.workload.trace import Trace


@Parameter(name="*")
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Playing:
    """How the workload is played.

    Attributes:
        router: "least-loaded", "round-robin", "power-of-two", "session-sticky",
            "prefix-affinity" or "cost-aware".
        clients: Closed loop with so many clients; the arrival times then do not count.
        think: Closed sessions: seconds between the end of a session's request and its next.
        timestamps: Whether calls of agents come at the times of the trace, whatever became of those
            that they wait for.
        speedup: Factor by which arrivals are compressed.
        records: File for one row per request, JSON Lines.
        plot: PNG or SVG file for replicas, queue and KV cache over time.
    """

    router: str = "least-loaded"
    clients: int = 0
    think: float | None = None
    timestamps: bool = False
    speedup: float = 1.0
    records: Annotated[Path | None, Parameter(name="--records")] = None
    plot: Path | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Jitter:
    """What only a simulation tells.

    Attributes:
        ttft_p999: The highest TTFT of all but one request in a thousand.
        e2e_p999: The same of E2E.
        ttft_jitter: TTFT, p99 over p50.
        itl_jitter: Gap between tokens, p99 over p50.
        busy: Share of the time in which a lane runs steps.
        preemptions: Preemptions by recomputation.
        waiting: Most requests waiting, over samples.
        running: Most sequences decoding, over samples.
        kv_fraction: Largest share of KV blocks in use, over samples.
        attempts: How often a request was sent, mean.
        accelerator_hours: Hours of accelerators paid, start-up and draining included.
        cost_per_request: Cost of one finished request: the bill of a steady fleet, the rent alone
            of any other; None if unpriced.
    """

    ttft_p999: Seconds
    e2e_p999: Seconds
    ttft_jitter: float
    itl_jitter: float
    busy: Fraction
    preemptions: int
    waiting: int
    running: int
    kv_fraction: Fraction
    attempts: float
    accelerator_hours: float
    cost_per_request: Usd | None


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
    asked, operated = playing or Playing(), operating or Operating()
    scenario = scenario_of(file, question or Question())
    spec = deployment_spec(scenario, deployment or Stated())
    catalog = inputs.overlay_of(scenario)
    built = inputs.deployment_of(inputs.model_of(scenario), spec, catalog)
    trace = faster(inputs.trace_of_scenario(scenario), asked.speedup)
    slo, shape = inputs.slo_of(scenario), shape_of(trace)
    prediction = inputs.evaluator(slo, catalog)(one(built), shape)
    inputs.require_fit(built, prediction)
    fleet = [built, *others_of(operated, scenario)]
    prices = rents(fleet, scenario)
    run = simulated(
        trace,
        fleet,
        efficiencies=efficiencies(catalog),
        play=Play(
            router=asked.router,
            seed=scenario.seed,
            clients=asked.clients,
            think=asked.think,
            timestamps=asked.timestamps,
            gateway=operated.gateway,
            scaling=operated.policy,
            faults=operated.faults,
        ),
        serving=serving_of(serving or ServingOptions()),
        prices=known(prices, asked.router),
    )
    if asked.records is not None:
        write_records(run, asked.records)
    if asked.plot is not None:
        save_series(run, asked.plot)
    predicted = prediction.outcome(0)
    outcome = measures.outcome(run, predicted, slo)
    price = inputs.price_of(built.accelerator.key, scenario.prices, catalog)
    tariff = dataclasses.replace(inputs.site_of(scenario), accelerator=price)
    charged = bill(outcome, built, tariff)
    answer = {
        "deployment": built,
        "outcome": outcome,
        "jitter": jitter(run, outcome.itl, charged.total if operated.steady else rent(run, prices)),
        "bill": charged if operated.steady else None,
        "predicted": predicted,
    }
    if format == "json":
        show_json(answer | {"playing": run.play, "serving": run.serving, "scenario": scenario})
    else:
        _tables(answer)


def faster(trace: Trace, speedup: float) -> Trace:
    """Return a trace whose arrivals are compressed by a factor.

    Raises:
        ScenarioError: a factor that is not positive.
    """
    if not 0 < speedup < float("inf"):
        raise ScenarioError(f"--speedup is {speedup}; a number above 0 is wanted")
    return dataclasses.replace(trace, arrival=trace.arrival / speedup)


def jitter(run: Simulation, itl: Latency, cost: float | None) -> Jitter:
    """Return tails, peaks and cost per request of a run."""
    first, whole = measures.ttft(run), measures.e2e(run)
    tails = [measures.tail(values, 0.999) for values in (first, whole)]
    done, series = run.counts.finished, run.series
    middle = measures.quantiles(first)
    return Jitter(
        ttft_p999=tails[0],
        e2e_p999=tails[1],
        ttft_jitter=middle.p99 / middle.p50,
        itl_jitter=itl.p99 / itl.p50,
        busy=measures.busy_fraction(run),
        preemptions=int(run.sums["preemptions"]),
        waiting=int(series.waiting.max(initial=0)),
        running=int(series.running.max(initial=0)),
        kv_fraction=float(series.kv_fraction.max(initial=0)),
        attempts=float(run.records.attempts[run.records.attempts > 0].mean()),
        accelerator_hours=sum(usage.accelerator_hours for usage in run.usage),
        cost_per_request=cost / done if cost is not None and done else None,
    )


def rent(run: Simulation, prices: Sequence[float | None]) -> float | None:
    """Return what the paid hours of all accelerators cost, USD; None if one is unpriced."""
    total = 0.0
    for usage, price in zip(run.usage, prices, strict=True):
        if price is None:
            return None
        total += usage.accelerator_hours * HOUR * price
    return total


def write_records(run: Simulation, path: Path) -> None:
    """Write one row per request; times in milliseconds, null where it did not happen.

    Raises:
        ScenarioError: the file cannot be written.
    """
    encode = msgspec.json.Encoder().encode
    try:
        with path.open("wb") as file:
            file.writelines(encode(row) + b"\n" for row in rows(run))
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be written: {error.strerror}") from error


def rows(run: Simulation) -> Iterator[dict[str, Any]]:
    """Yield one row per request of a run."""
    records = run.records
    status = ("in flight", "finished", "rejected", "timed out", "lost")
    for number in range(len(records)):
        times = {
            f"{name}_ms": float(getattr(records, name)[number]) * 1e3
            for name in ("arrival", "admitted", "first_token", "finished")
        }
        yield {
            "request": number,
            "status": status[int(records.status[number])],
            **{name: value if value >= 0 else None for name, value in times.items()},
            "input_tokens": int(records.prompt[number]),
            "output_tokens": int(records.output[number]),
            "cached_tokens": int(records.cached[number]),
            "lane": int(records.lane[number]),
            "preemptions": int(records.preemptions[number]),
            "attempts": int(records.attempts[number]),
        }


def _tables(answer: dict[str, Any]) -> None:
    outcome, predicted, found = answer["outcome"], answer["predicted"], answer["jitter"]
    metrics = ("ttft", "tpot", "itl", "e2e")
    show_rows(str(answer["deployment"]), [
        _latency(f"{name}, {kind}", getattr(record, name))
        for name in metrics
        for kind, record in (("simulated", outcome), ("predicted", predicted))
    ])  # fmt: skip
    counts = {
        f.name.replace("_", " "): getattr(outcome.counts, f.name)
        for f in dataclasses.fields(outcome.counts)
    }
    rest: dict[str, Any] = {
        "requests/s": outcome.request_rate,
        "goodput, requests/s": outcome.goodput,
        "output tok/s": outcome.output_rate,
        "running sequences per replica": outcome.batch,
        "running at most": found.running,
        "waiting at most": found.waiting,
        "KV cache in use": outcome.kv_fraction,
        "KV cache at most": found.kv_fraction,
        "time in steps": found.busy,
        "cached tok/s": outcome.cached_rate,
        "preemptions": found.preemptions,
        "times sent": found.attempts,
        "accelerator hours": found.accelerator_hours,
        "TTFT p99.9 ms": found.ttft_p999 * 1e3,
        "TTFT p99 / p50": found.ttft_jitter,
        "power, W": outcome.power,
        "$ per request": found.cost_per_request or "unpriced",
    }
    show_rows("Outcome", [{"quantity": k, "value": v} for k, v in (counts | rest).items()])


def _latency(name: str, latency: Latency) -> dict[str, Any]:
    columns = ("mean", "p50", "p90", "p99")
    return {"metric": name} | {f"{c} ms": getattr(latency, c) * 1e3 for c in columns}
