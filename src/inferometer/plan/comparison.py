"""Today's deployment against the plan: the saving, and what would have to change."""

from dataclasses import dataclass

from inferometer.deployment import Deployment
from inferometer.plan.option import Option
from inferometer.units import Fraction, UsdPerSecond


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What the plan saves over today's deployment.

    Attributes:
        current: Today's deployment, evaluated and priced as the plan is.
        meets_slo: Whether it meets the SLO.
        saving: Rent saved; negative if the plan costs more; None if either is unpriced.
        saving_fraction: The same over today's rent.
        changes: What to change, "field: from -> to".
    """

    current: Option
    meets_slo: bool
    saving: UsdPerSecond | None
    saving_fraction: Fraction | None
    changes: tuple[str, ...]


def compare(current: Option, planned: Option, headroom: Fraction = 0.0) -> Comparison:
    """Return the saving of `planned` over `current` and the list of changes.

    `headroom` is the share of every limit, and of the capacity, that must stay free.
    """
    before, after = current.cost, planned.cost
    saving = None if before is None or after is None else before - after
    return Comparison(
        current=current,
        meets_slo=current.headroom >= headroom and current.outcome.utilisation < 1 - headroom,
        saving=saving,
        saving_fraction=None if saving is None or before is None else saving / before,
        changes=changes(current.deployment, planned.deployment),
    )


def changes(before: Deployment, after: Deployment) -> tuple[str, ...]:
    """Return "field: from -> to" for everything in which two deployments differ."""
    old, new = settings(before), settings(after)
    return tuple(
        f"{name}: {_shown(old[name])} -> {_shown(new[name])}"
        for name in old
        if old[name] != new[name]
    )


def settings(deployment: Deployment) -> dict[str, str | float]:
    """Return what a deployment is made of, by the name under which people set it."""
    layout, engine = deployment.parallelism, deployment.settings
    return {
        "model": deployment.model.key,
        "accelerator": deployment.accelerator.key,
        "replicas": deployment.replicas,
        "tensor": layout.tensor,
        "pipeline": layout.pipeline,
        "data": layout.data,
        "expert": layout.expert,
        "precision": str(deployment.precision),
        "engine": engine.engine.key,
        "max_num_seqs": engine.max_num_seqs,
        "max_batched_tokens": engine.max_batched_tokens,
        "memory_fraction": engine.memory_fraction,
        "prefix_caching": engine.prefix_caching,
    }


def _shown(value: str | float) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else f"{value:g}"
