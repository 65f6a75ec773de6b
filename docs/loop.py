"""Measure the saving on this machine and write the figures into docs/loop.md.

Run it on a quiet machine: `python docs/loop.py` (nine minutes on two cores). It walks the
settings of the packaged engine in three interleaved rounds, each a fresh start.
"""

import contextlib
import datetime as dt
import io
import json
import sys
from pathlib import Path
from typing import Any

from inferometer.cli.app import run

PAGE = Path(__file__).resolve().parent / "loop.md"
BEGIN, END = "<!-- figures: written by docs/loop.py -->", "<!-- figures: end -->"
ASKED = (
    *("optimise", "--requests", "32", "--max-prompt", "256", "--max-output", "64"),
    *("--rounds", "3", "--measure", "2", "--weights", "as-shipped", "q8_0", "q4_0"),
    *("--slots", "4", "--cache", "unified", "split"),
    *("--slo", "tpot p50 <= 250 ms", "--theory-check"),
)
"""The walk that the page shows."""


def measured() -> dict[str, Any]:
    """Return the answer of the walk."""
    answer = io.StringIO()
    with contextlib.redirect_stdout(answer):
        code = run([*ASKED, "--format", "json"])
    if code:
        raise SystemExit(code)
    found: dict[str, Any] = json.loads(answer.getvalue())
    return found


def table(rows: list[dict[str, Any]], columns: list[str]) -> str:
    """Return rows as a Markdown table."""
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    lines += [f"| {' | '.join(_cell(row.get(name)) for name in columns)} |" for row in rows]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def text(found: dict[str, Any], day: dt.date) -> str:
    """Return the figures as a section of the page."""
    settings = [*found["settings"][0]]
    runs = ["setting", "round", "output tok/s", "predicted tok/s", "TPOT p50 ms",
            "predicted TPOT ms", "TTFT p99 ms", "$/Mtok", "J/output token", "energy"]  # fmt: skip
    errors = [*found["errors"][0]] if found["errors"] else []
    parts = [
        f"`python docs/loop.py`, {day.isoformat()}: {found['headline']}.",
        *found["notes"],
        table(found["settings"], settings),
        table(found["runs"], runs),
        *([table(found["errors"], errors)] if errors else []),
        *found["assumptions"],
    ]
    return "\n\n".join(parts)


def main() -> int:
    """Measure, and write the page's section anew."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    figures = text(measured(), dt.datetime.now(dt.UTC).date())
    PAGE.write_text(f"{before}{BEGIN}\n{figures}\n{END}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
