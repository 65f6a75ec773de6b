"""Gateways beside each other: direct, nginx, LiteLLM and ours in one run, as one JSON line.

    python bench/gateway.py --json [--bench DIR] [--peers DIR] [--secs 4] [--reps 3] [--only NAME]

Drives the harness in DIR (`run.py`, mock upstream, wrk, probe; `INFEROMETER_GATEWAY_BENCH`, or
`../shared/bench/gateway`). Metering, budgets and the ledger are on. LiteLLM is installed into an
environment of its own under `--peers`; nginx and wrk must be there (`apt-get install nginx-light
wrk`). `cpu_us` is the figure to compare: it hardly moves when others use the machine.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from inferometer.meter.gateway.keys import digest

ROOT = Path(__file__).parent.parent
SECRET = "a-secret-of-the-benchmark"  # noqa: S105
MODELS = ("mock", "mock-c64", "mock-c64-i5000", "mock-c64-i10000", "mock-c32-i2000-t1")
NAMES = ("direct", "nginx", "litellm", "ours")
LITELLM = "1.108.7"
"""The version that docs/gateway.md has figures of; `--peers` names its environment."""
TARGETS = """
mock_python = "{python}"
[target.direct]
[target.nginx]
cmd = "nginx -p {folder} -c {{HERE}}/conf/nginx.conf"
port = 9200
[target.litellm]
cmd = "{peers}/litellm/bin/litellm --config {{HERE}}/conf/litellm.yaml --host 127.0.0.1 --port 9200 --num_workers 1"
port = 9200
ready = "/health/liveliness"
wait = 120
env = {{ LITELLM_LOG = "ERROR", LITELLM_MODE = "PRODUCTION", LITELLM_LOCAL_MODEL_COST_MAP = "True" }}
conns = {{ json = 8, burst64 = 4, paced64 = 4 }}
[target.ours]
cmd = "{python} -m inferometer gateway --config {folder}/gateway.toml"
port = 9200
ready = "/livez"
env = {{ GATEWAY_SECRET = "{secret}" }}
"""  # noqa: E501
GATEWAY = """
[gateway]
secret = "env:GATEWAY_SECRET"
listen = "127.0.0.1:9200"
control = "127.0.0.1:9201"
ledger = "{folder}/ledger.db"
prices = "{folder}/prices.toml"
lb_window = 0.1
[[upstream]]
name = "mock"
url = "http://127.0.0.1:9100/v1"
models = {{ {models} }}
[[key]]
id = "bench"
hash = "{hash}"
tenant = "bench"
[[budget]]
name = "key-month"
by = "key"
hard_usd = "1000000"
[[budget]]
name = "tenant-day"
by = "tenant"
period = "day"
hard_usd = "1000000"
"""
PRICE = """
[[price]]
provider = "self-hosted"
model = "{model}"
valid_from = 2026-01-01
source = "made up for the benchmark"
input = "1.00"
output = "2.00"
"""


def main() -> None:
    """Run the harness and print what it found."""
    options = _options()
    peers = Path(options.peers)
    names = [name for name in NAMES if not options.only or name in options.only]
    if "litellm" in names:
        _install(peers / "litellm", f"litellm[proxy]=={LITELLM}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, peers)
        out = folder / "results.jsonl"
        command = [sys.executable, "-B", str(Path(options.bench) / "run.py"), "targets.toml"]
        command += [*names, "--secs", str(options.secs), "--reps", str(options.reps)]
        command += ["--quiet-wait", str(options.quiet_wait), "--out", str(out)]
        subprocess.run(command, cwd=folder, check=True, stdout=sys.stderr)  # noqa: S603
        rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    found = _summary(rows)
    if options.json:
        print(json.dumps(found))
    else:
        for key, value in found.items():
            print(f"{key:24} {value}")


def harness() -> Path:
    """Return the folder of the harness."""
    return Path(os.environ.get("INFEROMETER_GATEWAY_BENCH", ROOT / "../shared/bench/gateway"))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--bench", default=str(harness()))
    parser.add_argument("--peers", default=str(Path(tempfile.gettempdir()) / "inferometer-peers"))
    parser.add_argument("--secs", type=int, default=4)
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--quiet-wait", type=float, default=6)
    parser.add_argument("--only", nargs="*", choices=NAMES)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not (Path(options.bench) / "run.py").is_file():
        parser.error(f"no harness in {options.bench}: name its place with --bench")
    return options


def _install(environment: Path, package: str) -> None:
    if not (environment / "bin/litellm").exists():  # a broken-off install leaves the folder
        pip = [str(environment / "bin/pip"), "install", "--quiet", package]
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)  # noqa: S603
        subprocess.run(pip, check=True, stdout=sys.stderr)  # noqa: S603


def write(folder: Path, peers: Path) -> None:
    """Write the configuration of harness and gateway."""
    fill = {"folder": folder, "peers": peers, "python": sys.executable, "secret": SECRET}
    hashed = digest(SECRET.encode(), b"sk-bench").hex()
    models = ", ".join(f'{name} = "{name}"' for name in MODELS)
    (folder / "targets.toml").write_text(TARGETS.format(**fill), encoding="utf-8")
    gateway = GATEWAY.format(folder=folder, models=models, hash=hashed)
    (folder / "gateway.toml").write_text(gateway, encoding="utf-8")
    prices = "".join(PRICE.format(model=name) for name in MODELS)
    (folder / "prices.toml").write_text(prices, encoding="utf-8")


def _median(rows: list[dict[str, Any]], target: str, scenario: str, field: str) -> float | None:
    found = [
        row[field] for row in rows if row["target"] == target and row.get("scenario") == scenario
    ]
    return statistics.median(found) if found else None


def _added(rows: list[dict[str, Any]], target: str, quantile: str) -> float | None:
    found = [
        row["added"][f"ttfb_{quantile}_us"] / 1e3
        for row in rows
        if row["target"] == target and row.get("probe") == "json"
    ]
    return round(statistics.median(found), 3) if found else None


def _ratio(one: float | None, other: float | None) -> float | None:
    return round(one / other, 2) if one and other else None


def _summary(rows: list[dict[str, Any]]) -> dict[str, float | None]:
    def cpu(target: str, scenario: str) -> float | None:
        return _median(rows, target, scenario, "cpu_us")

    paced = cpu("ours", "paced64")
    loads = ("json", "burst64", "paced64")
    sizes = [_median(rows, "ours", each, "rss_mb") for each in loads]
    return {
        "cpu_us_json": cpu("ours", "json"),
        "cpu_us_burst": cpu("ours", "burst64"),
        "cpu_ms_paced": round(paced / 1e3, 3) if paced else None,
        "paced_ratio_to_nginx": _ratio(paced, cpu("nginx", "paced64")),
        "litellm_ratio_json": _ratio(cpu("litellm", "json"), cpu("ours", "json")),
        "added_ms_p50": _added(rows, "ours", "p50"),
        "added_ms_p99": _added(rows, "ours", "p99"),
        "rss_mib": max((size for size in sizes if size is not None), default=None),
        "nginx_cpu_us_json": cpu("nginx", "json"),
        "nginx_cpu_us_paced": cpu("nginx", "paced64"),
        "nginx_added_ms_p50": _added(rows, "nginx", "p50"),
        "nginx_added_ms_p99": _added(rows, "nginx", "p99"),
        "litellm_cpu_us_json": cpu("litellm", "json"),
        "direct_cpu_us_json": cpu("direct", "json"),
        "errors": sum(row.get("errors", 0) for row in rows if row["target"] == "ours"),
        "foreign": _median(rows, "ours", "json", "foreign"),
        "calib_ms": statistics.median(row["calib_ms"] for row in rows if "calib_ms" in row),
    }


if __name__ == "__main__":
    main()
