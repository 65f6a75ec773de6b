"""Damaged and degenerate traces at `simulate`: a fault by file and line, or a number that holds."""

import json
from pathlib import Path
from typing import Any

import pytest

from inferometer.cli.app import run

FLEET = ("--model", "llama-3.1-8b", "--gpu", "h100-sxm")
AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
BURST = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"


def line(**given: Any) -> str:
    row = {"timestamp": 0, "input_length": 1024, "output_length": 5, "hash_ids": [1, 2]}
    return json.dumps(row | given) + "\n"


def azure(*rows: str) -> str:
    return AZURE + "".join(f"2023-11-16 18:15:{row}\n" for row in rows)


def agents(*rows: dict[str, Any]) -> str:
    header = {"schema": "dynamo.agentic_mooncake", "version": 2, "block_size": 64}
    known = {"play_id": "p", "input_length": 64, "output_length": 8}
    return "\n".join(json.dumps(row) for row in (header, *(known | row for row in rows)))


def needs(name: str, delay: float = 0.0) -> dict[str, Any]:
    return {"dependencies": [{"predecessor": name, "trigger": "completion", "delay": delay}]}


BAD = {
    "JSON: trailing comma": (line().replace("}", "},"), ":1:"),
    "JSON: cut off": (line() + line()[:-9], ":2:"),
    "JSON: mixed types": (line() + line(input_length="many"), ":2:"),
    "JSON: no objects": (line() + "[1, 2]\n", ":2:"),
    "CSV: missing column": ("TIMESTAMP,ContextTokens\n2023-11-16 18:15:50,9\n", "GeneratedTokens"),
    "CSV: thousands": (azure('50,"1,200",1'), ":2:"),
    "CSV: decimal comma": (azure("50,1,5,1"), ":2:"),
    "CSV: negative tokens": (azure("50,-9,1"), ":2:"),
    "CSV: quoted line break": (azure('50,"1\n2",1'), ":3:"),
    "CSV: time zones mixed": (azure("50,1,1", "51Z,1,1"), ":3:"),
    "hashes: negative": (line(hash_ids=[1, -2]), "hash_ids"),
    "hashes: huge": (line(hash_ids=[1, 2**63]), "63 bits"),
    "hashes: too few": (line(hash_ids=[1]), "1 hash_ids"),
    "hashes: no prefixes": (line() + line(hash_ids=[3, 2]), ":2:"),
    "agents: cycle": (
        agents({"request_id": "a"} | needs("b"), {"request_id": "b"} | needs("a")), "itself",
    ),
    "agents: missing parent": (agents({"request_id": "a"} | needs("z")), "'z' is not in the file"),
    "agents: negative think time": (
        agents({"request_id": "a"}, {"request_id": "b"} | needs("a", -1.0)), ":3:",
    ),
    "all failed": (BURST + "5,ChatGPT,10,0,10,API log\n" * 3, "3 failed"),
    "nothing": (AZURE, "no usable requests"),
    "one sample": (azure("50,100,9"), "gives no rate"),
}  # fmt: skip


def saved(folder: Path, text: str) -> str:
    path = folder / "trace.txt"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", BAD)
def test_a_damaged_trace_gives_no_number(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, says = BAD[name]
    assert run(("simulate", *FLEET, "--trace", saved(tmp_path, text))) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert "trace.txt" in said.err
    assert not said.out


def played(capsys: pytest.CaptureFixture[str], path: str) -> tuple[dict[str, Any], str]:
    assert run(("simulate", *FLEET, "--trace", path, "--format", "json")) == 0
    said = capsys.readouterr()
    return json.loads(said.out), said.err


def test_blank_lines_bom_crlf_order_and_equal_times_do_no_harm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clean = azure("50,100,9", "50,200,8", "52,300,7")
    odd = "\ufeff" + "GeneratedTokens,TIMESTAMP,ContextTokens\r\n7,2023-11-16 18:15:52,300\r\n\r\n"
    odd += "9,2023-11-16 18:15:50,100\r\n8,2023-11-16 18:15:50,200\r\n"
    found, again = (played(capsys, saved(tmp_path, text))[0] for text in (clean, odd))
    assert found["outcome"] == again["outcome"]
    assert found["outcome"]["counts"]["finished"] == 3


def test_rows_left_out_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "5,ChatGPT,10,4,14,API log\n6,ChatGPT,10,0,10,API log\n7,ChatGPT,9,3,12,API log\n"
    found, said = played(capsys, saved(tmp_path, BURST + rows))
    assert found["outcome"]["counts"]["arrived"] == 2
    assert "2 of 3 rows are requests; left out: 1 failed" in said


@pytest.mark.parametrize("count", [2, 3])
def test_few_requests_have_the_quantiles_of_the_few(
    count: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{50 + place},{100 * (place + 1)},{place + 1}" for place in range(count)]
    found, _ = played(capsys, saved(tmp_path, azure(*rows)))
    whole = found["tails"][0]
    assert whole["requests"] == whole["ttft"]["count"] == count
    assert whole["ttft"]["p999_ms"] == whole["ttft"]["p99_ms"] >= whole["ttft"]["p50_ms"] > 0
    assert whole["tpot"]["count"] == count - 1  # an answer of one token has none
