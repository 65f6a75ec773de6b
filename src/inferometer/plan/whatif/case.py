"""One way of serving a workload, and what comes of it: money, energy, emissions, latency."""

from dataclasses import dataclass, replace

import numpy as np

from inferometer.account.bill import Tariff
from inferometer.candidates import one
from inferometer.catalog.prices import AcceleratorPrice
from inferometer.deployment import Deployment
from inferometer.errors import InfeasibleError
from inferometer.outcome import Latency
from inferometer.plan.option import Option, stated
from inferometer.plan.replicas import Evaluate, size, with_replicas
from inferometer.units import (
    Duration,
    Fraction,
    GramsPerToken,
    Joules,
    JoulesPerToken,
    TokensPerSecond,
    UsdPerSecond,
    UsdPerToken,
)
from inferometer.workload.shape import Shape
from inferometer.workload.slo import Slo

HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """A deployment, what is asked of it, and on what terms.

    Attributes:
        deployment: The deployment; its replicas are solved for.
        shape: The workload.
        slo: The targets.
        evaluate: What predicts.
        price: Price of one accelerator; None if unpriced.
        site: Building and grid.
        most: Most replicas.
        handover: Time from a prefill replica to a decode replica, beside the cache's own transfer;
            None where one replica does both.
        start: Time in which a replica starts, if replicas follow the load; None if they are fixed.
        elsewhere: What is paid per second for requests that are served by others.
        tokens: Tokens per second that the whole is for, those served by others included; None for
            those of `shape`.
        quality: What is known of the effect on answers; empty for none.
        chosen: What was set that the deployment does not show.
    """

    deployment: Deployment
    shape: Shape
    slo: Slo
    evaluate: Evaluate
    price: AcceleratorPrice | None
    site: Tariff
    most: int = 1024
    handover: Duration | None = None
    start: Duration | None = None
    elsewhere: UsdPerSecond = 0.0
    tokens: TokensPerSecond | None = None
    quality: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What comes of a case with the fewest replicas that serve it.

    Attributes:
        replicas: Replicas at the busiest minute.
        accelerators: Accelerators of all of them.
        cost: What is paid, idle time included; None if unpriced.
        per_token: The same over all tokens, input and output.
        at_capacity: Cost of own tokens without idle time.
        energy: Energy at the facility's meter per output token.
        energy_per_request: The same per request of its own.
        carbon: Emissions of that energy per output token; None if the grid is unknown.
        ttft: Time to first token.
        tpot: Time per output token.
        utilisation: Load of the busiest minute over capacity.
        binding: What limits it.
    """

    replicas: int
    accelerators: int
    cost: UsdPerSecond | None
    per_token: UsdPerToken | None
    at_capacity: UsdPerToken | None
    energy: JoulesPerToken
    energy_per_request: Joules
    carbon: GramsPerToken | None
    ttft: Latency
    tpot: Latency
    utilisation: Fraction
    binding: str


def sized(case: Case) -> Option:
    """Return the deployment of `case` with the fewest replicas that serve it within its SLO.

    Raises:
        InfeasibleError: no count up to `case.most` does.
    """
    table, most = one(case.deployment), np.array([case.most])
    found = size(table, most, case.shape, case.slo, case.evaluate)
    count = int(found.replicas[0])
    if count == 0:
        raise InfeasibleError(_lack(case, bool(found.fits[0]), bool(found.loaded[0])))
    built = replace(case.deployment, replicas=count)
    prediction = case.evaluate(with_replicas(table, np.array([count])), case.shape)
    return stated(built, case.price, prediction, case.slo, case.site)


def _lack(case: Case, fits: bool, loaded: bool) -> str:
    if not fits:
        return "does not fit in memory"
    return f"misses {case.slo}" if loaded else f"{case.most} replicas do not carry the load"


def state_of(case: Case, parts: tuple[Option, ...]) -> State:
    """Return the state of a case whose work is done by `parts`, the last one giving TPOT."""
    first, last = parts[0], parts[-1]
    kept = 1.0 if case.start is None else following(case, first)
    standing = sum(part.deployment.accelerators for part in parts)
    energy = sum(part.bill.energy.total for part in parts)
    energy -= (1 - kept) * sum(_standing_energy(part, case.site.pue) for part in parts)
    produced = case.shape.requests * case.shape.mean_output
    costs = [part.cost for part in parts if part.cost is not None]
    cost = kept * sum(costs) + case.elsewhere if len(costs) == len(parts) else None
    own = case.shape.rate * (case.shape.mean_input + case.shape.mean_output)
    busy = [part.bill.busy for part in parts if part.bill.busy is not None]
    return State(
        replicas=sum(part.deployment.replicas for part in parts),
        accelerators=standing,
        cost=cost,
        per_token=None if cost is None else cost / (case.tokens or own),
        at_capacity=sum(busy) / (own * case.shape.span) if len(busy) == len(parts) else None,
        energy=energy / produced,
        energy_per_request=energy / case.shape.requests,
        carbon=None if case.site.carbon is None else energy * case.site.carbon / produced,
        ttft=first.outcome.ttft,
        tpot=last.outcome.tpot,
        utilisation=max(part.outcome.utilisation for part in parts),
        binding=last.outcome.binding,
    )


def following(case: Case, option: Option) -> Fraction:
    """Return the share of the peak's replica time that is paid if replicas follow the load.

    Each hour takes what its busiest bin of `shape.series` needs at the load per replica of the
    peak; a replica more than the hour before is paid for its start as well. The period repeats.
    """
    shape, count = case.shape, option.deployment.replicas
    hours = max(1, round(shape.span / HOUR))
    busiest = np.array([part.max() for part in np.array_split(shape.series, hours)])
    top = max(float(shape.peak_rate), float(busiest.max()))
    needed = np.maximum(np.ceil(count * busiest / top - 1e-9), 1.0)
    begun = np.maximum(needed - np.roll(needed, 1), 0.0).sum()
    starting = begun * (case.start or 0.0) / (shape.span / hours)
    return min(float((needed.sum() + starting) / (count * hours)), 1.0)


def _standing_energy(option: Option, pue: float) -> float:
    """Return the energy that falls with the time on: idle draw and hosts, at the meter, J."""
    return (option.outcome.energy.idle + option.bill.energy.host) * pue
