"""A bill against the ledger: sums exact, every difference with its reason."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from meter_cases import amounts, attempt

from inferometer.cli.app import run
from inferometer.meter.record import Attempt
from inferometer.meter.store.sqlite import SqliteLedger

ROWS = [attempt(number) for number in range(10)]
NANO = sum(row.nanos or 0 for row in ROWS)
TOKENS = sum(sum(row.tokens) for row in ROWS)


@pytest.fixture
def answer(
    opened: Callable[[Path], SqliteLedger], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., dict[str, Any]]:
    def reconciled(bill: str, rows: list[Attempt] = ROWS) -> dict[str, Any]:
        opened(tmp_path / "l.db").append(rows)
        (tmp_path / "bill.csv").write_text(bill)
        command = ("reconcile", str(tmp_path / "l.db"), "--bill", str(tmp_path / "bill.csv"))
        assert run((*command, "--format", "json")) == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        missing = sum(line["bill_nano"] - line["ledger_nano"] for line in found["lines"])
        assert float(found["missing_usd"]) == missing / 1e9
        return found

    return reconciled


def test_a_bill_that_agrees_has_no_reason(answer: Callable[..., dict[str, Any]]) -> None:
    (line,) = answer(f"date,provider,usd\n2025-12-01,OpenAI,{NANO / 1e9:.9f}\n")["lines"]
    assert (line["missing_nano"], line["why"]) == (0, "")


def test_a_provider_by_two_spellings_is_one(answer: Callable[..., dict[str, Any]]) -> None:
    rows = [row._replace(provider=("openai", "OpenAI")[n % 2]) for n, row in enumerate(ROWS)]
    bill = f"date,provider,usd\n2025-12-01,OpenAI,{NANO / 1e9:.9f}\n"
    (line,) = answer(bill, rows)["lines"]
    assert (line["ledger_nano"], line["ledger_tokens"], line["why"]) == (NANO, TOKENS, "")


def test_what_the_gateway_never_saw(answer: Callable[..., dict[str, Any]]) -> None:
    bill = f"date,provider,usd\n2025-12-01,openai,{NANO / 1e9:.9f}\n2025-12-01,anthropic,5\n"
    lines = {line["provider"]: line for line in answer(bill)["lines"]}
    assert lines["anthropic"]["missing_nano"] == 5 * 10**9
    assert "did not pass the gateway" in lines["anthropic"]["why"]


def test_what_was_not_billed(answer: Callable[..., dict[str, Any]]) -> None:
    lines = {
        line["provider"]: line for line in answer("day,provider,usd\n2025-12-01,x,1\n")["lines"]
    }
    assert lines["openai"]["missing_nano"] == -NANO
    assert "not billed" in lines["openai"]["why"]


@pytest.mark.parametrize(
    ("tokens", "reason"),
    [(TOKENS, "prices do not"), (TOKENS + 7, "7 tokens were billed"), (TOKENS - 7, "7 tokens of")],
)
def test_focus_tells_volume_from_price(
    answer: Callable[..., dict[str, Any]], tokens: int, reason: str
) -> None:
    header = "ChargePeriodStart,ProviderName,BilledCost,ConsumedUnit,ConsumedQuantity"
    (line,) = answer(f"{header}\n2025-12-01T00:00:00Z,OpenAI,0.5,Tokens,{tokens}\n")["lines"]
    assert line["bill_tokens"] == tokens
    assert reason in line["why"]


def test_unpriced_and_estimated_rows_are_reasons(answer: Callable[..., dict[str, Any]]) -> None:
    rows = [*ROWS, attempt(20, **amounts(None)), attempt(21, basis="estimated", **amounts(0))]
    (line,) = answer("date,provider,usd\n2025-12-01,openai,1\n", rows)["lines"]
    assert "1 attempts are unpriced" in line["why"]
    assert "tokens of 1 attempts" in line["why"]


def test_our_own_export_reconciles_to_nothing_missing(
    opened: Callable[[Path], SqliteLedger], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened(tmp_path / "l.db").append(ROWS)
    assert run(("meter", "focus", str(tmp_path / "l.db"), str(tmp_path / "f.csv"))) == 0
    capsys.readouterr()
    command = ("reconcile", str(tmp_path / "l.db"), "--bill", str(tmp_path / "f.csv"))
    assert run((*command, "--format", "json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert [line["why"] for line in found["lines"]] == [""]
    assert float(found["missing_usd"]) == 0


@pytest.mark.parametrize(
    ("bill", "named"),
    [
        ("", "no column"),
        ("date,provider\n", "cost"),
        ("date,provider,usd\n", "no charges"),
        ("date,provider,usd\nyesterday,x,1\n", "bill.csv:2"),
        ("date,provider,usd\n2025-12-01,x,NaN\n", "bill.csv:2"),
        ("date,provider,usd\n2025-12-01,x,1e999\n", "bill.csv:2"),
        ("date,provider,usd\n2025-12-01,x,9e999999\n", "bill.csv:2"),
        ("date,provider,usd\n2025-12-01,x,1e900000\n", "bill.csv:2"),
        ("date,provider,usd\n2025-12-01,x,1000000000001\n", "bill.csv:2"),
        ('date,provider,usd\n2025-12-01,x,"1,5"\n', "bill.csv:2"),
    ],
)
def test_a_faulty_bill_is_refused(
    opened: Callable[[Path], SqliteLedger],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    bill: str,
    named: str,
) -> None:
    opened(tmp_path / "l.db")
    (tmp_path / "bill.csv").write_text(bill)
    assert run(("reconcile", str(tmp_path / "l.db"), "--bill", str(tmp_path / "bill.csv"))) == 2
    assert named in capsys.readouterr().err
