"""A table of a page: cells as text, with the same rows as a CSV file inside the page."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

_NUMERIC = re.compile(
    r"[-+]?\$?[-+]?\d[\d,.]*(e[-+]?\d+)?( ?(%|ms|s|x))?|not known|unpriced|as input|"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under named columns.

    Attributes:
        caption: What the table holds.
        columns: Names, units included.
        rows: Cells, one tuple per row.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"{self.caption}: {len(row)} cells under {len(self.columns)} names"
                )

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Whether every cell of each column is a number; those are set to the right."""
        return tuple(
            all(_NUMERIC.fullmatch(row[place]) for row in self.rows)
            for place in range(len(self.columns))
        )

    @property
    def csv(self) -> str:
        """The rows as a CSV file in a data address, which works offline."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows((self.columns, *(map(_inert, row) for row in self.rows)))
        return f"data:text/csv;charset=utf-8,{quote(text.getvalue())}"


def table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Return a table of any sequences."""
    return Table(caption=caption, columns=tuple(columns), rows=tuple(map(tuple, rows)))


def _inert(cell: str) -> str:
    """Return the cell so that no spreadsheet runs it as a formula."""
    runs = cell.startswith(("=", "@", "\t", "\r")) or (
        cell.startswith(("+", "-")) and not _NUMERIC.fullmatch(cell)
    )
    return f"'{cell}" if runs else cell
