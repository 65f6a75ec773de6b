"""What to ask Prometheus about an engine, in its own metric names."""

from collections.abc import Iterator
from dataclasses import dataclass

from inferometer.deploy.rollout import Rollout
from inferometer.workload.slo import Target

WINDOW = "5m"
"""Of rates and quantiles: long enough for a p99 of a hundred requests at one in three seconds."""

REPLICA = "instance"
"""Label that is the same in all series of a replica, whose data-parallel ranks have their own."""

IN_FLIGHT = "model:requests_in_flight:sum"
"""Recorded only where the engine counts its running requests: a queue alone was not planned."""

QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One recorded series.

    Attributes:
        name: Name, as level:metric:operation.
        expression: PromQL.
        unit: Unit of Grafana.
        title: What it is, for people.
    """

    name: str
    expression: str
    unit: str
    title: str


def selected(rollout: Rollout) -> str:
    """Return the matcher of this model's series; "" if the engine does not label them."""
    label = rollout.runtime.label
    return f'{{{label}="{rollout.served}"}}' if label else ""


def in_flight(rollout: Rollout) -> str:
    """Return the query of requests running and waiting, of an engine that counts both."""
    runtime, which = rollout.runtime, selected(rollout)
    return f"sum({runtime.running}{which}) + sum({runtime.waiting}{which})"


def recorded(rollout: Rollout) -> str:
    """Return the matcher of this model's recorded series."""
    return f'{{model="{rollout.served}"}}'


def rules(rollout: Rollout) -> tuple[Rule, ...]:
    """Return what can be recorded from the metrics that the engine has."""
    return (*_gauges(rollout), *_rates(rollout), *_latencies(rollout), *_costs(rollout))


def _gauges(rollout: Rollout) -> Iterator[Rule]:
    runtime, which = rollout.runtime, selected(rollout)
    first = runtime.running or runtime.waiting
    yield Rule(
        name="model:replicas:count",
        expression=f"count(count by ({REPLICA}) ({first}{which}))",
        unit="short",
        title="Replicas that report",
    )
    if runtime.running:
        yield Rule(
            name=IN_FLIGHT,
            expression=in_flight(rollout),
            unit="short",
            title="Requests in flight",
        )
    yield Rule(
        name="model:requests_waiting:sum",
        expression=f"sum({runtime.waiting}{which})",
        unit="short",
        title="Requests waiting",
    )
    if runtime.kv_usage:
        yield Rule(
            name="model:kv_cache_usage:avg",
            expression=f"avg({runtime.kv_usage}{which})",
            unit="percentunit",
            title="KV cache in use",
        )


def _rates(rollout: Rollout) -> Iterator[Rule]:
    runtime, which = rollout.runtime, selected(rollout)
    for kind, metric in (("input", runtime.input_tokens), ("output", runtime.output_tokens)):
        if metric:
            yield Rule(
                name=f"model:{kind}_tokens:rate{WINDOW}",
                expression=f"sum(rate({metric}{which}[{WINDOW}]))",
                unit="short",
                title=f"{kind.capitalize()} tokens/s",
            )
    if runtime.preemptions:
        yield Rule(
            name=f"model:preemptions:rate{WINDOW}",
            expression=f"sum(rate({runtime.preemptions}{which}[{WINDOW}]))",
            unit="short",
            title="Preemptions/s",
        )
    if runtime.cache_hits and runtime.cache_queries:
        hits = f"sum(rate({runtime.cache_hits}{which}[{WINDOW}]))"
        asked = f"sum(rate({runtime.cache_queries}{which}[{WINDOW}]))"
        yield Rule(
            name=f"model:prefix_cache_hits:ratio_rate{WINDOW}",
            expression=f"{hits} / {asked}",
            unit="percentunit",
            title="Prompt tokens from the prefix cache",
        )


def _latencies(rollout: Rollout) -> Iterator[Rule]:
    for metric in ("ttft", "tpot", "itl", "e2e"):
        name = getattr(rollout.runtime, metric)
        for quantile in QUANTILES if name else ():
            yield Rule(
                name=f"model:{metric}_seconds:{quantile}_{WINDOW}",
                expression=_quantile(rollout, name, quantile),
                unit="s",
                title=f"{metric.upper()} {quantile}",
            )


def _quantile(rollout: Rollout, histogram: str, quantile: str) -> str:
    which = selected(rollout)
    if quantile == "mean":
        total = f"sum(rate({histogram}_sum{which}[{WINDOW}]))"
        return f"{total} / sum(rate({histogram}_count{which}[{WINDOW}]))"
    buckets = f"sum by (le) (rate({histogram}_bucket{which}[{WINDOW}]))"
    return f"histogram_quantile({QUANTILES[quantile]}, {buckets})"


def _costs(rollout: Rollout) -> Iterator[Rule]:
    """Yield the rent and, where the engine counts tokens, the price of each, idle time included."""
    if rollout.rent is None:
        return
    which = recorded(rollout)
    each = rollout.rent * 3600 * rollout.deployment.parallelism.accelerators
    yield Rule(
        name="model:rent_usd_per_hour:sum",
        expression=f"model:replicas:count{which} * {each:.10g}",
        unit="currencyUSD",
        title="Rent, USD/h",
    )
    if rollout.runtime.input_tokens and rollout.runtime.output_tokens:
        tokens = (
            f"(model:input_tokens:rate{WINDOW}{which} + model:output_tokens:rate{WINDOW}{which})"
        )
        yield Rule(
            name=f"model:usd_per_mtok:rate{WINDOW}",
            expression=f"model:rent_usd_per_hour:sum{which} / 3600 * 1e6 / ({tokens} > 0)",
            unit="currencyUSD",
            title="USD/Mtok, input and output, idle time included",
        )


def measured(rollout: Rollout, target: Target) -> str:
    """Return the query that measures a target of the SLO; "" if the engine has no histogram.

    A quantile of gaps is no TPOT, which is a mean over each request, so neither stands in for the
    other.
    """
    histogram: str = getattr(rollout.runtime, target.metric)
    return _quantile(rollout, histogram, target.quantile) if histogram else ""
