"""The commands tco and breakeven, with a model and without, and bad inputs to them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from inferometer.account.split import nanodollars
from inferometer.cli.app import BAD_INPUT, INFEASIBLE, OK, run
from inferometer.report.money_exhibits import SHOWN

SCENARIO = """
model = "llama-3.1-8b"
slo = ["tpot p99 <= 60 ms"]
[workload]
rate = "20 1/s"
requests = 4000
[workload.lengths]
input = { mean = 300, p99 = 2000 }
output = { mean = 100, p99 = 500 }
[search]
max_gpus = 8
[prices]
grid = "us"
[deployment]
gpu = "h100-sxm"
[demand]
years = 3
growth = 0.2
spares = 1
[api]
offers = 2
[doubt]
draws = 400
"""


@pytest.fixture
def scenario(tmp_path: Path) -> str:
    path = tmp_path / "scenario.toml"
    path.write_text(SCENARIO)
    return str(path)


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run((*arguments, "--format", "json")) == OK
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = BAD_INPUT) -> str:
    assert run(arguments) == code
    return capsys.readouterr().err


def changed(scenario: str, before: str, after: str) -> str:
    path = Path(scenario)
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    return scenario


def test_every_way_is_priced_by_parts_that_add_up(
    scenario: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(capsys, "tco", scenario)
    names = [row["way"] for row in found["costs"]]
    assert {"own", "rent on-demand", "rent reserved-1y", "rent spot"} <= set(names)
    assert sum(name.startswith("API") for name in names) == 2
    totals = [row["total_usd"] for row in found["costs"]]
    assert totals == sorted(totals)
    for row in found["costs"]:
        parts = sum(nanodollars(part) for part in row["parts"].values())
        assert abs(parts - nanodollars(row["first_year_usd"])) <= 1_000  # floats of 1e5 dollars
    buckets = found["provision"]
    kinds = ("work", "targets", "idle", "spares", "cold")
    assert sum(buckets[kind] for kind in kinds) == pytest.approx(buckets["paid"])
    records = {fact["record"] for fact in found["sources"]}
    for kind in ("server", "habits", "grid", "facility", "price", "API price", "trend"):
        assert any(record.startswith(kind) for record in records)
    assert all(fact["source"] and fact["as_of"] for fact in found["sources"])


def test_same_seed_same_bytes(scenario: str, capsys: pytest.CaptureFixture[str]) -> None:
    texts = []
    for seed in ("3", "3", "4"):
        assert run(["tco", scenario, "--seed", seed]) == OK
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] != texts[2]


def test_uncertainty_is_about_what_the_ways_depend_on(
    scenario: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(capsys, "tco", scenario)
    said = found["uncertainty"]
    assert said["draws"] == 400
    named = {item["name"] for item in found["uncertain"]}
    assert named == {item["name"] for item in said["information"]}
    assert "capacity (model error)" in named
    assert "colocation price" not in named
    values = [item["value_usd"] for item in said["information"]]
    assert values == sorted(values, reverse=True)
    assert 0 <= max(values) <= said["regret_usd"] * 1.05 + 1
    assert answer(capsys, "tco", scenario, "--draws", "0")["uncertainty"] is None


def test_an_own_range_takes_the_place_of_the_catalogue_s(
    scenario: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = changed(scenario, "draws = 400", 'draws = 400\nranges = { "server price" = [0.5, 1.1] }')
    found = answer(capsys, "tco", path)
    item = next(item for item in found["uncertain"] if item["name"] == "server price")
    assert (item["low"], item["high"], item["source"]) == (0.5, 1.1, "the scenario")


def test_own_figures_go_before_the_catalogue_s(
    scenario: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = answer(capsys, "tco", scenario)
    own = '[ownership]\nprice = "540,000 USD"\nsoftware = "0 USD"\ncolocation = "small-cage"\n'
    found = answer(capsys, "tco", changed(scenario, "[doubt]", f"{own}[doubt]"))
    parts, old = found["server_year"], before["server_year"]
    assert parts["servers_usd"] == pytest.approx(2 * old["servers_usd"])
    assert parts["software_usd"] == 0
    assert parts["colocation_usd"] > 0
    assert not any(item["name"] == "server price" for item in found["uncertain"])
    assert any(item["name"] == "colocation price" for item in found["uncertain"])


def test_an_income_tax_is_taken_from_every_way(
    scenario: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {row["way"]: row for row in answer(capsys, "tco", scenario)["costs"]}
    taxed = changed(scenario, "[doubt]", "[ownership.taxes]\nincome = 0.25\n[doubt]")
    for row in answer(capsys, "tco", taxed)["costs"]:
        if row["way"] == "own":
            assert row["parts"]["tax_relief"] < 0
            assert row["total_usd"] < before["own"]["total_usd"]
        else:
            assert row["total_usd"] == pytest.approx(0.75 * before[row["way"]]["total_usd"])


def test_users_make_the_rate(scenario: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = changed(scenario, "[demand]", '[demand]\nusers = 1000\nactive = 0.1\nresponse = "5 s"')
    found = answer(capsys, "tco", path)
    assert found["users_at_once"] == 100
    peak = max(found["week"]["rates_per_s"]) * found["week"]["burst"]
    assert peak == pytest.approx(100 / 5)


def test_ownership_without_an_electricity_price_is_unpriced_not_free(
    scenario: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(capsys, "tco", changed(scenario, 'grid = "us"', ""))
    assert "own" not in {row["way"] for row in found["costs"]}
    assert "electricity is unpriced" in found["ownership_unpriced"]
    stated = changed(scenario, "[doubt]", '[ownership]\nserver = "hgx-h100"\n[doubt]')
    assert "electricity is unpriced" in refused(capsys, "tco", stated)


def test_waiting_traffic_pays_the_batch_price(
    scenario: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = changed(scenario, "offers = 2", 'offers = 1\nmodels = ["gpt-4o"]\ntiers = {batch = 0.5}')
    row = next(row for row in answer(capsys, "tco", path)["costs"] if row["way"].startswith("API"))
    assert row["parts"]["batch"] == pytest.approx(0.5 * row["parts"]["standard"])


def test_break_even_has_a_load_or_a_reason(
    scenario: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(capsys, "breakeven", scenario)
    ways = {(row["one"], row["other"]) for row in found["break_even"]}
    assert ("own", "rent on-demand") in ways
    assert any(one == "rent on-demand" and other.startswith("API") for one, other in ways)
    for row in found["break_even"]:
        assert (row["utilisation"] is None) == bool(row["never"])
        assert (row["tokens_mtok_per_day"] is None) == (row["utilisation"] is None)
    assert any("cached tokens" in text for text in found["formulas"])


def test_at_the_break_even_load_both_cost_the_same(
    scenario: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = changed(scenario, "offers = 2", 'offers = 1\nmodels = ["gpt-4o"]')
    found = answer(capsys, "breakeven", path)
    row = next(row for row in found["break_even"] if row["one"] == "rent on-demand")
    outcome, rent = found["option"]["outcome"], found["option"]["cost_usd_per_h"]
    api = next(cost for cost in found["costs"] if cost["way"].startswith("API"))
    paid = row["tokens_mtok_per_day"] / 24 * api["scaled_down_usd_per_mtok"]
    assert paid == pytest.approx(rent)
    rate = outcome["input_rate_tok_per_s"] + outcome["output_rate_tok_per_s"]
    per_request = rate / outcome["request_rate_per_s"]
    tokens = row["utilisation"] * outcome["capacity_per_s"] * per_request
    assert tokens * 86400 / 1e6 == pytest.approx(row["tokens_mtok_per_day"])


def test_a_cost_sheet_needs_no_model(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--gpu", "h100-sxm", "--grid", "us", "--utilisation", "0.6")
    found = answer(capsys, "tco", *options, "--accelerators", "9")["cluster"]
    assert (found["accelerators"], found["servers"]) == (16, 2)  # whole servers
    assert sum(found["parts"].values()) == pytest.approx(found["total_usd"])
    assert found["useful"]["60%"] == pytest.approx(found["hour_usd_per_h"] / 0.6)
    for row in found["against"]:
        never = found["hour_usd_per_h"] > row["rent_usd_per_h"]
        assert (row["break_even_use"] is None) == never
    assert run(["tco", *options]) == OK
    assert "total" in capsys.readouterr().out


def test_reports_are_pages_and_charts(scenario: str, tmp_path: Path) -> None:
    page, again, chart = tmp_path / "a.html", tmp_path / "b.html", tmp_path / "c.png"
    for path in (page, again):
        assert run(["tco", scenario, "--report", str(path)]) == OK
    assert page.read_text().replace("a.html", "b.html") == again.read_text()
    text = page.read_text()
    assert text.count("<svg") == 6
    assert "http" not in text.replace("http-equiv", "")
    assert run(["breakeven", scenario, "--report", str(chart)]) == OK
    assert chart.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        ("years = 3", "years = 0", "horizon"),
        ("growth = 0.2", "growth = -1.0", "growth"),
        ("spares = 1", "spares = -1", "spares"),
        ("spares = 1", 'scaling = "never"', "fixed, hourly"),
        ("[doubt]", "[ownership]\ndiscount_rate = -1.0\n[doubt]", "discount"),
        ("[doubt]", "[ownership]\nyears = 0.0\n[doubt]", "life"),
        ("[doubt]", '[ownership]\nprice = "0 USD"\n[doubt]', "must be positive"),
        ("[doubt]", '[ownership]\nprice = "250,000 EUR"\n[doubt]', "EUR"),
        ("[doubt]", '[ownership]\nserver = "hgx-b200"\n[doubt]', "holds b200"),
        ("[doubt]", "[ownership]\nresidual = 1.5\n[doubt]", "residual"),
        ("[doubt]", "[ownership]\nresidual = -0.5\n[doubt]", "negative"),
        ("[doubt]", '[ownership]\ncolocation = "moon"\n[doubt]', "moon"),
        ("[doubt]", "[ownership]\nhourly = [1.0]\n[doubt]", "24"),
        ("[doubt]", "[ownership.taxes]\nincome = 1.0\n[doubt]", "income"),
        ("[doubt]", "[cloud]\nfallback = 2.0\n[doubt]", "fallback"),
        ("[doubt]", '[cloud]\negress = "nowhere"\n[doubt]', "nowhere"),
        ("[doubt]", "[cloud]\nchange = -1.0\n[doubt]", "above -1"),
        ("offers = 2", "change = -2.0", "above -1"),
        ("offers = 2", "tiers = { batch = 1.5 }", "share"),
        ("offers = 2", 'models = ["no-such-model"]', "no-such-model"),
        ("draws = 400", "draws = 5", "draws"),
        ("draws = 400", 'ranges = { "server price" = [1.2, 1.3] }', "range"),
        ("draws = 400", 'ranges = { "server price" = [0.9] }', "two factors"),
        ("draws = 400", 'ranges = { "the weather" = [0.9, 1.1] }', "weather"),
        ("[demand]", "[demand]\nusers = 100", "response"),
        ("[demand]", '[demand]\nusers = 0\nresponse = "1 s"', "users"),
        ("[demand]", "[demand]\nwasted = 1.0", "wasted"),
        ("[demand]", "[demand]\ngrowht = 0.1", "nearest: growth"),
    ],
)
def test_bad_input_never_produces_a_number(
    before: str, after: str, word: str, scenario: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert word in refused(capsys, "tco", changed(scenario, before, after))


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ((), "no model"),
        (("--gpu", "h100-sxm"), "electricity is unpriced"),
        (("--gpu", "l4", "--grid", "us"), "no server with l4"),
        (("--gpu", "h100-sxm", "--grid", "us", "--utilisation", "0"), "utilisation"),
        (("--gpu", "h100-sxm", "--grid", "us", "--utilisation", "1.2"), "utilisation"),
        (("--gpu", "h100-sxm", "--grid", "us", "--accelerators", "0"), "accelerators"),
        (("--gpu", "h100-sxm", "--grid", "fr"), "has no price"),
        (("--gpu", "h100-sxm", "--grid", "us", "--report", "x.html"), "--report"),
    ],
    ids=str,
)
def test_bad_cost_sheets_are_refused(
    options: tuple[str, ...], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert word in refused(capsys, "tco", *options)


def test_a_utilisation_goes_with_a_cluster_only(
    scenario: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "follow from the workload" in refused(capsys, "tco", scenario, "--utilisation", "0.5")


def test_what_nothing_serves_is_infeasible(
    scenario: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = changed(scenario, "tpot p99 <= 60 ms", "tpot p99 <= 0.2 ms")
    path = changed(path, '[deployment]\ngpu = "h100-sxm"\n', "")
    assert "no deployment" in refused(capsys, "breakeven", path, code=INFEASIBLE)


def test_the_chart_by_load_ends_at_the_price_of_the_table(
    scenario: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wasteful = changed(scenario, "spares = 1", "wasted = 0.5")
    wasteful = changed(wasteful, "[doubt]", '[cloud]\negress = "aws"\n[doubt]')
    page = tmp_path / "page.html"
    assert run(["tco", wasteful, "--report", str(page)]) == OK
    capsys.readouterr()
    rows = answer(capsys, "tco", wasteful)["costs"][:SHOWN]
    drawn = page.read_text().split("Price of a token against load", 1)[1].split("</table>", 1)[0]
    names, full = (re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", one, re.DOTALL)
                   for one in re.findall(r"<tr>(.*?)</tr>", drawn, re.DOTALL)[::10])  # fmt: skip
    assert full[0] == "100%"
    assert names[1:] == [row["way"] for row in rows]
    for row, price in zip(rows, full[1:], strict=True):
        if row["way"] != "own":  # a server is bought whole
            assert float(price) == pytest.approx(row["scaled_down_usd_per_mtok"], rel=5e-3)
