"""The ledger's money as Prometheus metrics: what it says is what the ledger holds."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from meter_cases import START_NS, amounts, attempt, attempts

from inferometer.cli.app import run
from inferometer.meter.cost_metrics import HELP, text
from inferometer.meter.exposition import Sample, samples
from inferometer.meter.store.sqlite import SqliteLedger, connect

Open = Callable[[Path], SqliteLedger]
HOUR = 3600


def read(path: Path, now_s: int) -> list[Sample]:
    with closing(connect(path, read_only=True)) as database:
        return list(samples(text(database, now_s)))


def of(found: list[Sample], name: str, **labels: str) -> list[float]:
    return [s.value for s in found if s.name == name and labels.items() <= s.labels.items()]


def test_totals_are_those_of_the_rows(opened: Open, tmp_path: Path) -> None:
    rows = list(attempts(400))
    opened(tmp_path / "l.db").append(rows)
    found = read(tmp_path / "l.db", rows[-1].started_ns // 10**9 + 86_400)
    for tenant in ("tenant-0", "tenant-1", "tenant-2"):
        mine = [row for row in rows if row.tenant == tenant]
        nano = of(found, "inferometer_cost_nanodollars_total", tenant=tenant, cost_basis="usage")
        assert sum(nano) == sum(row.nanos or 0 for row in mine)
        unpriced = of(found, "inferometer_unpriced_attempts_total", tenant=tenant)
        assert sum(unpriced) == sum(row.nanos is None for row in mine)
        tokens = of(found, "inferometer_tokens_total", tenant=tenant, **{"class": "cache_read"})
        assert sum(tokens) == 40 * len(mine)
    assert {sample.name for sample in found} <= HELP.keys()


def test_an_hour_as_opencost_names_it(opened: Open, tmp_path: Path) -> None:
    """Two requests of one model in the last full hour, one of the hour before and one of this."""
    hour = START_NS + 5 * HOUR * 10**9
    nano = amounts(0) | {"nano_uncached_input": 3_000_000, "nano_cache_read": 1_000_000}
    tokens = {"uncached_input": 300, "cache_read": 1000, "output": 0, "reasoning": 0}
    for number, began in enumerate((hour - 1, hour, hour + 1, hour + HOUR * 10**9)):
        row = attempt(number, started_ns=began, ended_ns=began, model="m", served="m")
        opened(tmp_path / "l.db").append([row._replace(**nano, **tokens)])
    found = read(tmp_path / "l.db", hour // 10**9 + HOUR + 60)
    assert of(found, "llm_total_hourly_cost", model_name="m", cost_basis="usage") == [0.008]
    per_million = of(found, "llm_cost_per_million_tokens", cost_basis="allocation")
    assert per_million == [pytest.approx(0.008 / 2600 * 1e6)]
    # 1000 cached tokens at the uncached price would be 10 000 000: 13 000 000 instead of 4 000 000
    assert of(found, "llm_cache_savings_fraction") == [pytest.approx(9 / 13)]


def test_a_name_cannot_break_a_line(opened: Open, tmp_path: Path) -> None:
    name = 'a"b\\c\nd} 1'
    opened(tmp_path / "l.db").append([attempt(1, tenant=name)])
    found = read(tmp_path / "l.db", START_NS // 10**9 + 86_400)
    assert {s.labels["tenant"] for s in found if "tenant" in s.labels} == {name}


def test_command(opened: Open, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    opened(tmp_path / "l.db").append(list(attempts(3)))
    assert run(["meter", "metrics", str(tmp_path / "l.db")]) == 0
    assert len(list(samples(capsys.readouterr().out))) > 9
    assert run(["meter", "metrics", str(tmp_path / "none.db")]) == 2
