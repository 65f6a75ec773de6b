"""Files of measurements in any known format."""

from collections.abc import Callable, Mapping
from pathlib import Path

from inferometer.calibrate.measurement import Row
from inferometer.calibrate.results import read_results
from inferometer.calibrate.tables import read_table
from inferometer.errors import ScenarioError

READERS: Mapping[str, Callable[[Path], list[Row]]] = {
    ".csv": read_table,
    ".csv.gz": read_table,
    ".json": read_results,
}
"""Reader by ending of the file name."""


def read(path: Path) -> list[Row]:
    """Return the rows of a file of measurements.

    Raises:
        ScenarioError: there is no such file, or its format is not known.
    """
    if not path.is_file():
        raise ScenarioError(f"{path}: no such file")
    for ending, reader in READERS.items():
        if path.name.lower().endswith(ending):
            return reader(path)
    raise ScenarioError(f"{path}: format not known; files of {', '.join(READERS)} are read")
