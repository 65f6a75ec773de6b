"""`inferometer calibrate`: fit the model to measurements and write a dated overlay."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inferometer.cli.options import Format
from inferometer.cli.progress import say
from inferometer.errors import ScenarioError

if TYPE_CHECKING:
    from inferometer.calibrate.measurement import Observation
    from inferometer.catalog.efficiency import Efficiencies


def calibrate(
    *data: Path,
    output: Path = Path("overlay.toml"),
    models: Path | None = None,
    start: Path | None = None,
    date: dt.date | None = None,
    cross_validate: bool = True,
    shipped: bool = False,
    endpoint: str = "",
    served: str = "",
    slots: int = 4,
    model: str = "local",
    format: Format = "table",  # noqa: A002 - the option's name
) -> None:
    """Fit efficiencies, power weights and intervals to files of measurements.

    What the measurements do not inform keeps the value that it had: an accelerator without rows
    inherits the factors of its silicon generation, and base values where that has none.

    Args:
        data: Files of measurements, as `validate` reads them.
        output: TOML file to write; with --shipped, the folder of the catalogue's data.
        models: Folder of models that the catalogue lacks.
        start: Overlay to start from instead of the shipped efficiencies.
        date: Date of the fit; today by default.
        cross_validate: Whether to learn intervals by leaving rows out, with --shipped whole groups
            (minutes, not seconds, for thousands of rows).
        shipped: Whether to start from the priors and write the files that the catalogue ships.
        endpoint: Address of a live engine on this machine, in place of data: a short sweep fits
            an overlay that describes the machine and its engine.
        served: GGUF file that it serves; the packaged one by default.
        slots: Sequences that it runs at a time.
        model: Model as the endpoint names it.
        format: What the fit changed, as a table for people or JSON.
    """
    from inferometer.calibrate.folds import calibrated
    from inferometer.calibrate.informed import credited
    from inferometer.calibrate.intervals import own_residuals, residuals_of
    from inferometer.calibrate.overlay import basis_of, fit_source, unfitted, write
    from inferometer.catalog.efficiency import efficiencies

    if endpoint:
        _here(endpoint, Path(served) if served else None, slots, model, output)
        return
    if not data:
        raise ScenarioError("calibrate: at least one file of measurements is wanted")
    observations = _usable(data, models)
    laboratories = {one.row.source for one in observations}
    source = fit_source(laboratories, date or dt.datetime.now(dt.UTC).date())
    begun = unfitted(efficiencies()) if shipped else efficiencies(start)
    values = calibrated(observations, begun, source)
    learn = residuals_of if shipped else own_residuals
    spreads = learn(observations, begun, source, say) if cross_validate else []
    if cross_validate and not spreads:
        say("too few rows, or of one sweep only, to tell intervals: those of the start are kept")
    kept = values if shipped else credited(begun, values)
    basis = basis_of(observations, source, "fit" if shipped else "own")
    write(output, kept, spreads, basis, shipped=shipped)
    say(f"{output}: written" + ("" if shipped else "; use it as --overlay or --catalog"))
    _show(output, _report(observations, begun, kept), format)


def _usable(data: Sequence[Path], models: Path | None) -> "list[Observation]":
    """Return the rows that can be fitted to, and say how many cannot and why.

    Raises:
        ScenarioError: there is none.
    """
    from inferometer.calibrate.files import read
    from inferometer.calibrate.finding import finder
    from inferometer.calibrate.observation import observe

    rows = [row for path in data for row in read(path)]
    observations, refusals = observe(rows, finder(models))
    if not observations:
        raise ScenarioError(f"calibrate: none of {len(rows)} rows can be used: "
                            f"{refusals[0].reason if refusals else 'no rows'}")  # fmt: skip
    first = f", the first: {refusals[0].reason}" if refusals else ""
    say(f"{len(observations)} rows, {len(refusals)} refused{first}")
    return observations


def _report(
    observations: "Sequence[Observation]", begun: "Efficiencies", values: "Efficiencies"
) -> dict[str, list[dict[str, Any]]]:
    """Return what was informed, and the errors on the fitted rows themselves before and after."""
    from inferometer.calibrate.informed import changes
    from inferometer.calibrate.score import scores
    from inferometer.calibrate.verdict import verdicts_of

    def errors(of: "Efficiencies") -> dict[str, float]:
        found = verdicts_of(observations, of, {}, lambda _: "known")
        return {score.metric: score.median for score in scores(found)}

    before, after = errors(begun), errors(values)
    return {
        "informed": [
            {"parameter": one.key, "base_before": one.before, "base_after": one.after,
             "factors_changed": ", ".join(one.factors)}
            for one in changes(begun, values)
        ],
        "median error on these rows": [
            {"metric": name, "before": before[name], "after": after[name]} for name in after
        ],
    }  # fmt: skip


def _show(output: Path, tables: dict[str, list[dict[str, Any]]], format: Format) -> None:  # noqa: A002
    from inferometer.cli.result import show_json, show_rows

    if format == "json":
        show_json({"overlay": str(output), **tables})
        return
    for title, rows in tables.items():
        show_rows(title, rows)


def _here(endpoint: str, served: Path | None, slots: int, model: str, output: Path) -> None:
    """Fit the overlay of this machine to the engine at `endpoint`, and show it."""
    from inferometer.cli.result import show_rows
    from inferometer.loop.client import Endpoint
    from inferometer.loop.launch import model_file
    from inferometer.loop.local import calibrated_here
    from inferometer.loop.setting import Setting
    from inferometer.loop.supervise import interruptible

    with interruptible():
        found = calibrated_here(
            Endpoint(url=endpoint.rstrip("/"), model=model), model_file(served),
            Setting(slots=slots), output, say,
        )  # fmt: skip
    say(f"{output}: written; use it as --catalog, or --overlay of validate")
    show_rows("Fitted", [
        {"parameter": "arithmetic, GFLOP/s", "value": found.arithmetic / 1e9},
        {"parameter": "constant of a step, ms", "value": found.step * 1e3},
        {"parameter": "each sequence beyond arithmetic, ms", "value": found.sequence * 1e3},
        {"parameter": "each prompt token beyond arithmetic, ms", "value": found.prefill * 1e3},
        {"parameter": "request outside of steps, ms", "value": found.request * 1e3},
    ])  # fmt: skip
