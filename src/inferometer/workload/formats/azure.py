"""Azure LLM inference traces, CSV, 2023 and 2024.

`TIMESTAMP,ContextTokens,GeneratedTokens`; wall-clock times with up to seven fractional digits, in
2024 with a time zone. Source: Azure/AzurePublicDataset, AzureLLMInferenceDataset2023.md, -2024.md.
"""

import datetime as dt
import re
from functools import lru_cache
from pathlib import Path

from inferometer.errors import WorkloadError
from inferometer.workload.formats.columns import Columns
from inferometer.workload.formats.lines import csv_rows, token_count

COLUMNS = {"TIMESTAMP": True, "ContextTokens": True, "GeneratedTokens": True}
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?\s*(Z|[+-]\d\d:?\d\d)?")


def read_azure(path: Path) -> Columns:
    """Return the requests of an Azure CSV file.

    Raises:
        WorkloadError: see `csv_rows`; a time of another form, or with and without time zone.
    """
    columns, origin, zoned = Columns(path=path), 0, False
    for line, (stamp, inputs, outputs) in csv_rows(path, COLUMNS):
        match = _STAMP.fullmatch(stamp)
        if match is None:
            raise WorkloadError(
                f"{path}:{line}: TIMESTAMP {stamp[:60]!r} is not a time such as"
                " 2023-11-16 18:15:46.6805900"
            )
        moment = _nanoseconds(path, line, match)
        if not columns.lines:
            origin, zoned = moment, match[3] is not None
        if zoned != (match[3] is not None):
            raise WorkloadError(f"{path}:{line}: TIMESTAMP {stamp!r}: give all a time zone or none")
        columns.add(
            line,
            (moment - origin) / 1e9,  # integers up to here: 1e-7 s is lost in an epoch of float64
            token_count(inputs, path, line, "ContextTokens"),
            token_count(outputs, path, line, "GeneratedTokens"),
        )
    return columns


def _nanoseconds(path: Path, line: int, match: re.Match[str]) -> int:
    try:
        return _second(match[1], match[3] or "Z") * 10**9 + int((match[2] or "0").ljust(9, "0"))
    except ValueError as error:
        raise WorkloadError(f"{path}:{line}: TIMESTAMP {match[0]!r}: {error}") from None


@lru_cache(4096)  # many requests share a second
def _second(clock: str, zone: str) -> int:
    return int(dt.datetime.fromisoformat(clock + zone).timestamp())
