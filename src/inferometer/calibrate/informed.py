"""What a fit changed of the parameters that it started from, and whose the others remain."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from inferometer.catalog.efficiency import Efficiencies, Parameter


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One parameter that a fit moved.

    Attributes:
        key: The parameter.
        before: Its base value before.
        after: Its base value after.
        factors: Factors that changed, by "dimension:key".
    """

    key: str
    before: float
    after: float
    factors: tuple[str, ...]


def changes(before: Efficiencies, after: Efficiencies) -> list[Change]:
    """Return the parameters whose base or factors differ, in the order of `after`."""
    return [
        Change(
            key=key,
            before=before[key].base,
            after=value.base,
            factors=_moved(before[key], value),
        )
        for key, value in after.items()
        if not _same(before[key], value)
    ]


def credited(before: Efficiencies, after: Efficiencies) -> Efficiencies:
    """Return `after` with the provenance of what it rests on.

    A parameter that the fit did not move keeps the source that it had; one that it moved says from
    which fit it was moved.
    """
    found = dict[str, Parameter]()
    for key, value in after.items():
        old, new = before[key].sources[""], value.sources[""]
        if _same(before[key], value):
            new = old
        else:
            started = f"{new.source}; started from values of {old.as_of.isoformat()}"
            new = replace(new, source=started)
        found[key] = replace(value, sources={**value.sources, "": new})
    return found


def _same(old: Parameter, new: Parameter) -> bool:
    return old.base == new.base and dict(old.factors) == dict(new.factors)


def _moved(old: Parameter, new: Parameter) -> tuple[str, ...]:
    keys: Sequence[str] = sorted({*old.factors, *new.factors})
    return tuple(key for key in keys if old.factors.get(key, 1.0) != new.factors.get(key, 1.0))
