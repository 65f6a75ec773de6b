"""`inferometer calibrate`: fit the model to measurements and write a dated overlay."""

import datetime as dt
from pathlib import Path

from inferometer.cli.progress import say
from inferometer.errors import ScenarioError


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
        endpoint: Address of a live engine on this machine, in place of data: a short sweep fits
            an overlay that describes the machine and its engine.
        served: GGUF file that it serves; the packaged one by default.
        slots: Sequences that it runs at a time.
        model: Model as the endpoint names it.
    """
    from inferometer.calibrate.files import read
    from inferometer.calibrate.finding import finder
    from inferometer.calibrate.folds import calibrated
    from inferometer.calibrate.intervals import residuals_of
    from inferometer.calibrate.observation import observe
    from inferometer.calibrate.overlay import basis_of, fit_source, unfitted, write
    from inferometer.catalog.efficiency import efficiencies

    if endpoint:
        _here(endpoint, Path(served) if served else None, slots, model, output)
        return
    if not data:
        raise ScenarioError("calibrate: at least one file of measurements is wanted")
    rows = [row for path in data for row in read(path)]
    observations, refusals = observe(rows, finder(models))
    if not observations:
        raise ScenarioError(f"calibrate: none of {len(rows)} rows can be used: "
                            f"{refusals[0].reason if refusals else 'no rows'}")  # fmt: skip
    source = fit_source({row.source for row in rows}, date or dt.datetime.now(dt.UTC).date())
    begun = unfitted(efficiencies()) if shipped else efficiencies(start)
    say(f"{len(observations)} rows, {len(refusals)} refused")
    values = calibrated(observations, begun, source)
    spreads = residuals_of(observations, begun, source, say) if cross_validate else []
    write(output, values, spreads, basis_of(observations, source), shipped=shipped)
    say(f"{output}: written")


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
