"""Run every benchmark in bench/ and write docs/benchmarks.md: `python docs/benchmarks.py`."""

import datetime as dt
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "benchmarks.md"
ELSEWHERE = frozenset(
    {"aiconfigurator.py", "aiconfigurator_worker.py", "clock_laws.py", "memory.py"}
)
"""Scripts whose figures stand elsewhere: they need measured rows, or a quiet quarter of an hour."""
NOTE = "<!-- Written by docs/benchmarks.py: run it again to measure again. -->"


def measured(script: Path) -> list[dict[str, object]]:
    """Return the JSON lines that a benchmark prints; none if it fails, as it says on stderr."""
    print(f"{script.name} ...", file=sys.stderr, flush=True)
    done = subprocess.run(  # noqa: S603  our own interpreter and our own scripts
        [sys.executable, str(script), "--json"],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        cwd=ROOT,
    )
    if done.returncode:
        return []
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def shown(value: object) -> str:
    """Return a number with four digits, or all of them before the point; anything else as it is."""
    if value is None:
        return "not measured"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.4g}"


def table(lines: Sequence[Mapping[str, object]]) -> str:
    """Return one column per line, headed by the name of its case where it has one."""
    name = next((name for name, value in lines[0].items() if isinstance(value, str)), "")
    heads = [shown(line[name]) if name else "value" for line in lines]
    rows = [("figure", *heads), ("---",) * (1 + len(heads))]
    rows += [
        (figure, *(shown(line.get(figure)) for line in lines))
        for figure in lines[0]
        if figure != name
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def section(script: Path, lines: Sequence[Mapping[str, object]]) -> str:
    """Return what one benchmark found."""
    purpose = script.read_text(encoding="utf-8").split('"""')[1].strip().splitlines()[0]
    found = table(lines) if lines else "Not measured here: it failed, or lacks what it needs."
    return f"## `python bench/{script.name} --json`\n\n{purpose}\n\n{found}"


def main() -> None:
    """Write the page; leave with 1 if a benchmark failed."""
    machine = (
        f"{os.cpu_count()} processors, {platform.machine()}, Python {platform.python_version()}"
    )
    day = dt.datetime.now(tz=dt.UTC).date().isoformat()
    head = f"{NOTE}\n\n# Benchmarks\n\nMeasured on {day}: {machine}. Ratios travel, times do not."
    scripts = sorted(s for s in (ROOT / "bench").glob("*.py") if s.name not in ELSEWHERE)
    found = {script: measured(script) for script in scripts}
    page = "\n\n".join([head, *(section(script, lines) for script, lines in found.items())]) + "\n"
    TARGET.write_text(page, encoding="utf-8")
    sys.exit(0 if all(found.values()) else 1)


if __name__ == "__main__":
    main()
