"""Time `inferometer --help` against a bare interpreter: `python bench/startup.py --json`."""

import json
import statistics
import subprocess
import sys
import time

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


def main() -> None:
    """Print one JSON line."""
    bare, shown = seconds("pass"), seconds(HELP)
    line = {"help_s": shown, "bare_s": bare, "beyond_bare_s": shown - bare, "limit_s": 0.3}
    print(json.dumps(line))


if __name__ == "__main__":
    main()
