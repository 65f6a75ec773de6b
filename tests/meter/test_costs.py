"""Cost reports: whatever the groups and the table they are read from, the sums are the rows'."""

import json
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from meter.test_attribution import REPLICA, flight
from meter_cases import START_NS, amounts, attempt, attempts

from inferometer.cli.app import run
from inferometer.cli.costs import FOREVER
from inferometer.errors import LedgerError
from inferometer.meter.chargeback import HOUR_NS, attribute
from inferometer.meter.costs import costs
from inferometer.meter.store.sqlite import SqliteLedger, connect
from inferometer.workload.formats.files import read

Open = Callable[[Path], SqliteLedger]
DAY_NS = 86_400 * 10**9


@pytest.fixture
def ledger(opened: Open, tmp_path: Path) -> Path:
    opened(tmp_path / "ledger.db").append(list(attempts(400)))
    return tmp_path / "ledger.db"


@pytest.mark.parametrize(
    "by",
    [
        "",
        "tenant",
        "tenant,model",
        "run",
        "key",
        "run,tenant",
        "hour",
        "day",
        "run,model",
        "tenant,hour",
    ],
)
@pytest.mark.parametrize(
    "span", [(0, FOREVER), (START_NS + DAY_NS, START_NS + 2 * DAY_NS), (START_NS + 1, FOREVER)]
)
def test_groups_add_up_to_the_rows(ledger: Path, by: str, span: tuple[int, int]) -> None:
    names = [name for name in by.split(",") if name]
    rows = [row for row in attempts(400) if span[0] <= row.started_ns < span[1]]
    with closing(connect(ledger, read_only=True)) as database:
        found = costs(database, names, *span)
    expected: Counter[tuple[Any, ...]] = Counter()
    for row in rows:
        at = {"hour": row.started_ns // HOUR_NS * 3600, "day": row.started_ns // DAY_NS * 86400}
        group = tuple(at[name] if name in at else getattr(row, name) for name in names)
        expected[group] += row.nanos or 0
    assert {line.group: line.nano for line in found} == expected
    assert sum(line.attempts for line in found) == len(rows)
    assert sum(line.unpriced for line in found) == sum(row.nanos is None for row in rows)
    assert sum(line.output_tokens for line in found) == sum(r.output + r.reasoning for r in rows)


def test_unknown_groups_and_empty_ledgers(opened: Open, tmp_path: Path) -> None:
    opened(tmp_path / "l.db")
    with closing(connect(tmp_path / "l.db", read_only=True)) as database:
        assert costs(database, ["run", "model"], 0, FOREVER) == []
        with pytest.raises(LedgerError, match="colour"):
            costs(database, ["colour"], 0, FOREVER)


def test_tenants_and_unallocated_are_the_bill(opened: Open, tmp_path: Path) -> None:
    own = [flight(number, 60 * number, 0.5, 20, tenant=f"t{number % 2}") for number in range(40)]
    api = [attempt(number) for number in range(100, 110)]
    unpriced = [row._replace(**amounts(None)) for row in own]
    opened(tmp_path / "l.db").append(unpriced + api)
    with closing(connect(tmp_path / "l.db")) as database:
        before = costs(database, ["tenant"], 0, FOREVER)
        assert sum(line.unpriced for line in before) == 40
        bill = attribute(database, REPLICA, START_NS, START_NS + 3 * HOUR_NS)
        for by in ("tenant", "tenant,model", "run", "hour,provider", ""):
            lines = costs(database, list(filter(None, by.split(","))), 0, FOREVER)
            assert sum(line.nano for line in lines) == bill + sum(row.nanos or 0 for row in api)
            assert sum(line.usage_nano for line in lines) == bill
            assert sum(line.unpriced for line in lines) == 0
        buckets = {line.bucket: line for line in costs(database, [], 0, FOREVER)}
    assert buckets["idle"].nano > 0
    assert buckets["headroom"].usage_nano > 0
    assert buckets["headroom"].allocation_nano == 0


def test_the_command_shows_and_adds_up(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(("costs", str(ledger), "--by", "tenant,model", "--format", "json")) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["nano_usd"] == sum(row.nanos or 0 for row in attempts(400))
    assert {line["tenant"] for line in answer["costs"]} == {"tenant-0", "tenant-1", "tenant-2"}
    assert run(("costs", str(ledger), "--by", "hour")) == 0
    assert "2025-12-01T00:00:00+00:00" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--by", "colour"), "colour"),
        (("--since", "yesterday"), "yesterday"),
        (("--since", "2026-01-02", "--until", "2026-01-01"), "not after"),
    ],
)
def test_bad_input_is_named(
    ledger: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], named: str
) -> None:
    assert run(("costs", str(ledger), *arguments)) == 2
    assert named in capsys.readouterr().err


def test_no_ledger_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(("costs", str(tmp_path / "none.db"))) == 2
    assert "none.db" in capsys.readouterr().err


SCENARIO = """
model = "llama-3.1-8b"
slo = ["ttft p99 <= 2 s"]
[deployment]
gpu = "h100-sxm"
"""


def test_attribute_shares_a_deployments_hours(
    opened: Open, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened(tmp_path / "l.db").append([flight(n, 60 * n, 0.2, 5) for n in range(30)])
    (tmp_path / "s.toml").write_text(SCENARIO)
    span = ("--since", "2025-12-01", "--until", "2025-12-01T02:00")
    command = ("meter", "attribute", str(tmp_path / "l.db"), str(tmp_path / "s.toml"))
    assert (
        run((*command, *span, "--upstream", "gpu", "--usd-per-hour", "2.5", "--format", "json"))
        == 0
    )
    assert json.loads(capsys.readouterr().out)["usd"] == "5.000000000"
    assert run((*command, *span, "--upstream", "gpu", "--usd-per-hour", "nan")) == 2
    capsys.readouterr()
    assert run(("costs", str(tmp_path / "l.db"), "--by", "upstream", "--format", "json")) == 0
    lines = json.loads(capsys.readouterr().out)["costs"]
    request = next(line for line in lines if line["bucket"] == "request")
    assert 0 < request["usage_nano_usd"] < request["allocation_nano_usd"] < 5 * 10**9
    assert request["energy_wh"] > 0


def test_a_ledger_is_a_trace(ledger: Path) -> None:
    found = read(ledger)
    rows = list(attempts(400))
    assert found.format == "ledger"
    assert found.counts.rows == 400
    assert found.trace.input_tokens.sum() == sum(
        sum(r.tokens[:4]) for r in rows if r.output + r.reasoning
    )
    assert found.trace.arrival[1] == 420
    assert found.trace.tenant is not None
    assert found.trace.session is None
