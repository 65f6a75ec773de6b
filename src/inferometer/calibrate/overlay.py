"""Fitted parameters as catalogue text: TOML tables with source and date."""

import datetime as dt
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from inferometer.calibrate.design import Design
from inferometer.calibrate.measurement import Observation
from inferometer.candidates import Floats
from inferometer.catalog.efficiency import Efficiencies, Parameter
from inferometer.catalog.source import Evidence, Source
from inferometer.catalog.uncertainty import Basis, Residual
from inferometer.errors import ScenarioError

NEGLIGIBLE = 0.01
"""Logarithm of a factor below which it is left out: one per cent."""

DIGITS = 4
"""Significant digits of what is written."""


def fitted(
    design: Design, theta: Floats, efficiencies: Efficiencies, source: Source
) -> Efficiencies:
    """Return `efficiencies` with base values and factors of a fit.

    Factors of keys that the fit had no rows for are kept as they were.
    """
    values = dict(efficiencies)
    for name in {name for name, _ in design.names}:
        factors = dict(efficiencies[name].factors)
        base = efficiencies[name].base
        for (field, key), value in zip(design.names, theta, strict=True):
            if field == name and not key:
                base = _rounded(math.exp(value))
            elif field == name and abs(value) >= NEGLIGIBLE:
                factors[key] = _rounded(math.exp(value))
            elif field == name:
                factors.pop(key, None)
        values[name] = replace(
            efficiencies[name],
            base=base,
            factors=dict(sorted(factors.items())),
            sources={"": source, "prior": _of_prior(efficiencies[name])},
        )
    return values


def _of_prior(parameter: Parameter) -> Source:
    return parameter.sources.get("prior", parameter.sources[""])


def unfitted(efficiencies: Efficiencies) -> Efficiencies:
    """Return parameters as they were before any measurement: priors without factors."""
    return {
        key: replace(value, base=value.prior, factors={}) for key, value in efficiencies.items()
    }


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def efficiency_text(values: Efficiencies, *, section: str = "") -> str:
    """Return parameters as TOML; `section` is "efficiencies." in an overlay."""
    return "\n".join(_parameter_text(value, section) for value in values.values())


def _parameter_text(value: Parameter, section: str) -> str:
    lines = [f"[{section}{value.key}]", *_provenance(value.sources[""])]
    lines += [f"{name} = {getattr(value, name)!r}" for name in ("base", "low", "high")]
    prior = value.sources["prior"]
    lines.append(
        f'prior = {{ value = {value.prior!r}, source = "{prior.source}", '
        f'as_of = {prior.as_of.isoformat()}, evidence = "{prior.evidence.value}" }}'
    )
    if value.factors:
        lines.append(f"[{section}{value.key}.factors]")
        lines += [f'"{key}" = {factor!r}' for key, factor in value.factors.items()]
    return "\n".join(lines) + "\n"


def _provenance(source: Source) -> list[str]:
    return [
        f'source = "{source.source}"',
        f"as_of = {source.as_of.isoformat()}",
        f'evidence = "{source.evidence.value}"',
    ]


def residual_text(values: Iterable[Residual], *, section: str = "") -> str:
    """Return spreads as TOML."""
    return "\n".join(
        "\n".join([
            f'[{section}"{value.key}"]', *_provenance(value.sources[""]),
            f"low = {_rounded(value.low)!r}", f"high = {_rounded(value.high)!r}",
            f"rows = {value.rows}",
        ]) + "\n"
        for value in values
    )  # fmt: skip


def basis_text(value: Basis, *, section: str = "") -> str:
    """Return what a fit rests on as TOML."""
    lists = {
        n: getattr(value, n) for n in ("families", "architectures", "accelerators", "laboratories")
    }
    lines = [f"[{section}{value.key}]", *_provenance(value.sources[""])]
    lines += [f"{name} = [{', '.join(_quoted(items))}]" for name, items in lists.items()]
    return "\n".join(lines) + "\n"


def _quoted(items: Iterable[str]) -> list[str]:
    return ['"' + item.replace('"', "'") + '"' for item in items]


def fit_source(laboratories: Iterable[str], as_of: dt.date) -> Source:
    """Return the provenance of a fit to rows of `laboratories`."""
    names = ", ".join(sorted(laboratories))
    return Source(
        source=f"inferometer calibrate: pooled fit to measured rows of {names}",
        as_of=as_of,
        evidence=Evidence.MEASURED,
    )


def basis_of(observations: Sequence[Observation], source: Source, key: str = "fit") -> Basis:
    """Return what a fit to `observations` rests on; `key` is "own" in an overlay."""
    return Basis(
        key=key,
        families=tuple(sorted({o.row.family for o in observations})),
        architectures=tuple(sorted({o.subject.deployment.model.family for o in observations})),
        accelerators=tuple(sorted({o.subject.deployment.accelerator.key for o in observations})),
        laboratories=tuple(sorted({o.row.source for o in observations})),
        sources={"": source},
    )


def write(
    output: Path,
    values: Efficiencies,
    residuals: Sequence[Residual],
    basis: Basis,
    *,
    shipped: bool = False,
) -> None:
    """Write a fit as an overlay, or as the catalogue's own files in the folder `output`.

    Raises:
        ScenarioError: the file cannot be written.
    """
    try:
        if shipped:
            (output / "efficiencies.toml").write_text(HEAD + efficiency_text(values))
            if residuals:
                (output / "residuals.toml").write_text(RESIDUAL_HEAD + residual_text(residuals))
            (output / "basis.toml").write_text(basis_text(basis))
            return
        parts = [efficiency_text(values, section="efficiencies."),
                 residual_text(residuals, section="residuals."),
                 basis_text(basis, section="basis.")]  # fmt: skip
        output.write_text(HEAD + "\n".join(parts), encoding="utf-8")
    except OSError as error:
        raise ScenarioError(f"{output}: cannot be written: {error}") from error


HEAD = """\
# Named efficiencies and overheads of the performance model, fitted by `inferometer calibrate`.
# Fractions are of published peaks; latencies and overheads are seconds. A value is its base times
# the factors of what it is used for, within low and high. An accelerator that nobody measured has
# the factors of its silicon generation, and the base alone where nobody measured that either.

"""
"""Comment at the head of a file of efficiencies."""

RESIDUAL_HEAD = """\
# Ratio of measured to predicted in cross-validation: ends of the 80 % interval by
# "quantity.load.novelty", "any" standing for any. Written by `inferometer calibrate`.

"""
"""Comment at the head of a file of intervals."""
