"""Facts as data: accelerators, models, engines, prices, grids; value, unit, source, date.

Lookups by name take any spelling and read their file on first use::

    from inferometer import catalog
    catalog.accelerator("NVIDIA H100 SXM").memory_bandwidth

Whole tables are in `catalog.tables`, since `catalog.engines`, `catalog.number_format` and others
are modules of records.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inferometer.catalog.prices import accelerator_price, accelerator_prices
    from inferometer.catalog.tables import (
        accelerator,
        accelerators,
        diurnal_profile,
        engine,
        facility,
        formats,
        grid,
        length_profile,
        node,
        nodes,
    )
    from inferometer.catalog.tokens import token_prices

_HOME = {
    "accelerator_price": "prices",
    "accelerator_prices": "prices",
    "token_prices": "tokens",
}

__all__ = [
    "accelerator",
    "accelerator_price",
    "accelerator_prices",
    "accelerators",
    "diurnal_profile",
    "engine",
    "facility",
    "formats",
    "grid",
    "length_profile",
    "node",
    "nodes",
    "token_prices",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME.get(name, 'tables')}"), name)
