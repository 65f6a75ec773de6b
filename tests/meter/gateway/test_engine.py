"""A real llama.cpp server behind the gateway, used by other people's clients as they are.

The engine is what `make engine` installs; the OpenAI and Anthropic SDKs, and AIPerf as a load
generator, are installed in environments of their own. What cannot be installed is skipped.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest
from engine_cases import engine, engines_own, gateway, metered, model_file, text
from loop_cases import require_engine
from peer_cases import environment

CALLS = """
import sys, anthropic, openai
url, key = sys.argv[1], "sk-alice"
o = openai.OpenAI(base_url=url + "/v1", api_key=key)
a = anthropic.Anthropic(base_url=url, api_key=key)
said = [{"role": "user", "content": "Say hi."}]
cold = {"max_tokens": 6, "extra_body": {"temperature": 0}}
with_model = {"model": "smollm2", "messages": said, **cold}
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
REQUESTS = 16
LOAD = (
    *("profile", "--model", "smollm2", "--endpoint-type", "chat", "--streaming"),
    *("--concurrency", "2", "--request-count", str(REQUESTS), "--random-seed", "1"),
    *("--synthetic-input-tokens-mean", "40", "--synthetic-input-tokens-stddev", "0"),
    *("--output-tokens-mean", "12", "--output-tokens-stddev", "0", "--use-server-token-count"),
    *("--ui", "simple", "--no-gpu-telemetry", "--no-server-metrics", "--api-key", "sk-alice"),
)


def test_tokens_in_the_ledger_are_the_engines_own(tmp_path: Path) -> None:
    require_engine()
    sdks = environment("sdks", "openai==3.57.0", "anthropic==2.14.0")
    with engine() as address:
        with gateway(tmp_path, address) as (url, control):
            calls = [str(sdks / "python"), "-c", CALLS, url]
            subprocess.run(calls, check=True, timeout=120)  # noqa: S603
            refused = text(f"{control}/metrics")
        counted = engines_own(address)
    assert 'refused_total{reason="unpriced_model"} 2' in refused  # M19: two denials, no retry
    found = metered(tmp_path)
    assert (found.attempts, found.bases) == (7, {"reported"})
    assert found.tokens == counted


@pytest.mark.soak
def test_a_public_load_generator_counts_what_the_ledger_does(tmp_path: Path) -> None:
    """Three counts that know nothing of each other: AIPerf's, the engine's and the ledger's."""
    require_engine()
    from tokenizer_cases import write_tokenizer  # noqa: PLC0415 - needs gguf, as the engine does

    aiperf = environment("aiperf", "aiperf==0.13.0")
    tokenizer = write_tokenizer(model_file(), tmp_path / "tokenizer")
    with engine() as address:
        with gateway(tmp_path, address) as (url, _):
            command = [str(aiperf / "aiperf"), *LOAD, "--url", url, "--tokenizer", str(tokenizer)]
            done = subprocess.run(  # noqa: S603
                [*command, "--artifact-dir", str(tmp_path / "load")],
                capture_output=True,
                text=True,
                timeout=400,
                check=False,
                env={**os.environ, "PATH": f"{aiperf}:{os.environ['PATH']}"},
            )
            assert done.returncode == 0, done.stdout[-2000:]
        counted = engines_own(address)
    report = json.loads((tmp_path / "load/profile_export_aiperf.json").read_text("utf-8"))
    found = metered(tmp_path)
    assert (found.attempts, found.bases) == (REQUESTS, {"reported"})
    assert found.tokens == counted
    prompts = report["total_usage_prompt_tokens"]["avg"]
    assert prompts == found.tokens.uncached + found.tokens.cached
    assert report["total_usage_completion_tokens"]["avg"] == found.tokens.generated
    assert report["request_count"]["avg"] == REQUESTS
