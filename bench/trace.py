"""Load a million requests: `python bench/trace.py --json`, beside a plain loop over the file."""

import csv
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from inferometer.workload.formats.files import read

ROWS = 1_000_000


def azure_file(path: Path) -> None:
    """Write an Azure CSV file of `ROWS` rows."""
    with path.open("w", encoding="utf-8") as file:
        file.write("TIMESTAMP,ContextTokens,GeneratedTokens\n")
        for row in range(ROWS):
            clock = f"{row // 36000 % 24:02}:{row // 600 % 60:02}:{row // 10 % 60:02}"
            file.write(f"2024-05-10 {clock}.{row % 10}234567+00:00,{row % 4000 + 1},200\n")


def mooncake_file(path: Path) -> None:
    """Write a Mooncake file of `ROWS` rows, 8 blocks each, the first shared."""
    with path.open("w", encoding="utf-8") as file:
        for row in range(ROWS):
            hashes = [0, *range(row * 7 + 1, row * 7 + 8)]
            file.write(f'{{"timestamp": {row * 10}, "input_length": 4000, "output_length": 200, ')
            file.write(f'"hash_ids": {hashes}}}\n')


def plain_azure(path: Path) -> object:
    """Read the columns with `csv.DictReader`; times stay text."""
    with path.open(encoding="utf-8") as file:
        rows = csv.DictReader(file)
        return [(r["TIMESTAMP"], int(r["ContextTokens"]), int(r["GeneratedTokens"])) for r in rows]


def plain_mooncake(path: Path) -> object:
    """Read the columns with `json.loads`; hashes are dropped."""
    with path.open(encoding="utf-8") as file:
        rows = map(json.loads, file)
        return [(r["timestamp"], r["input_length"], r["output_length"]) for r in rows]


def measure(load: Callable[[Path], object], path: Path) -> tuple[float, float]:
    """Return seconds and peak RSS, MiB, of `load(path)` in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_timed, (load, path))


def _timed(load: Callable[[Path], object], path: Path) -> tuple[float, float]:
    start = time.perf_counter()
    load(path)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return time.perf_counter() - start, peak


def main() -> None:
    """Print the figures of both formats."""
    report: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace"
        cases = {"azure": (azure_file, plain_azure), "mooncake": (mooncake_file, plain_mooncake)}
        for name, (make, plain) in cases.items():
            make(path)
            seconds, peak = measure(read, path)
            baseline, _ = measure(plain, path)
            report[name] = {
                "rows": ROWS,
                "seconds": seconds,
                "rows_per_s": ROWS / seconds,
                "peak_rss_mib": peak,
                "baseline_s": baseline,
                "ratio_to_baseline": seconds / baseline,
            }
    if "--json" in sys.argv:
        for name, figures in report.items():
            print(json.dumps({"format": name, **figures}))
    else:
        for name, figures in report.items():
            print(name, *(f"{key}={value:.4g}" for key, value in figures.items()))


if __name__ == "__main__":
    main()
