"""Time `inferometer --help` and a cold `simulate`: `python bench/startup.py --json`.

Wall time of the help beyond a bare interpreter, and CPU time of `simulate` of 1,000 requests (plain
Python: numba is loaded from 10,000 on) beside an interpreter that only imports numpy and numba. In
an environment that forbids bytecode files (PYTHONDONTWRITEBYTECODE) modules are compiled each time.
"""

import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 9
HELP = (
    "import sys; sys.argv = ['inferometer', '--help']; from inferometer.cli.app import main; main()"
)


def seconds(program: str) -> float:
    """Return the median wall time of `RUNS` fresh interpreters that run `program`."""
    times = list[float]()
    for _ in range(RUNS):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)  # noqa: S603
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def cpu_seconds(arguments: list[str]) -> float:
    """Return the median CPU time of `RUNS` fresh interpreters with these arguments."""
    times = list[float]()
    for _ in range(RUNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], capture_output=True, check=True)  # noqa: S603
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(times)


def simulated() -> float:
    """Return the CPU time of `simulate` of 1,000 requests, s."""
    chance = random.Random(0)  # noqa: S311
    rows = [
        {"timestamp": 180 * n, "input_length": chance.randint(50, 2000),
         "output_length": chance.randint(20, 400)} for n in range(1000)
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.jsonl"
        trace.write_text("".join(json.dumps(row) + "\n" for row in rows))
        fleet = ["--model", "llama-3.1-8b", "--gpu", "h100-sxm", "--trace", str(trace)]
        return cpu_seconds(["-m", "inferometer", "simulate", *fleet])


def main() -> None:
    """Print one JSON line."""
    bare, shown = seconds("pass"), seconds(HELP)
    line = {"help_s": shown, "bare_s": bare, "beyond_bare_s": shown - bare, "limit_s": 0.3}
    line |= {"simulate_1000_cpu_s": simulated(), "simulate_limit_s": 1.0}
    line["numpy_numba_cpu_s"] = cpu_seconds(["-c", "import numpy, numba"])
    print(json.dumps(line))


if __name__ == "__main__":
    main()
