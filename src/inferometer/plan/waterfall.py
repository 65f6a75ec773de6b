"""From the ideal price of a token to the actual one, step by step: where the money goes."""

from dataclasses import dataclass, replace

from inferometer.candidates import one
from inferometer.deployment import Deployment
from inferometer.errors import ScenarioError
from inferometer.plan.option import Option
from inferometer.plan.provision import Operating, Week, provision, week_at
from inferometer.plan.replicas import Evaluate, meets
from inferometer.units import Duration, PerSecond, UsdPerToken
from inferometer.workload.shape import Shape
from inferometer.workload.slo import Slo

HALVINGS = 30
"""Bisections of the rate that still meets the SLO: relative error 2^-30."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the waterfall.

    Attributes:
        name: What it adds.
        price: Dollars per useful token (input and output) once it is counted in.
        added: What it adds over the step before.
        formula: How `price` is made.
        rests_on: Kinds of records that come in with this step, as `plan.provenance` names them,
            beside "workload", "slo" and "demand" of the scenario.
    """

    name: str
    price: UsdPerToken
    added: UsdPerToken
    formula: str
    rests_on: tuple[str, ...] = ()


HARDWARE = ("price", "accelerator", "node", "model", "number format")
STATIC = Operating()


def waterfall(
    option: Option,
    shape: Shape,
    slo: Slo,
    *,
    evaluate: Evaluate,
    ideal: Evaluate,
    operating: Operating = STATIC,
    starts_at: Duration = 0.0,
) -> tuple[Step, ...]:
    """Return the price of a useful token, from ideal hardware to what is paid, step by step.

    Ideal, with the engine, within the SLO, whole replicas, idle between peaks; then what running a
    fleet adds: spares, cold starts, and requests that bring nothing.

    Args:
        option: What is explained, with its rent.
        shape: The workload.
        slo: The targets.
        evaluate: What predicts.
        ideal: The same with peak rates reached and no overhead.
        operating: How the fleet is run.
        starts_at: Time of the week at which the workload starts.

    Raises:
        ScenarioError: it is unpriced, does not fit, or meets the SLO at no rate.
    """
    deployment = option.deployment
    if option.cost is None:
        raise ScenarioError(
            f"{deployment.accelerator.key} is unpriced; choose another --commitment"
        )
    candidates = one(deployment)
    found = evaluate(candidates, shape)
    if not found.fits[0]:
        raise ScenarioError(f"{deployment}: does not fit in memory; nothing to explain")
    saturated = float(found.capacity[0])
    allowed = min(rate_within(deployment, shape, slo, evaluate, saturated), saturated)
    peak = float(ideal(candidates, shape).capacity[0])
    tokens = shape.mean_input + shape.mean_output
    per_token = option.cost / tokens
    capacity = (
        ("ideal hardware", per_token / peak,
         "rent / (capacity with every peak rate reached and no overhead)", HARDWARE),
        ("engine and kernels", per_token / saturated,
         "rent / (capacity with attainable rates and overheads)", ("efficiency", "engine")),
        ("latency targets", per_token / allowed,
         "rent / (highest rate that meets the SLO)", ("slo", "workload")),
        ("whole replicas", per_token / min(shape.peak_rate, allowed),
         "rent / (rate of the busiest minute)", ("workload",)),
    )  # fmt: skip
    week, _ = week_at(
        shape, starts_at, within=allowed, capacity=saturated, replicas=deployment.replicas
    )
    fleet = _running(week, operating, deployment.replicas, min(shape.rate, saturated))
    return _steps((*capacity, *((n, per_token * x, how, needs) for n, x, how, needs in fleet)))


_Line = tuple[str, float, str, tuple[str, ...]]


def _running(week: Week, operating: Operating, count: int, served: PerSecond) -> tuple[_Line, ...]:
    """Return what running a fleet adds: rents of the deployment paid per useful request rate, s."""
    paid = provision(week, operating, most=count)
    kept = paid.paid - paid.cold - paid.spares
    idle = "rent / (mean rate)"
    if operating.scaling == "hourly":
        idle = "rent x (mean replicas that the hours need / replicas) / (mean rate)"
    waste = 1 - operating.wasted
    return (
        ("idle between peaks", kept / count / served, idle, ("workload",)),
        ("spares", (kept + paid.spares) / count / served,
         f"rent x (1 + spares / mean replicas) / (mean rate); {operating.spares} spares",
         ("demand",)),
        ("cold starts", paid.paid / count / served,
         (f"the same, with {paid.starts:g} starts a week that follow the load and "
         f"{operating.restarts * 604800:.3g} restarts of a replica, {operating.cold_start:.4g} s "
         "each"),
         ("operations", "demand")),
        ("retries and failures", paid.paid / count / served / waste,
         f"the same / (1 - share of requests that bring nothing); {operating.wasted:.3g} of them",
         ("demand",)),
    )  # fmt: skip


def _steps(lines: tuple[_Line, ...]) -> tuple[Step, ...]:
    before = [0.0, *(price for _, price, _, _ in lines[:-1])]
    return tuple(
        Step(name=name, price=price, added=price - last, formula=formula, rests_on=needs)
        for (name, price, formula, needs), last in zip(lines, before, strict=True)
    )


def rate_within(
    deployment: Deployment, shape: Shape, slo: Slo, evaluate: Evaluate, capacity: float
) -> float:
    """Return the highest steady rate at which the SLO is met, requests per second.

    Raises:
        ScenarioError: it is met at no rate.
    """
    candidates, low, high = one(deployment), 0.0, capacity
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        trial = replace(shape, rate=middle, peak_rate=middle)
        good = bool(meets(evaluate(candidates, trial), slo)[0])
        low, high = (middle, high) if good else (low, middle)
    if low == 0.0:
        raise ScenarioError(f"{deployment}: meets {slo} at no rate; relax the SLO to explain it")
    return low
