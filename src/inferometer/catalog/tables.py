"""The catalogue's tables, each record read from its file once, on first use.

Every table takes an overlay: a file of the user or of a calibration whose records lie on top.
"""

import functools
from collections.abc import Mapping
from pathlib import Path

from inferometer.catalog.carbon import CarbonPrice, Embodied, HourShape
from inferometer.catalog.engines import Engine
from inferometer.catalog.grids import Facility, Grid
from inferometer.catalog.hardware import Accelerator, Node
from inferometer.catalog.lengths import DiurnalProfile, LengthProfile
from inferometer.catalog.load import K, overlaid, shipped_record, shipped_texts
from inferometer.catalog.names import index, resolve
from inferometer.catalog.number_format import NumberFormat
from inferometer.catalog.ownership import Colocation, Depreciation, OwnerHabits, Server
from inferometer.catalog.terms import Commitment, Egress, Operations, Trend
from inferometer.catalog.trade_names import accelerator_named


@functools.cache
def _table(record: type[K], section: str) -> Mapping[str, K]:
    file = f"{section}.toml"
    found = {key: shipped_record(file, record, key) for key in shipped_texts(file)}
    index(found, origin=f"catalog/data/{file}")  # refuses one name for two records
    return found


def _exact(record: type[K], section: str, name: str, overlay: Path | None) -> K | None:
    """Return the shipped record of that very key, reading no other; None if there is none."""
    file = f"{section}.toml"
    if overlay is not None or name not in shipped_texts(file):
        return None
    return shipped_record(file, record, name)


def table(record: type[K], section: str, overlay: Path | None = None) -> Mapping[str, K]:
    """Return the records of one kind by key.

    Args:
        record: Their class.
        section: Name of their file, and of their section in an overlay.
        overlay: File that lies on top; None for the shipped facts alone.

    Raises:
        CatalogError: the overlay is at fault; every fault is named.
    """
    base = _table(record, section)
    return base if overlay is None else overlaid(base, record, section, overlay)


def accelerators(overlay: Path | None = None) -> Mapping[str, Accelerator]:
    """Return all accelerators by key."""
    return table(Accelerator, "accelerators", overlay)


def nodes(overlay: Path | None = None) -> Mapping[str, Node]:
    """Return all nodes by key, which is the accelerator's where one kind is usual."""
    return table(Node, "nodes", overlay)


def formats(overlay: Path | None = None) -> Mapping[str, NumberFormat]:
    """Return all number formats by key."""
    return table(NumberFormat, "formats", overlay)


def engines(overlay: Path | None = None) -> Mapping[str, Engine]:
    """Return all serving engines by key."""
    return table(Engine, "engines", overlay)


def grids(overlay: Path | None = None) -> Mapping[str, Grid]:
    """Return all electricity grids by key."""
    return table(Grid, "grids", overlay)


def facilities(overlay: Path | None = None) -> Mapping[str, Facility]:
    """Return all kinds of data centre by key."""
    return table(Facility, "facilities", overlay)


def hour_shapes(overlay: Path | None = None) -> Mapping[str, HourShape]:
    """Return all shapes of a grid's day by key."""
    return table(HourShape, "hour_shapes", overlay)


def carbon_prices(overlay: Path | None = None) -> Mapping[str, CarbonPrice]:
    """Return all prices of carbon by key."""
    return table(CarbonPrice, "carbon_prices", overlay)


def embodied(overlay: Path | None = None) -> Mapping[str, Embodied]:
    """Return what making hardware emitted, by accelerator, and "typical" for the others."""
    return table(Embodied, "embodied", overlay)


def lengths(overlay: Path | None = None) -> Mapping[str, LengthProfile]:
    """Return all length profiles by key."""
    return table(LengthProfile, "lengths", overlay)


def diurnal(overlay: Path | None = None) -> Mapping[str, DiurnalProfile]:
    """Return all diurnal profiles by key."""
    return table(DiurnalProfile, "diurnal", overlay)


def servers(overlay: Path | None = None) -> Mapping[str, Server]:
    """Return all servers that are for sale by key."""
    return table(Server, "servers", overlay)


def commitments(overlay: Path | None = None) -> Mapping[str, Commitment]:
    """Return what providers give for a commitment, by key."""
    return table(Commitment, "commitments", overlay)


def egresses(overlay: Path | None = None) -> Mapping[str, Egress]:
    """Return what clouds charge for traffic that leaves them, by provider."""
    return table(Egress, "egress", overlay)


