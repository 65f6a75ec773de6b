"""What one token, request or task takes, as a row for people and as a document."""

from typing import Any

from inferometer.account.footprint import WATT_HOUR, UnitFootprint


def unit_row(name: str, unit: UnitFootprint) -> dict[str, Any]:
    """Return one row of a table."""
    return {
        "unit": name,
        "accelerators J": unit.accelerators,
        "facility J": unit.facility,
        "facility Wh": unit.facility / WATT_HOUR,
        "use g": unit.use,
        "manufacture g": unit.embodied,
        "gCO2e": unit.emissions,
        "carbon $": unit.price,
    }


def unit_document(unit: UnitFootprint) -> dict[str, float | None]:
    """Return the same with names that state their units."""
    return {
        "accelerators_j": unit.accelerators,
        "facility_j": unit.facility,
        "facility_wh": unit.facility / WATT_HOUR,
        "use_g": unit.use,
        "embodied_g": unit.embodied,
        "gco2e": unit.emissions,
        "carbon_usd": unit.price,
    }
