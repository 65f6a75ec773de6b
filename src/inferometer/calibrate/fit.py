"""Fit of the parameters to observations: damped Gauss-Newton on logarithms, pooled and robust."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inferometer.calibrate.bench import Group
from inferometer.calibrate.design import Design, Incidence, free, incidence, pools_of, rates_at
from inferometer.calibrate.forecast import forecast
from inferometer.calibrate.metric import metric
from inferometer.candidates import Floats
from inferometer.perf.rates import Rates

STEP = 0.02
"""Change of the logarithm of a rate by which slopes are measured."""

ROUGHNESS = 0.25
"""Residual (of logarithms) beyond which a row pulls ever less: it is of something not modelled."""

SOFTER = 0.7
"""The same while a fit begins. Before any fit some kernels are wrong by multiples, and at the last
value their rows hardly pull (vLLM of 2024 multiplies at a tenth of the usual share on MI300X).
Heavy tails of kernels alone free most of them; both together fit TPOT a little better."""

SOFT_ROUNDS = 3
"""Gauss-Newton steps with it."""

CELL_POWER = 0.5
"""Weight of a cell of n rows is n^(1 - this): between one vote per row and one per cell."""

WEIGHTS: Mapping[str, float] = {
    **dict.fromkeys(("tokens_per_s", "tpot_ms_p50", "itl_ms_p50", "tpot_ms_mean"), 1.0),
    **dict.fromkeys(("latency_ms", "prefill_ms", "decode_ms", "avg_power_w"), 1.0),
    **dict.fromkeys(("ttft_ms_p50", "ttft_ms_mean"), 0.6),
    **dict.fromkeys(("energy_j_per_token", "power_w"), 0.5),
}
"""Metrics that are fitted; the others follow from them or are not modelled well enough to teach."""


TRUST: Mapping[str, float] = {"pools": 0.25, "open": 0.3, "static": 0.5, "step": 0.6}
"""Weight of rows by kind of load, one where not listed: pools and open loads hang on what sources
leave out (workers, transfers, burstiness), static batches are of engines of 2023 and 2024."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """A group with the residuals that it gives.

    Attributes:
        group: The group.
        parts: Incidence of its pools.
        metrics: Names of the fitted metrics that it has.
        targets: Logarithms of measured values, NaN where not measured [metric, config].
        weights: Weight of each [metric, config].
    """

    group: Group
    parts: tuple[Incidence, ...]
    metrics: tuple[str, ...]
    targets: Floats
    weights: Floats


def tasks(groups: Sequence[Group], design: Design) -> tuple[Task, ...]:
    """Return the residuals to fit."""
    counts: dict[tuple[str, ...], int] = {}
    for group in groups:
        for observation in group.observations:
            for name in observation.row.metrics:
                key = (*observation.row.cell, name)
                counts[key] = counts.get(key, 0) + 1
    return tuple(_task(group, design, counts) for group in groups)


def _task(group: Group, design: Design, counts: Mapping[tuple[str, ...], int]) -> Task:
    rows = [observation.row for observation in group.observations]
    metrics = tuple(n for n in WEIGHTS if any(n in row.metrics for row in rows))
    targets = np.full((len(metrics), len(rows)), np.nan)
    weights = np.zeros_like(targets)
    for i, name in enumerate(metrics):
        for j, row in enumerate(rows):
            value = row.metrics.get(name, 0.0)
            if value > 0:
                targets[i, j] = np.log(value)
                votes = counts[(*row.cell, name)] ** -CELL_POWER
                weights[i, j] = WEIGHTS[name] * TRUST.get(group.kind, 1.0) * votes
    parts = tuple(incidence(pool, design) for pool in pools_of(group))
    return Task(group=group, parts=parts, metrics=metrics, targets=targets, weights=weights)


def at(task: Task, rates: Sequence[Rates]) -> Group:
    """Return the task's group with other rates in its pools."""
    group = task.group
    front = group.front.at(rates[1]) if group.front is not None else None
    return replace(group, main=group.main.at(rates[0]), front=front)


def predictions(task: Task, rates: Sequence[Rates]) -> Floats:
    """Return the logarithms of predicted metrics [metric, config]; NaN where not modelled."""
    group = at(task, rates)
    columns = forecast(group)
    rows = [metric(name, columns, group.loads) for name in task.metrics]
    size = len(group.observations)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(np.array([np.full(size, np.nan) if row is None else row for row in rows]))


