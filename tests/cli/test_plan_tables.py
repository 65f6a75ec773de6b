"""What the tables of `inferometer plan` say for people."""

from pathlib import Path

import pytest

from inferometer.cli.app import run

SCENARIO = """
model = "llama-3.1-8b"
slo = ["ttft p99 <= 2 s", "tpot p99 <= 50 ms"]
[workload]
rate = "4 1/s"
duration = "300 s"
[workload.lengths]
input = {{mean = 500, p50 = 300}}
output = {{mean = 200, p50 = 150}}
[search]
gpus = ["h100-pcie", "l40s", "b300"]
max_gpus = 16
[prices]
at = "2026-11-20"
file = "{prices}"
"""
OWN = """accelerator,provider,commitment,region,price,valid_from,source,as_of,evidence
h100-pcie,test,on-demand,,1 USD/h,{day},a quote,{day},published
l40s,test,on-demand,,{dear} USD/h,2026-11-01,a quote,2026-11-01,published
"""


def shown(
    folder: Path, capsys: pytest.CaptureFixture[str], *, day: str = "2026-11-01", dear: float = 2
) -> str:
    """Return the tables of a plan over two accelerators with prices of one's own."""
    prices, scenario = folder / "own.csv", folder / "scenario.toml"
    prices.write_text(OWN.format(day=day, dear=dear), encoding="utf-8")
    scenario.write_text(SCENARIO.format(prices=prices), encoding="utf-8")
    assert run(("plan", str(scenario))) == 0
    return capsys.readouterr().out


def test_the_reasons_give_the_day_of_the_quote(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fresh = shown(tmp_path, capsys)
    assert "quote of 2026-11-01" in fresh
    assert "months old" not in fresh
    old = shown(tmp_path, capsys, day="2026-02-20")
    assert "quote of 2026-02-20" in old
    assert "quote is 9 months old at the instant asked" in old


def test_what_costs_ten_times_as_much_is_counted_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "Left out" not in shown(tmp_path, capsys)
    assert "1 at more than 10 x the cost of the plan: l40s" in shown(tmp_path, capsys, dear=99)


def test_an_unpriced_accelerator_names_what_it_is_priced_as(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = shown(tmp_path, capsys)
    line = next(line for line in text.splitlines() if line.startswith("b300"))
    assert "reserved-3y" in line
