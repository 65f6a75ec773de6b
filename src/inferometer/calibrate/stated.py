"""Counts and amounts that a row of measurements states; what is none is refused, never guessed."""

from inferometer.calibrate.measurement import Row
from inferometer.calibrate.resolution import noted
from inferometer.calibrate.tables import number
from inferometer.errors import ScenarioError

RANKS = ("num_gpus", "tp", "pp", "ep", "dp")
"""Columns that count accelerators or ranks."""

AMOUNTS = (
    *("isl", "osl", "concurrency_or_rate", "num_requests", "max_num_batched_tokens"),
    *("max_num_seqs", "avg_batch_size", "avg_input_len", "avg_output_len"),
    *("batch", "seq_len", "sm_percent", "power_cap_w"),
    *("prefill_tokens", "prefill_requests", "prefill_kv_tokens"),
    *("decode_requests", "decode_kv_tokens"),
)
"""Columns that count tokens, requests, sequences, watts or shares."""

MOST_RANKS = 65_536
"""Ranks beyond which a count is a slip: no published deployment of one model comes near (those of
the measured rows end at 80)."""

MOST = 1e8
"""Tokens, requests or sequences beyond which an amount is a slip or a stand-in for "unlimited"; the
longest contexts that models are published with are 1e7 tokens."""


def check(row: Row) -> None:
    """Refuse a row of which a count or an amount is no number in its range.

    Blank cells pass: the source does not say. So does an infinite rate: all requests at once.

    Raises:
        ScenarioError: with the row, the column and what it holds.
    """
    for name in RANKS:
        counted(row, name, row.cells.get(name, ""))
    for name in AMOUNTS:
        _within(row, name, row.cells.get(name, ""), MOST)
    for name, text in noted(row).items():
        if name in {"moe_tp", "max-num-seqs"} and number(text) is not None:  # else it is prose
            _within(row, name, text, MOST)
    if row.cells.get("draft_tokens", ""):
        counted(row, "draft_tokens", row.cells["draft_tokens"])
        _within(row, "acceptance", row.cells.get("acceptance", "") or "none", 1.0)


def counted(row: Row, name: str, text: str) -> int:
    """Return the whole number that a cell holds, 0 if it is blank.

    Raises:
        ScenarioError: it holds something else, a negative number, or more than `MOST_RANKS`.
    """
    value = _within(row, name, text, MOST_RANKS)
    if value % 1:
        raise ScenarioError(f"{row.key}: {name} {text!r} is no whole number; {REMEDY}")
    return int(value)


REMEDY = "correct it, or leave it blank where the source does not say"


def _within(row: Row, name: str, text: str, most: float) -> float:
    if not text or (name == "concurrency_or_rate" and _at_once(row)):
        return 0.0
    value = number(text)
    if value is None or not 0 <= value <= most:
        raise ScenarioError(f"{row.key}: {name} {text!r} is no number from 0 to {most:g}; {REMEDY}")
    return value


def _at_once(row: Row) -> bool:
    """Return whether a row states an infinite rate, as load generators write it."""
    rate = row.cells["concurrency_or_rate"].lower() in {"inf", "infinity"}
    return rate and row.cells.get("load_type", "") != "concurrency"
