"""Provenance: every catalogue fact that stands behind a deployment and its price."""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from inferometer.catalog.efficiency import Efficiencies
from inferometer.catalog.source import Evidence, Source
from inferometer.plan.option import Option


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One source of one record.

    Attributes:
        record: Kind and key, e.g. "accelerator h100-sxm".
        field: Field that it states; "" for the record as a whole.
        source: Document or rule.
        as_of: Its date.
        evidence: How the figure came to be known.
    """

    record: str
    field: str
    source: str
    as_of: dt.date
    evidence: Evidence


def facts(option: Option) -> tuple[Fact, ...]:
    """Return the sources of every catalogue record that `option` rests on, each once."""
    return tuple(dict.fromkeys(_facts(option)))


def _facts(option: Option) -> Iterator[Fact]:
    deployment = option.deployment
    records = {
        f"model {deployment.model.key}": deployment.model.sources,
        f"accelerator {deployment.accelerator.key}": deployment.accelerator.sources,
        f"node {deployment.node.key}": deployment.node.sources,
        f"engine {deployment.settings.engine.key}": deployment.settings.engine.sources,
    }
    for part in ("linear", "experts", "kv"):
        number_format = getattr(deployment.precision, part)
        records[f"number format {number_format.key}"] = number_format.sources
    for record, sources in records.items():
        yield from facts_of(record, sources)
    if option.price is not None:
        record = f"price {option.price.accelerator} {option.price.commitment}"
        yield from facts_of(record, {"": option.price.source})


def parameter_facts(efficiencies: Efficiencies) -> tuple[Fact, ...]:
    """Return the sources of the performance model's own parameters."""
    return tuple(
        fact
        for key, parameter in efficiencies.items()
        for fact in facts_of(f"efficiency {key}", parameter.sources)
    )


def facts_of(record: str, sources: Mapping[str, Source]) -> Iterator[Fact]:
    """Yield the sources of one record by field."""
    for field, source in sources.items():
        yield Fact(
            record=record,
            field=field,
            source=source.source,
            as_of=source.as_of,
            evidence=source.evidence,
        )
