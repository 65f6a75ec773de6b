"""`inferometer energy` as a user sees it."""

import json
from pathlib import Path
from typing import Any

import pytest

from inferometer.catalog import tables
from inferometer.cli.app import BAD_INPUT, INFEASIBLE, run

EXAMPLES = Path(__file__).parents[2] / "examples"
CHAT = str(EXAMPLES / "diurnal_chat.toml")
STATED = ["--gpu", "h100-sxm", "--tp", "4", "--replicas", "2"]


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run(["energy", CHAT, *STATED, *arguments, "--format", "json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_units_boundaries_hours_clocks_and_savings(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "--grid", "de", "--carbon-price", "100 USD/t", "--elsewhere", "se")
    units = found["units"]
    for unit in units.values():
        assert unit["facility_j"] >= unit["accelerators_j"]
        assert unit["facility_wh"] == pytest.approx(unit["facility_j"] / 3600)
        assert unit["gco2e"] == pytest.approx(unit["use_g"] + unit["embodied_g"])
        assert unit["carbon_usd"] == pytest.approx(unit["gco2e"] * 100 / 1e6)
    assert len(found["use"]["hours"]) == 24
    assert found["hours"]["assumed"]
    assert found["use"]["total_g"] == pytest.approx(found["whole"]["use_g"])
    assert found["use"]["total_g"] != pytest.approx(found["use"]["by_mean_g"], rel=1e-4)
    (swede,) = found["elsewhere"]
    assert swede["per_request_g"] < units["request"]["use_g"]
    assert [one["law"] for one in found["phases"]] == ["assumed", "assumed"]
    kept = {point["clock"]: point["energy_j"] for point in found["clocks"] if point["kept"]}
    assert kept[found["least_energy_clock"]] == min(kept.values())
    assert [row["rented_usd"] for row in found["savings_per_year"]][:2] == [0, 0]
    assert any(fact["record"] == "grid de" for fact in found["sources"])
    assert any(fact["record"] == "hours solar-valley" for fact in found["sources"])
    assert any(fact["record"] == "embodied h100-sxm" for fact in found["sources"])


@pytest.fixture
def gridless(tmp_path: Path) -> str:
    """Return the chat scenario without its grid."""
    path = tmp_path / "gridless.toml"
    text = Path(CHAT).read_text(encoding="utf-8")
    assert 'grid = "us"\n' in text
    path.write_text(text.replace('grid = "us"\n', ""), encoding="utf-8")
    return str(path)


def test_without_a_grid_emissions_are_unknown(
    gridless: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["energy", gridless, *STATED, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["units"]["request"]["use_g"] is None
    assert found["units"]["request"]["gco2e"] is None
    assert found["use"] is None
    assert run(["energy", gridless, *STATED]) == 0
    shown = capsys.readouterr().out
    assert "unknown without --grid or --hours" in shown
    assert "clock law: assumed" in shown
    assert "whose money they are" in shown
    assert run(["energy", gridless, *STATED, "--hours", "duck"]) == BAD_INPUT
    assert "give --grid too" in capsys.readouterr().err


def test_the_users_own_grid_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "own.csv"
    path.write_text("hour,g_per_kwh\n" + "".join(f"{hour},100\n" for hour in range(24)))
    found = answer(capsys, "--hours", str(path))
    energy = found["energy"]
    whole = sum(energy[name] for name in ("accelerators_j", "host_j", "building_j"))
    assert found["whole"]["use_g"] == pytest.approx(whole / 3.6e6 * 100)
    assert not found["hours"]["assumed"]
    saved = {row["name"]: row["amount"] for row in found["savings_per_year"]}
    kilowatt_hours = saved["energy at the meter, by the clock"]
    assert kilowatt_hours > 0
    assert saved["emissions, by the clock"] == pytest.approx(kilowatt_hours * 100 / 1e6)


def test_prices_of_savings_have_sources(
    gridless: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(capsys)
    facts = [(fact["record"], fact["field"]) for fact in found["sources"]]
    assert {("colocation na-primary", ""), ("price h100-sxm on-demand", "")} <= set(facts)
    assert len(facts) == len(set(facts))
    assert any("North America, primary markets" in note for note in found["notes"])
    elsewhere = tmp_path / "elsewhere.toml"
    text = Path(gridless).read_text(encoding="utf-8")
    elsewhere.write_text(f'{text}\n[ownership]\ncolocation = "global"\n', encoding="utf-8")
    assert run(["energy", str(elsewhere), *STATED, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert "colocation global" in {fact["record"] for fact in found["sources"]}


def test_own_buildings_and_days_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "own.toml"
    dated = 'source = "our meters"\nas_of = 2026-10-01\n'
    own.write_text(
        f'[facilities.hall]\nname = "Hall"\npue = 1.2\nevidence = "measured"\n{dated}'
        f'[hour_shapes.flat]\nname = "Our flat day"\n{dated}'
    )
    found = answer(capsys, "--catalog", str(own), "--facility", "hall", "--grid", "us")
    assert found["hours"]["name"].endswith("our flat day")
    assert "facility hall" in {fact["record"] for fact in found["sources"]}


def test_tasks_of_agents_and_answers_with_retrieval(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agent = tmp_path / "agent.toml"
    agent.write_text(
        "[agent]\ncalls_p50 = 4.0\ncalls_p99 = 4.0\nfirst = '800 tok'\ngrowth = '100 tok'\n"
        "output = '100 tok'\nsuccess = 0.5\n"
    )
    units = answer(capsys, "--grid", "us", "--agent", str(agent))["units"]
    assert units["task"]["facility_j"] == pytest.approx(4 * units["request"]["facility_j"])
    assert units["successful task"]["gco2e"] == pytest.approx(2 * units["task"]["gco2e"])
    stages = str(EXAMPLES / "rag_stages.toml")
    more = ["--gpu", "h100-sxm", "--tp", "4", "--replicas", "4", "--format", "json"]
    assert run(["energy", CHAT, *more, "--retrieval", stages]) == 0
    units = json.loads(capsys.readouterr().out)["units"]
    added = units["retrieval for it"]["facility_j"]
    assert added > 0
    whole = units["answer with retrieval"]["facility_j"]
    assert whole == pytest.approx(units["request"]["facility_j"] + added)


def test_agents_and_rag_say_energy_per_task(capsys: pytest.CaptureFixture[str]) -> None:
    agent, rag = str(EXAMPLES / "coding_agent.toml"), str(EXAMPLES / "enterprise_rag.toml")
    scenario = ["--on", str(EXAMPLES / "diurnal_chat.toml"), "--format", "json"]
    assert run(["agent", agent, *scenario]) == 0
    found = json.loads(capsys.readouterr().out)
    low, high = (found["energy"][f"{level}: successful task"] for level in ("low", "high"))
    assert 0 < low["facility_wh"] < high["facility_wh"]
    stages = str(EXAMPLES / "rag_stages.toml")
    given = [rag, "--retrieval", stages, "--gpu", "h100-sxm", "--tp", "4"]
    assert run(["rag", *given]) == 0
    assert "Energy and emissions of an answer" in capsys.readouterr().out
    assert run(["rag", *given, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["rag"]
    assert found["unmetered"] == []
    assert found["energy_j"] > found["long"]["energy_per_request_j"]
    assert found["carbon_g"] == pytest.approx(found["energy_j"] * tables.grid("us").carbon)


def test_the_plot_is_drawn_with_and_without_hours(
    gridless: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, scenario in (("with.svg", CHAT), ("without.png", gridless)):
        assert run(["energy", scenario, *STATED, "--plot", str(tmp_path / name)]) == 0
        assert (tmp_path / name).stat().st_size > 10_000
    assert "gCO2e per kWh" in (tmp_path / "with.svg").read_text(encoding="utf-8")
    capsys.readouterr()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--hours", "nothing.csv"], BAD_INPUT, "cannot be read"),
        (["--grid", "us", "--hours", "nonesuch"], BAD_INPUT, "shape of a grid's day"),
        (["--grid", "us", "--carbon-price", "80"], BAD_INPUT, "80 USD/t"),
        (["--grid", "us", "--carbon-price=-5 USD/t"], BAD_INPUT, "negative"),
        (["--grid", "us", "--carbon-price", "nonesuch"], BAD_INPUT, "price of carbon"),
        (["--grid", "us", "--elsewhere", "atlantis"], BAD_INPUT, "grid"),
        (["--agent", "a.toml", "--retrieval", "b.toml"], BAD_INPUT, "give one of them"),
        (["--agent", "a.toml"], BAD_INPUT, "a.toml"),
        (["--replicas", "1", "--max-num-seqs", "1"], INFEASIBLE, "overloaded"),
    ],
)
def test_bad_input_is_refused(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["energy", CHAT, "--gpu", "h100-sxm", "--tp", "4", *arguments]) == code
    assert message in capsys.readouterr().err
