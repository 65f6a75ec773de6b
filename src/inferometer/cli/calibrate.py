"""`inferometer calibrate`: fit the model to measurements and write a dated overlay."""

import datetime as dt
import sys
from pathlib import Path

from inferometer.errors import ScenarioError


def calibrate(
    *data: Path,
    output: Path = Path("overlay.toml"),
    models: Path | None = None,
    start: Path | None = None,
    date: dt.date | None = None,
    cross_validate: bool = True,
    shipped: bool = False,
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
        cross_validate: Whether to learn intervals by leaving groups out (minutes, not seconds).
        shipped: Whether to start from the priors and write the files that the catalogue ships.
    """
    from inferometer.calibrate.files import read
    from inferometer.calibrate.finding import finder
    from inferometer.calibrate.folds import calibrated
    from inferometer.calibrate.intervals import residuals_of
    from inferometer.calibrate.observation import observe
    from inferometer.calibrate.overlay import basis_of, fit_source, unfitted, write
    from inferometer.catalog.efficiency import efficiencies

    if not data:
        raise ScenarioError("calibrate: at least one file of measurements is wanted")
    rows = [row for path in data for row in read(path)]
    observations, refusals = observe(rows, finder(models))
    if not observations:
        raise ScenarioError(f"calibrate: none of {len(rows)} rows can be used: "
                            f"{refusals[0].reason if refusals else 'no rows'}")  # fmt: skip
    source = fit_source({row.source for row in rows}, date or dt.datetime.now(dt.UTC).date())
    begun = unfitted(efficiencies()) if shipped else efficiencies(start)
    _say(f"{len(observations)} rows, {len(refusals)} refused")
    values = calibrated(observations, begun, source)
    spreads = residuals_of(observations, begun, source, _say) if cross_validate else []
    write(output, values, spreads, basis_of(observations, source), shipped=shipped)
    _say(f"{output}: written")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
