"""This machine as a record of the catalogue: what its processor is, holds, draws and costs."""

from inferometer.catalog import tables
from inferometer.catalog.hardware import Accelerator
from inferometer.units import Watts

TEMPLATE = "cpu-x86-2core"
"""Record of the catalogue that power, price and peaks per core are taken from."""

TEMPLATE_CORES = 2


def template() -> Accelerator:
    """Return the record that this machine is described after."""
    return tables.accelerators()[TEMPLATE]


def watts_per_core() -> Watts:
    """Return the declared draw of one busy core: the catalogue's power limit over its cores."""
    return template().tdp / TEMPLATE_CORES
