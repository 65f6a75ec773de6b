"""What a ledger says of its traffic, and `explain --actual` on it."""

import datetime as dt
import json
from pathlib import Path

import pytest
from meter_cases import START_NS, attempt

from inferometer.cli.app import run
from inferometer.errors import LedgerError
from inferometer.meter.served import served
from inferometer.meter.store.sqlite import SqliteLedger

SECOND = 1_000_000_000


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Return twenty requests, one every 10 s, and a failed attempt.

    Each has 900 + 100 cached tokens in and 100 out in 2 s, 0.3 s to the first.
    """
    path = tmp_path / "ledger.db"
    rows = [
        attempt(n, started_ns=START_NS + n * 10 * SECOND, ended_ns=START_NS + (n * 10 + 2) * SECOND,
                uncached_input=900, cache_read=100, output=100, reasoning=0)
        for n in range(20)
    ]  # fmt: skip
    rows.append(attempt(99, started_ns=START_NS, ended_ns=START_NS + 1, outcome="upstream_error"))
    store = SqliteLedger(path)
    store.append(rows)
    store.close()
    return path


def test_the_sums_are_those_of_the_rows(ledger: Path) -> None:
    found = served(str(ledger), 0, 1 << 62)
    assert (found.requests, found.input_tokens, found.output_tokens) == (20, 1000, 100)
    assert found.span == pytest.approx(192)
    assert found.rate == pytest.approx(20 / 192)
    assert found.cached == pytest.approx(0.1)
    assert found.ttft == pytest.approx(0.3)
    assert found.tpot == pytest.approx(1.7 / 99)
    assert found.wasted == pytest.approx(1 / 21)
    half = served(str(ledger), START_NS, START_NS + 100 * SECOND)
    assert half.requests == 10


def test_no_answers_no_figures(ledger: Path, tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="none of 0 attempts"):
        served(str(ledger), 0, 1)
    with pytest.raises(LedgerError, match="no such ledger"):
        served(str(tmp_path / "none.db"), 0, 1 << 62)
    (tmp_path / "text.db").write_text("not a database at all, but long enough to be looked at")
    with pytest.raises(LedgerError):
        served(str(tmp_path / "text.db"), 0, 1 << 62)


def test_explain_names_the_assumption_that_was_off(
    ledger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Planned for 2 requests/s of 1,000 and 100 tokens; a tenth of one came."""
    workload = tmp_path / "w.toml"
    workload.write_text(
        '[workload]\nrate = "2 1/s"\nrequests = 200\n[workload.lengths.input]\np50 = 999\n'
        "p99 = 1001\n[workload.lengths.output]\np50 = 99\np99 = 101\n"
    )
    asked = ["explain", "--model", "llama-3.1-8b", "--gpu", "h100-sxm", "--workload", str(workload),
             "--actual", str(ledger), "--format", "json"]  # fmt: skip
    assert run(asked) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["said"].startswith("arrivals was off the most")
    steps = answer["waterfall"]
    added = sum(step["added_usd_per_mtok"] for step in steps)
    assert steps[0]["price_usd_per_mtok"] + added == pytest.approx(steps[-1]["price_usd_per_mtok"])
    assert {speed["metric"] for speed in answer["speeds"]} == {"ttft", "tpot"}
    assert run([*asked[:-2], "--since", "2030-01-01"]) == 2
    later = SqliteLedger(ledger)
    later.append([
        attempt(200 + n, started_ns=START_NS + (3600 + n) * SECOND,
                ended_ns=START_NS + (3602 + n) * SECOND, uncached_input=9000, output=900)
        for n in range(20)
    ])  # fmt: skip
    later.close()
    end = dt.datetime.fromtimestamp(START_NS // SECOND + 1800, dt.UTC).isoformat()
    assert run([*asked, "--until", end]) == 0
    window = json.loads(capsys.readouterr().out)
    assert window["speeds"] == answer["speeds"]  # predicted from the window, as it was measured