def fit(
    design: Design, tasks: Sequence[Task], *, rounds: int = 8, fixed: Sequence[str] = ()
) -> Floats:
    """Return the parameters that fit `tasks` best; O(rounds x fields x observations).

    Minimises the sum of weighted Cauchy losses of residuals and of factors. That has many minima:
    the fit begins with a softer loss of residuals (graduated non-convexity). Slopes are measured
    per field of `Rates` and spread over factors by their incidence.

    Args:
        design: The parameters.
        tasks: What to fit.
        rounds: Gauss-Newton steps at the last roughness.
        fixed: Fields that keep their start values.
    """
    moving = np.array([name not in fixed for name, _ in design.names])
    soft = Problem(design, tasks, SOFTER)
    theta = _descend(design.start.copy(), soft, moving, SOFT_ROUNDS)
    return _descend(theta, Problem(design, tasks, ROUGHNESS), moving, rounds)


class Problem(NamedTuple):
    """What is minimised.

    Attributes:
        design: The parameters.
        tasks: What to fit.
        roughness: Residual beyond which a row pulls ever less.
    """

    design: Design
    tasks: Sequence[Task]
    roughness: float


def _descend(theta: Floats, problem: Problem, moving: NDArray[np.bool_], rounds: int) -> Floats:
    damping, best = 1.0, _loss(theta, problem)
    for _ in range(rounds):
        normal, pull = _normal(theta, problem, moving)
        for _ in range(TRIES):
            step = np.linalg.solve(normal + damping * np.diag(np.diag(normal)) * 0.1, pull)
            step = np.where(moving, np.clip(step, -0.7, 0.7), 0.0)
            trial = _loss(theta + step, problem)
            if trial < best:
                break
            damping *= 4
        else:
            break
        gained, theta, best = best - trial, theta + step, trial
        damping = max(damping / 4, LEAST_DAMPING)
        if gained < ENOUGH * best:
            break
    return theta


def _loss(theta: Floats, problem: Problem) -> float:
    design, tasks, roughness = problem
    away = (theta - design.start) / design.spread
    total = float(_bent(away, design.tail).sum())
    for task in tasks:
        rates = [rates_at(theta, part, design) for part in task.parts]
        residual = predictions(task, rates) - task.targets
        bent = _bent(residual, roughness)
        total += float(np.nansum(np.where(task.weights > 0, bent, 0.0) * task.weights)) / SCATTER
    return total


def _bent(values: Floats, knee: float | Floats) -> Floats:
    """Return half the squares of `values` up to `knee`, growing as a logarithm beyond (Cauchy)."""
    return np.square(knee) / 2 * np.log1p(np.square(values / knee))


TRIES = 9
"""Times that a step that does not help is shortened before the fit ends."""

LEAST_DAMPING = 0.01
ENOUGH = 0.0005
"""Share of the loss: a step that gains less is the last one."""

STEEPEST = 4.0
"""Greatest slope between logarithms that is believed: at the edge of overload waits have none."""

SCATTER = 0.12**2
"""Variance of a residual of the fit: the lack of fit of the model itself, about 12 %."""


def _normal(theta: Floats, problem: Problem, moving: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    design = problem.design
    away = (theta - design.start) / design.spread
    weight = 1 / (1 + (away / design.tail) ** 2) / design.spread**2
    normal, pull = np.diag(weight), -weight * (theta - design.start)
    for task in problem.tasks:
        jacobian, residual, weight = _slopes(theta, problem, task)
        jacobian[:, ~moving] = 0.0
        normal += jacobian.T @ (jacobian * weight[:, None])
        pull -= jacobian.T @ (residual * weight)
    return normal, np.where(moving, pull, 0.0)


def _slopes(theta: Floats, problem: Problem, task: Task) -> tuple[Floats, Floats, Floats]:
    design, size = problem.design, len(theta)
    rates = [rates_at(theta, part, design) for part in task.parts]
    here = predictions(task, rates)
    residual = here - task.targets
    used = np.isfinite(residual) & (task.weights > 0)
    rows = np.flatnonzero(used.any(axis=1))
    slots = np.full(used.shape, -1)
    slots[used] = np.arange(used.sum())
    jacobian = np.zeros((int(used.sum()), size + 1))
    for place, part in enumerate(task.parts):
        inside = free(theta, part, design)
        for field, name in enumerate(Rates._fields):
            moved = list(rates)
            moved[place] = rates[place]._replace(
                **{name: getattr(rates[place], name) * np.exp(STEP)}
            )
            slope = np.where(inside[:, field], (predictions(task, moved) - here) / STEP, 0.0)
            slope = np.where(np.abs(slope) <= STEEPEST, slope, 0.0)
            if not np.any(np.nan_to_num(slope)):
                continue
            terms = part.terms[part.combination, field]  # [config, term]
            for row in rows:
                cols = np.flatnonzero(used[row])
                for term in terms.T:
                    np.add.at(
                        jacobian, (slots[row, cols], term[cols]), np.nan_to_num(slope[row, cols])
                    )
    flat = residual[used]
    weight = task.weights[used] / (1 + (flat / problem.roughness) ** 2) / SCATTER
    return jacobian[:, :size], flat, weight
