"""What API providers charge for the traffic of a scenario."""

from inferometer.account.api import ApiCost, api_cost, at_lengths
from inferometer.catalog.models import Model
from inferometer.catalog.prices import TokenPrice
from inferometer.catalog.source import Evidence
from inferometer.catalog.tokens import token_prices
from inferometer.cli.inputs import overlay_of
from inferometer.cli.prices import instant
from inferometer.cli.scenario import Scenario
from inferometer.outcome import Counts, Energy, Latency, Outcome
from inferometer.workload.shape import Shape


def api_of(scenario: Scenario, model: Model, shape: Shape) -> tuple[ApiCost, ...]:
    """Return what every provider charges for the traffic of `shape`, the cheapest first."""
    rows = token_prices(model.key, at=instant(scenario.prices, overlay_of(scenario)))
    costs = [offer_of(shape, row) for row in rows]
    return tuple(sorted(costs, key=lambda cost: (cost.rate, cost.price.provider)))


def offer_of(shape: Shape, row: TokenPrice) -> ApiCost:
    """Return what a price row charges for the traffic of `shape`, long prompts at their rate."""
    points = not len(shape.all_inputs)
    inputs = shape.inputs if points else shape.all_inputs
    outputs = shape.outputs if points else shape.all_outputs
    return api_cost(traffic(shape), at_lengths(row, inputs, outputs))


def traffic(shape: Shape) -> Outcome:
    """Return the outcome of an API that serves `shape` at once: its rates, nothing else."""
    none = Latency(mean=0.0, p50=0.0, p90=0.0, p99=0.0)
    return Outcome(
        evidence=Evidence.ASSUMED,
        span=shape.span,
        ttft=none,
        tpot=none,
        itl=none,
        e2e=none,
        request_rate=shape.rate,
        input_rate=shape.rate * shape.mean_input,
        cached_rate=shape.rate * shape.mean_input * shape.cached_fraction,
        output_rate=shape.rate * shape.mean_output,
        capacity=shape.peak_rate,
        utilisation=1.0,
        batch=0.0,
        kv_fraction=0.0,
        power=0.0,
        energy=Energy(prefill=0.0, decode=0.0, idle=0.0),
        counts=Counts(arrived=shape.requests, finished=shape.requests),
    )
