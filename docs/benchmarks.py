"""Run every benchmark in bench/ and write docs/benchmarks.md: `python docs/benchmarks.py`."""

import datetime as dt
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "benchmarks.md"
ELSEWHERE = frozenset(
    {"aiconfigurator.py", "aiconfigurator_worker.py", "clock_laws.py", "memory.py"}
)
"""Scripts whose figures stand elsewhere: they need measured rows, or a quiet quarter of an hour."""
NOTE = "<!-- Written by docs/benchmarks.py: run it again to measure again. -->"


def measured(script: Path) -> list[dict[str, object]]:
    """Return the JSON lines that a benchmark prints."""
    done = subprocess.run(  # noqa: S603  our own interpreter and our own scripts
        [sys.executable, str(script), "--json"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return [json.loads(line) for line in lines]


def shown(value: object) -> str:
    """Return a figure with four digits, anything else as it is."""
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def section(script: Path) -> str:
    """Return the table of one benchmark."""
    purpose = script.read_text(encoding="utf-8").split('"""')[1].strip().splitlines()[0]
    rows = [
        f"| {name} | {shown(value)} |" for line in measured(script) for name, value in line.items()
    ]
    table = "\n".join(["| figure | value |", "|---|---|", *rows])
    return f"## `python bench/{script.name} --json`\n\n{purpose}\n\n{table}"


def main() -> None:
    """Write the page."""
    machine = (
        f"{os.cpu_count()} processors, {platform.machine()}, Python {platform.python_version()}"
    )
    day = dt.datetime.now(tz=dt.UTC).date().isoformat()
    head = f"{NOTE}\n\n# Benchmarks\n\nMeasured on {day}: {machine}. Ratios travel, times do not."
    scripts = sorted(s for s in (ROOT / "bench").glob("*.py") if s.name not in ELSEWHERE)
    page = "\n\n".join([head, *(section(script) for script in scripts)]) + "\n"
    TARGET.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
