"""The gateway's memory over many requests: `bench/memory.py --json [--requests 1000000]`.

Metering, two budgets, prices and the ledger are on, as in `bench/gateway.py`, whose harness this
uses (`--bench DIR`: mock upstream; `wrk` must be installed). Two wrk send at once: JSON requests
over 24 connections and streams of 64 events over 8. Memory is read at the start, each time a tenth
of the requests is done, and at the end; the slope is that of a line through all but the start and
the first, while caches fill. At the end the ledger must have as many rows as were counted.
"""

import argparse
import http.client
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from gateway import SECRET, harness, write

PORT, CONTROL, MOCK = 9200, 9201, 9100
LOADS = (("mock", "0", 24), ("mock-c64", "1", 8))
"""Model, whether streamed, connections."""
LONGEST_S = 3600
FEWEST = 20_000
"""Requests of a run: at some 5,000 a second a tenth takes two readings."""
_ATTEMPTS = re.compile(r"^inferometer_gateway_attempts_total\{.*\} (\d+)$", re.MULTILINE)
_GOOD = re.compile(r'^inferometer_gateway_attempts_total\{.*outcome="ok".* (\d+)$', re.MULTILINE)


def main() -> None:
    """Print what it found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", default=str(harness()))
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.requests < FEWEST:
        parser.error(f"--requests: {FEWEST} at least, or a tenth is over before memory is read")
    with tempfile.TemporaryDirectory() as name:
        found = measured(Path(name), Path(options.bench), options.requests)
    if options.json:
        print(json.dumps(found))
    else:
        for key, value in found.items():
            print(f"{key:24} {value}")
    if found["rows"] != found["requests"]:
        raise SystemExit(f"{found['requests']} requests were counted, {found['rows']} are rows")


def measured(folder: Path, bench: Path, requests: int) -> dict[str, object]:
    """Return memory, MiB, before, during and after that many requests, and what was booked."""
    write(folder, folder)
    ours = [
        sys.executable,
        "-m",
        "inferometer",
        "gateway",
        "--config",
        str(folder / "gateway.toml"),
    ]
    with ExitStack() as stack:
        stack.enter_context(running([sys.executable, str(bench / "mock_upstream.py")], MOCK))
        gateway = stack.enter_context(running(ours, PORT, GATEWAY_SECRET=SECRET))
        start = memory(gateway.pid)
        with ExitStack() as load:
            for model, stream, connections in LOADS:
                load.enter_context(sending(bench, folder, model, stream, connections))
            marks = list(watched(gateway.pid, requests))
        time.sleep(2)
        text, end = metrics(), memory(gateway.pid)
        spent_s = cpu_s(gateway.pid)
    attempts = sum(map(int, _ATTEMPTS.findall(text)))
    return {
        "requests": attempts,
        "not_ok": attempts - sum(map(int, _GOOD.findall(text))),
        "rows": rows(folder / "ledger.db"),
        "rss_start_mib": start[0],
        "rss_mib": [rss for _, rss in marks],
        "rss_end_mib": end[0],
        "pss_end_mib": end[1],
        "slope_mib_per_million": slope(marks[1:]),
        "cpu_us_per_request": round(spent_s / attempts * 1e6, 1),
    }


@contextmanager
def running(command: list[str], port: int, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the end, and wait for its port before that."""
    process = subprocess.Popen(command, env={**os.environ, **environment}, stderr=sys.stderr)  # noqa: S603
    try:
        deadline = time.monotonic() + 60
        while not answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"nothing listens on port {port}: {command}")
            time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait(60)


def answers(port: int) -> bool:
    """Return whether a port of this machine is listened on."""
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            connection.connect()
    except OSError:
        return False
    return True


@contextmanager
def sending(bench: Path, folder: Path, model: str, stream: str, connections: int) -> Iterator[None]:
    """Send requests of one kind until the end, as fast as they are answered."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{LONGEST_S}s", "--timeout", "20s"]
    command += ["-s", str(bench / "wrk/chat.lua"), f"http://127.0.0.1:{PORT}"]
    says = {"MODEL": model, "STREAM": stream, "KEY": "sk-bench", "OUT": str(folder / "wrk.jsonl")}
    process = subprocess.Popen(command, env={**os.environ, **says}, stdout=sys.stderr)  # noqa: S603
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def watched(pid: int, requests: int) -> Iterator[tuple[int, float]]:
    """Yield requests done and resident MiB, each time a tenth of them is done."""
    step, deadline = max(1, requests // 10), time.monotonic() + LONGEST_S
    mark = step
    while mark <= requests and time.monotonic() < deadline:
        time.sleep(0.2)
        done = sum(map(int, _ATTEMPTS.findall(metrics())))
        if done >= mark:
            resident = memory(pid)[0]
            print(f"{done:>10,} requests  {resident:6.1f} MiB", file=sys.stderr)
            yield done, resident
            mark = done - done % step + step


def metrics() -> str:
    """Return the gateway's metrics."""
    with closing(http.client.HTTPConnection("127.0.0.1", CONTROL, timeout=30)) as connection:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()


def memory(pid: int) -> tuple[float, float]:
    """Return the resident size of a process, MiB, and its part of what it shares with others."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    found = dict(re.findall(r"^(Rss|Pss): +(\d+) kB$", text, re.MULTILINE))
    return round(int(found["Rss"]) / 1024, 1), round(int(found["Pss"]) / 1024, 1)


def cpu_s(pid: int) -> float:
    """Return the seconds of a processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rows(ledger: Path) -> int:
    """Return how many attempts a ledger has."""
    with closing(sqlite3.connect(ledger)) as database:
        (found,) = database.execute("SELECT count(*) FROM attempt").fetchone()
    return int(found)


def slope(marks: list[tuple[int, float]]) -> float:
    """Return by how many MiB a million requests raise the line through these points."""
    mean_x = sum(done for done, _ in marks) / len(marks)
    mean_y = sum(size for _, size in marks) / len(marks)
    spread = sum((done - mean_x) ** 2 for done, _ in marks)
    rise = sum((done - mean_x) * (size - mean_y) for done, size in marks)
    return round(rise / spread * 1e6, 2)


if __name__ == "__main__":
    main()
