"""Fuzzing of what reads files and pages of others: an answer, or an error that we word.

Samples of each format are changed at random; a short round in `make test`, a long one in
`make soak`. Request bodies, streams, usage reports, HTTP and the configuration have such tests
beside their own.
"""

import contextlib
import gzip
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fuzz_cases import damaged, json_lines, packed, table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from meter.test_importing import LANGFUSE, LITELLM, span
from meter_cases import Away, attempt, attempts
from workload.test_agent_formats import FAN, HEADER

from inferometer.errors import InferometerError, LedgerError, WorkloadError
from inferometer.meter.exposition import samples
from inferometer.meter.frames import frame, frames
from inferometer.meter.importing.files import import_file
from inferometer.meter.price_overrides import overrides
from inferometer.meter.readings import load
from inferometer.meter.reconcile import reconcile
from inferometer.meter.scrape import counted
from inferometer.meter.store.opening import open_database, open_ledger
from inferometer.workload.formats.files import read

OTEL = {
    "resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "web"}}]},
        "scopeSpans": [{"spans": [
            span(**{
                "gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 10,
                "gen_ai.usage.output_tokens": 5, "gen_ai.response.time_to_first_chunk": 0.5,
                "gen_ai.request.model": "gpt-5",
            })
        ]}],
    }]
}  # fmt: skip
MOONCAKE = {"timestamp": 0, "input_length": 1024, "output_length": 1, "hash_ids": [1, 2]}
BAILIAN = {
    "chat_id": 1, "parent_chat_id": -1, "timestamp": 0.5, "input_length": 30, "output_length": 4,
    "type": "text", "turn": 1, "hash_ids": [1, 2],
}  # fmt: skip
OWN = {"arrival_s": 0, "input_tokens": 5, "output_tokens": 5, "session": 1, "tenant": "a"}
SERVING = {"input_toks": 5, "output_toks": 5, "arrival_time_ns": 10, "input_tok_ids": [1, 2]}
BENCH = {"input_lens": [5, 6], "output_lens": [5, 6], "completed": 2, "duration": 5}
WEKA = {"block_size": 64, "requests": [{"t": 0, "in": 70, "out": 5, "hash_ids": [1, 2]}]}
SHARED = [{"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "ho"}]}]
TRACES = {
    "azure": table("TIMESTAMP,ContextTokens,GeneratedTokens", "2023-11-16 18:15:50.5,9,1",
                   "2024-05-10 00:00:00.0000001+00:00,10,2"),
    "burstgpt": table("Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type",
                      "5,ChatGPT,10,4,14,API log", "6,GPT-4,10,0,10,API log"),
    "lengths": table("input_length,output_length", "5,6", "7,8"),
    "mooncake": json_lines(MOONCAKE, {**MOONCAKE, "timestamp": 5}),
    "bailian": json_lines(BAILIAN),
    "own": json_lines(OWN, {**OWN, "block_size": 4, "hash_ids": [1, 2]}),
    "serving": json_lines(SERVING),
    "bench": json_lines(BENCH),
    "weka": json_lines(WEKA),
    "sharegpt": json_lines(SHARED),
    "agents": st.tuples(json_lines(HEADER), json_lines(*FAN)).map(b"\n".join),
    "packed": packed(json_lines(MOONCAKE)),
    "any": st.binary(max_size=300),
}  # fmt: skip
PRICES = """
[[price]]
provider = "openai"
model = "gpt-5"
valid_from = 2026-01-01
source = "contract"
input = "1.25"
cache_read = "0.1"
output = "10"
tier = "batch"
above = 200_000
"""
PAGE = """# HELP vllm:prompt_tokens_total Tokens.
# TYPE vllm:prompt_tokens_total counter
vllm:prompt_tokens_total{model_name="a\\"b",engine="0"} 1.5e3 1700000000
vllm:generation_tokens_total{model_name="a"} 20
vllm:prefix_cache_hits_total{model_name="a"} NaN
llamacpp:prompt_tokens_total 39
llamacpp:tokens_predicted_total +Inf
sglang:prompt_tokens_total{model_name="m"} 5
"""
LOGS = json_lines(LITELLM) | json_lines(LANGFUSE) | json_lines(OTEL)
SPEND = table(
    "request_id,spend,startTime,endTime,model,prompt_tokens,metadata",
    "a,0.5,2026-03-01T10:00:00Z,2026-03-01T10:00:01Z,gpt-5,10,{}",
)
BILLS = table(
    "ChargePeriodStart,ProviderName,BilledCost,ConsumedQuantity,ConsumedUnit,ServiceName",
    "2026-03-01T10:00:00Z,openai,0.5,100,Tokens,x",
    "2026-03-02T00:00:00Z,internal,8,3600,Seconds,Self-hosted inference",
) | table("date,provider,usd", "2026-03-01,openai,1.5")
READINGS = [1, 2.0, 0.5, 3.0, "nvml", [5, 6], [2**32, 2**32]]
ROUNDS = pytest.mark.parametrize("rounds", [40, pytest.param(1000, marks=pytest.mark.soak)])
"""Inputs a format."""


def fuzzed(inputs: st.SearchStrategy[bytes], rounds: int, parse: Callable[[bytes], object]) -> None:
    """Parse many inputs; nothing but an error of ours may come out."""

    @settings(
        max_examples=rounds, deadline=None, database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )  # fmt: skip
    @given(inputs)
    def once(data: bytes) -> None:
        with contextlib.suppress(InferometerError):
            parse(data)

    once()


@ROUNDS
@pytest.mark.parametrize(
    ("name", "inputs"),
    [("log.jsonl", LOGS), ("log.csv", SPEND), ("log.jsonl.gz", packed(json_lines(LITELLM)))],
)
def test_logs_of_other_tools(
    tmp_path: Path, name: str, inputs: st.SearchStrategy[bytes], rounds: int
) -> None:
    def parse(data: bytes) -> None:
        (tmp_path / name).write_bytes(data)
        ledger = Away()
        found = import_file(tmp_path / name, ledger)
        assert found.rows == found.new + found.known
        for row in ledger.rows.values():
            assert min(row.tokens) >= 0
            assert row.nanos is None or row.nanos >= 0

    fuzzed(inputs, rounds, parse)


@ROUNDS
def test_bills(tmp_path: Path, rounds: int) -> None:
    with closing(open_ledger(str(tmp_path / "l.db"))) as ledger:
        ledger.append(list(attempts(5)))
    with closing(open_database(str(tmp_path / "l.db"))) as database:

        def parse(data: bytes) -> None:
            (tmp_path / "bill.csv").write_bytes(data)
            for line in reconcile(database, tmp_path / "bill.csv"):
                assert line.missing_nano == line.bill_nano - line.ledger_nano

        fuzzed(BILLS, rounds, parse)


@ROUNDS
@pytest.mark.parametrize("format", TRACES)
def test_traces(tmp_path: Path, format: str, rounds: int) -> None:  # noqa: A002
    def parse(data: bytes) -> None:
        (tmp_path / "trace").write_bytes(data)
        trace = read(tmp_path / "trace").trace
        assert len(trace.arrival) == len(trace.input_tokens) == len(trace.output_tokens)
        assert (trace.input_tokens >= 0).all()
        assert (trace.arrival >= 0).all()

    fuzzed(TRACES[format], rounds, parse)


@ROUNDS
def test_ledgers_that_are_damaged(tmp_path: Path, rounds: int) -> None:
    with closing(open_ledger(str(tmp_path / "l.db"))) as ledger:
        ledger.append(list(attempts(3)))
    sound = (tmp_path / "l.db").read_bytes()

    def parse(data: bytes) -> None:
        (tmp_path / "trace").write_bytes(data)
        read(tmp_path / "trace")

    fuzzed(damaged(sound), rounds, parse)


@ROUNDS
def test_pages_of_metrics(rounds: int) -> None:
    def parse(data: bytes) -> None:
        counted(samples(data.decode(errors="replace")), "m")

    fuzzed(damaged(PAGE.encode()), rounds, parse)


@ROUNDS
def test_own_prices(tmp_path: Path, rounds: int) -> None:
    def parse(data: bytes) -> None:
        (tmp_path / "prices.toml").write_bytes(data)
        list(overrides(tmp_path / "prices.toml")("openai", "gpt-5", ""))

    fuzzed(damaged(PRICES.encode()), rounds, parse)


@ROUNDS
def test_readings(tmp_path: Path, rounds: int) -> None:
    def parse(data: bytes) -> None:
        (tmp_path / "readings").write_bytes(data)
        load(tmp_path / "readings")

    fuzzed(json_lines(READINGS), rounds, parse)


@ROUNDS
def test_frames_of_the_spool(rounds: int) -> None:
    sound = b"".join(frame(b"A", attempt(n)) for n in range(3))

    def parse(data: bytes) -> None:
        for one in frames(data):
            assert one.end <= len(data)

    fuzzed(damaged(sound), rounds, parse)


DEEP = b"[" * 100_000
TORN = gzip.compress(b"x" * 50, mtime=0)[:10] + b"\xff" * 90


def log(sample: dict[str, Any], **changes: object) -> bytes:
    return json.dumps(sample | changes).encode()


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("log.jsonl.gz", TORN, "cannot be read"),
        ("log.jsonl", log({"resourceSpans": [{"resource": True}]}), "resource is no object"),
        ("log.jsonl", log(LITELLM, spend="1e999999"), "dollars are wanted"),
        ("log.jsonl", log(LITELLM, prompt_tokens=10**400), "."),
        ("log.jsonl", log(LITELLM, metadata='{"a":' + "[" * 100_000), ""),
    ],
)
def test_faults_that_fuzzing_found_in_logs(
    tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(data)
    if not message:  # a nested object that cannot be read is none
        assert import_file(tmp_path / name, Away()).rows == 1
        return
    with pytest.raises(LedgerError, match=message):
        import_file(tmp_path / name, Away())


@pytest.mark.parametrize("given", ["Infinity", "x", None, [], 10**400, True])
def test_a_span_with_a_double_that_is_none(tmp_path: Path, given: object) -> None:
    double = {"key": "gen_ai.response.time_to_first_chunk", "value": {"doubleValue": given}}
    call = span(**{"gen_ai.operation.name": "chat"})
    call["attributes"].append(double)
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [call]}]}]}
    (tmp_path / "otel.jsonl").write_text(json.dumps(document))
    ledger = Away()
    import_file(tmp_path / "otel.jsonl", ledger)
    (row,) = ledger.rows.values()
    assert row.ttft_ns == (10**9 if given is True else None)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (TORN, "cannot be read to its end"),
        (b'{"input_lens":' + DEEP, "input_lens"),
        (json.dumps({**WEKA, "block_size": 10**30}).encode(), "blocks of 1000"),
        (json.dumps(WEKA).replace("70", str(10**19)).encode(), "63 bits"),
    ],
)
def test_faults_that_fuzzing_found_in_traces(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "trace").write_bytes(data)
    with pytest.raises(WorkloadError, match=message):
        read(tmp_path / "trace")


def test_a_ledger_with_text_that_is_none(tmp_path: Path) -> None:
    with closing(open_ledger(str(tmp_path / "l.db"))) as ledger:
        ledger.append([attempt(0, tenant="tenant-of-mine")])
    (tmp_path / "trace").write_bytes(
        (tmp_path / "l.db").read_bytes().replace(b"tenant-of-mine", b"\x80enant-of-mine")
    )
    with pytest.raises(WorkloadError, match="not a ledger that can be read"):
        read(tmp_path / "trace")


def test_a_nested_reading_is_none(tmp_path: Path) -> None:
    (tmp_path / "readings").write_bytes(b"[1, " + DEEP)
    with pytest.raises(LedgerError, match="line 1: no reading"):
        load(tmp_path / "readings")
