"""The answer of `inferometer energy`: as tables for people, and as a document."""

from dataclasses import dataclass
from typing import Any

from inferometer.account.ecologits import Footprint
from inferometer.account.footprint import WATT_HOUR
from inferometer.cli.result import show_rows
from inferometer.cli.task_energy import TaskEnergy
from inferometer.cli.unit_tables import unit_document, unit_row
from inferometer.perf.clocks import ASSUMED
from inferometer.plan.clock_choice import ClockPoint, PhaseClock
from inferometer.plan.provenance import Fact
from inferometer.plan.savings import Saving
from inferometer.units import Grams, GramsPerJoule, UsdPerGram

KILOWATT_HOUR, KILOWATT, MILLI, TONNE = 3.6e6, 1e3, 1e3, 1e6
NOTES = (
    "energy: predicted; all of the span lands on tokens, idle time included, by the work they took",
    "facility: accelerators, hosts, and the building's PUE; no network beyond the server",
    "manufacture: by straight line over the hardware's life, in use or not",
    "step clocks: with the idle draw of a step's time; one clock: over the span, where it stays",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """The same load on another grid.

    Attributes:
        grid: Key of the grid.
        intensity: Its intensity over the hours of the load.
        per_request: Emissions of the electricity of a request.
    """

    grid: str
    intensity: GramsPerJoule
    per_request: Grams


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EnergyAnswer:
    """All that the command found.

    Attributes:
        tasks: Footprints by unit, and the deployment behind them.
        phases: Clock of least energy of a step of each phase.
        points: The deployment at each clock.
        best: The one of least energy within the SLO; None if none keeps it.
        savings: What that saves per year, and whose money it is.
        building: Whose price of provisioned power values it.
        elsewhere: The same load on other grids.
        carbon_price: Price of emissions; None where none is stated.
        independent: A request by EcoLogits' method; empty where the grid is unknown.
        sources: Facts behind the figures.
    """

    tasks: TaskEnergy
    phases: tuple[PhaseClock, PhaseClock]
    points: tuple[ClockPoint, ...]
    best: ClockPoint | None
    savings: tuple[Saving, ...]
    building: str
    elsewhere: tuple[Elsewhere, ...]
    carbon_price: UsdPerGram | None
    independent: tuple[Footprint, ...]
    sources: tuple[Fact, ...]


def show_energy(answer: EnergyAnswer) -> None:
    """Print the footprint, where it goes, the day, the clocks, the savings."""
    found = answer.tasks.measured
    show_rows(f"{found.option.deployment}: what one takes", [
        unit_row(name, unit) for name, unit in answer.tasks.units.items()
    ])  # fmt: skip
    show_rows("Where it goes, over the workload's span", _parts(answer))
    show_rows("A typical day", _day(answer))
    show_rows("The same load on other grids", [
        {"grid": one.grid, "g/kWh": one.intensity * KILOWATT_HOUR, "g/request": one.per_request}
        for one in answer.elsewhere
    ])  # fmt: skip
    show_rows("Clock of least energy of a step, by phase", [_phase(one) for one in answer.phases])
    show_rows("One clock for both phases, at this load", [
        _point(point, answer) for point in answer.points
    ])  # fmt: skip
    show_rows(
        "Savings per year, and whose money they are", [_saving(one) for one in answer.savings]
    )
    show_rows("An independent estimate of a request, by EcoLogits' method", [
        {"accelerators": one.accelerators, "facility J": one.energy,
         "facility Wh": one.energy / WATT_HOUR, "use g": one.use, "manufacture g": one.embodied}
        for one in answer.independent
    ])  # fmt: skip
    show_rows("Notes", [{"": text} for text in notes(answer)])


def _parts(answer: EnergyAnswer) -> list[dict[str, Any]]:
    found = answer.tasks.measured
    own, meter = found.option.outcome.energy, found.option.bill.energy
    parts = {
        "prompts": own.prefill, "output": own.decode, "idle draw": own.idle,
        "hosts": meter.host, "building (PUE)": meter.building, "at the meter": meter.total,
    }  # fmt: skip
    grams = None if found.use is None else found.use.intensity
    return [
        {
            "part": name,
            "kWh": value / KILOWATT_HOUR,
            "share": value / meter.total,
            "kW": value / found.option.outcome.span / KILOWATT,
            "kgCO2e": None if grams is None else value * grams / MILLI,
        }
        for name, value in parts.items()
    ] + [
        {"part": "manufacture", "kWh": None, "share": None, "kW": None,
         "kgCO2e": found.whole.embodied / MILLI}
    ]  # fmt: skip


def _day(answer: EnergyAnswer) -> list[dict[str, Any]]:
    use = answer.tasks.measured.use
    if use is None:
        return []
    return [
        {
            "hour": f"{one.hour:02}",
            "requests/s": one.rate,
            "kW": one.power / KILOWATT,
            "g/kWh": one.intensity * KILOWATT_HOUR,
            "g/request": one.per_request,
        }
        for one in use.hours
    ]


def _phase(one: PhaseClock) -> dict[str, Any]:
    return {
        "phase": one.phase,
        "clock": one.clock,
        "energy saved": f"{one.saving:.1%}",
        "step longer": f"{one.slower:.1%}",
        "step ms": one.step * MILLI,
        "W": one.power,
        "W at it": one.power_at_best,
        "clock law": one.law,
    }


def _point(point: ClockPoint, answer: EnergyAnswer) -> dict[str, Any]:
    outcome, first = point.option.outcome, answer.points[0].energy
    best = answer.best is not None and point.clock == answer.best.clock
    return {
        "clock": point.clock,
        "facility J/request": point.energy / answer.tasks.measured.shape.requests,
        "saved": f"{1 - point.energy / first:.1%}",
        "TTFT p99 ms": outcome.ttft.p99 * MILLI,
        "TPOT p99 ms": outcome.tpot.p99 * MILLI,
        "load": outcome.utilisation,
        "SLO": "kept" if point.kept else "missed",
        "": "least energy" if best else "",
    }


def _saving(one: Saving) -> dict[str, Any]:
    return {
        "saving": one.name,
        "per year": one.amount,
        "unit": one.unit,
        "renting $": one.rented,
        "own, metered $": one.metered,
        "colocation $": one.colocated,
        "carbon $": one.priced,
    }


def notes(answer: EnergyAnswer) -> tuple[str, ...]:
    """Return what the figures rest on and leave out."""
    found = answer.tasks.measured
    said = [*NOTES, *answer.tasks.notes, f"load of the day: {found.made_from}"]
    if found.hours is None or found.use is None:
        said.append("emissions: unknown without --grid or --hours")
    else:
        kind = "assumed" if found.hours.assumed else "as given"
        even = found.use.by_mean and found.use.total / found.use.by_mean - 1
        said.append(
            f"hours of the grid ({kind}): {found.hours.name}; by the hour {even:+.1%} over the mean"
        )
    if found.made.key == "typical":
        said.append("manufacture of this accelerator: assumed as the H100's")
    if any(one.law == ASSUMED.key for one in answer.phases):
        said.append("clock law: assumed; nobody measured this silicon's clocks (docs/energy.md)")
    said += [
        "renting: power is in the price, a joule saved is the provider's; an hour is yours",
        "renting: that hour is at the on-demand price; under a commitment it is paid anyway",
        "colocation: a kW less is money once the contracted power follows; energy is metered",
        f"colocation: at the price of {answer.building}; [ownership] colocation names another",
        "owning: an idle hour saved is no money, the hardware is paid for",
    ]
    return tuple(said)


def energy_answer(answer: EnergyAnswer) -> dict[str, Any]:
    """Return the answer as a document."""
    found = answer.tasks.measured
    return {
        "deployment": found.option.deployment,
        "units": {name: unit_document(unit) for name, unit in answer.tasks.units.items()},
        "whole": unit_document(found.whole),
        "energy": found.option.bill.energy,
        "accelerators": found.option.outcome.energy,
        "use": found.use,
        "hours": found.hours,
        "embodied": found.made,
        "elsewhere": answer.elsewhere,
        "phases": answer.phases,
        "clocks": [
            {
                "clock": point.clock,
                "energy_j": point.energy,
                "ttft": point.option.outcome.ttft,
                "tpot": point.option.outcome.tpot,
                "utilisation": point.option.outcome.utilisation,
                "kept": point.kept,
            }
            for point in answer.points
        ],
        "least_energy_clock": None if answer.best is None else answer.best.clock,
        "savings_per_year": answer.savings,
        "carbon_price_usd_per_t": None
        if answer.carbon_price is None
        else answer.carbon_price * TONNE,
        "notes": notes(answer),
        "ecologits_request": answer.independent,
        "sources": answer.sources,
    }
