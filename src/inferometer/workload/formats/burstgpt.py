"""BurstGPT traces, CSV: `Timestamp` in seconds; a response of 0 tokens is a failed request.

Source: HPMLL/BurstGPT, README. Some releases lack `Session ID` and `Elapsed time`.
"""

from pathlib import Path

from inferometer.errors import WorkloadError
from inferometer.workload.formats.columns import Columns
from inferometer.workload.formats.lines import csv_rows, token_count

COLUMNS = {"Timestamp": True, "Request tokens": True, "Response tokens": True, "Session ID": False}


def read_burstgpt(path: Path) -> Columns:
    """Return the requests of a BurstGPT CSV file; failed ones are counted, not kept.

    Raises:
        WorkloadError: see `csv_rows`; a time that is not a number.
    """
    columns, sessions = Columns(path=path), dict[str, int]()
    for line, (moment, inputs, outputs, session) in csv_rows(path, COLUMNS):
        arrival = _seconds(path, line, moment)
        prompt = token_count(inputs, path, line, "Request tokens")
        answer = token_count(outputs, path, line, "Response tokens")
        if answer == 0:
            columns.failed += 1
            continue
        columns.add(line, arrival, prompt, answer)
        if session:
            columns.session.append(sessions.setdefault(session, len(sessions)))
    if len(columns.session) < len(columns.inputs):
        del columns.session[:]  # the file leaves some out, as the trace's API log does
    return columns


def _seconds(path: Path, line: int, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        message = f"{path}:{line}: Timestamp {text[:40]!r} is not a number of seconds"
        raise WorkloadError(message) from None