def trends(overlay: Path | None = None) -> Mapping[str, Trend]:
    """Return how prices change per year, by key."""
    return table(Trend, "trends", overlay)


def operations(overlay: Path | None = None) -> Operations:
    """Return how services are run where nothing else is stated."""
    return table(Operations, "operations", overlay)["typical"]


def accelerator(name: str, overlay: Path | None = None) -> Accelerator:
    """Return the accelerator of that name, in any spelling, as drivers print it included.

    Raises:
        CatalogError: there is none; the message lists the nearest names.
    """
    exact = _exact(Accelerator, "accelerators", name, overlay)
    return exact or accelerator_named(accelerators(overlay), name)


def node(name: str, overlay: Path | None = None) -> Node:
    """Return the node of that name: its key, or any name of the accelerator it is named after.

    Raises:
        CatalogError: there is none; the message lists the nearest names.
    """
    if exact := _exact(Node, "nodes", name, overlay):
        return exact
    known = nodes(overlay)
    return known[name] if name in known else resolve(known, accelerator(name, overlay).key)


def number_format(name: str, overlay: Path | None = None) -> NumberFormat:
    """Return the number format of that name, in any spelling.

    Raises:
        CatalogError: there is none; the message lists the nearest names.
    """
    exact = _exact(NumberFormat, "formats", name, overlay)
    return exact or resolve(formats(overlay), name, kind="number format")


def engine(name: str, overlay: Path | None = None) -> Engine:
    """Return the serving engine of that name, in any spelling.

    Raises:
        CatalogError: there is none; the message lists the nearest names.
    """
    exact = _exact(Engine, "engines", name, overlay)
    return exact or resolve(engines(overlay), name, kind="engine")


def grid(name: str, overlay: Path | None = None) -> Grid:
    """Return the electricity grid of that name, in any spelling.

    Raises:
        CatalogError: there is none; the message lists the nearest names.
    """
    return resolve(grids(overlay), name, kind="grid")


def hour_shape(name: str, overlay: Path | None = None) -> HourShape:
    """Return the shape of a grid's day of that name, in any spelling.

    Raises:
        CatalogError: there is none; the message lists the nearest names.
    """
    return resolve(hour_shapes(overlay), name, kind="shape of a grid's day")


def carbon_price(name: str, overlay: Path | None = None) -> CarbonPrice:
    """Return the price of carbon of that name, in any spelling.

    Raises:
        CatalogError: there is none; the message lists the nearest names.
    """
    return resolve(carbon_prices(overlay), name, kind="price of carbon")


def facility(name: str, overlay: Path | None = None) -> Facility:
    """Return the kind of data centre of that name, in any spelling.

    Raises:
        CatalogError: there is none; the message lists the nearest names.
    """
    exact = _exact(Facility, "facilities", name, overlay)
    return exact or resolve(facilities(overlay), name, kind="facility")


def length_profile(name: str, overlay: Path | None = None) -> LengthProfile:
    """Return the length profile of that name, in any spelling.

    Raises:
        CatalogError: there is none; the message lists the nearest names.
    """
    return resolve(lengths(overlay), name, kind="length profile")


def diurnal_profile(name: str, overlay: Path | None = None) -> DiurnalProfile:
    """Return the diurnal profile of that name, in any spelling.

    Raises:
        CatalogError: there is none; the message lists the nearest names.
    """
    return resolve(diurnal(overlay), name, kind="diurnal profile")


def server(name: str, overlay: Path | None = None) -> Server:
    """Return the server of that name, in any spelling.

    Raises:
        CatalogError: there is none; the message lists the nearest names.
    """
    return resolve(servers(overlay), name, kind="server")


def colocation(name: str, overlay: Path | None = None) -> Colocation:
    """Return the kind of colocation of that name, in any spelling.

    Raises:
        CatalogError: there is none; the message lists the nearest names.
    """
    return resolve(table(Colocation, "colocations", overlay), name, kind="colocation")


def owner_habits(name: str, overlay: Path | None = None) -> OwnerHabits:
    """Return the habits of owners of that name, in any spelling.

    Raises:
        CatalogError: there is none; the message lists the nearest names.
    """
    return resolve(table(OwnerHabits, "habits", overlay), name, kind="habits of owners")


def depreciation(name: str, overlay: Path | None = None) -> Depreciation:
    """Return the tax schedule of that name, in any spelling.

    Raises:
        CatalogError: there is none; the message lists the nearest names.
    """
    return resolve(table(Depreciation, "depreciations", overlay), name, kind="tax schedule")
