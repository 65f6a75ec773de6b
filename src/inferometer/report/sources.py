"""Where every number of a plan comes from: value, source, date and kind of evidence."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from inferometer.catalog.source import Source
from inferometer.plan.provenance import Fact
from inferometer.report.answer import Answer
from inferometer.report.numerals import HOUR, dollars
from inferometer.report.table import Table, table
from inferometer.units import Unit, convert, units_of

COLUMNS = ("record", "field", "value", "source", "as of", "evidence")


def sources(answer: Answer) -> Table:
    """Return the figures of the accelerator, its node and engine, then all other facts."""
    deployment = answer.plan.best.deployment
    records = {
        f"accelerator {deployment.accelerator.key}": deployment.accelerator,
        f"node {deployment.node.key}": deployment.node,
        f"engine {deployment.settings.engine.key}": deployment.settings.engine,
    }
    rows = [row for name, record in records.items() for row in _figures(name, record)]
    told = {(row[0], row[3]) for row in rows}
    others = (fact for fact in answer.facts if (fact.record, fact.source) not in told)
    return table("Facts behind the numbers", COLUMNS, rows + list(_others(answer, others)))


def _figures(name: str, record: Any) -> Iterator[tuple[str, ...]]:
    """Yield every number of a record with its own source, or the record's."""
    units, stated = units_of(type(record)), record.sources
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            source = stated.get(field.name) or stated.get("")
            if source is not None:
                shown = _shown(value, units.get(field.name))
                yield (name, field.name, shown, *_provenance(source))


def _shown(value: float, unit: Unit | None) -> str:
    """Return a stated figure as it was stated, without digits that nobody gave."""
    if unit is None:
        return f"{value:,.6g}"
    return f"{convert(value, unit):,.6g} {unit.shown or unit.symbol}".removesuffix(" 1")


def _provenance(source: Source | Fact) -> tuple[str, str, str]:
    return source.source, source.as_of.isoformat(), str(source.evidence)


def _others(answer: Answer, facts: Iterator[Fact]) -> Iterator[tuple[str, ...]]:
    """Yield facts with the fields that share a source in one row, in the order of the records."""
    found: dict[tuple[str, ...], list[str]] = {}
    for fact in facts:
        found.setdefault((fact.record, *_provenance(fact)), []).append(fact.field)
    order = {record: place for place, record in enumerate(key[0] for key in reversed(found))}
    values = _values(answer)
    for key in sorted(found, key=lambda key: (-order[key[0]], sorted(found[key]), key)):
        fields = ", ".join(sorted(found[key])).strip(", ") or "all"
        yield (key[0], fields, values.get(key[0], ""), *key[1:])


def _values(answer: Answer) -> Mapping[str, str]:
    """Return the values of records that hold one number, by record."""
    values = {
        f"efficiency {key}": f"{parameter.base:.6g}"
        for key, parameter in answer.efficiencies.items()
    }
    price = answer.plan.best.price
    if price is not None:
        hourly = f"{dollars(price.price * HOUR)} per h, {price.provider}"
        values[f"price {price.accelerator} {price.commitment}"] = hourly
    return values
