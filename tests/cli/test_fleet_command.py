"""`inferometer fleet`: the answer adds up, options lie on top, bad input is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from inferometer.cli.app import BAD_INPUT, INFEASIBLE, run

SCENARIO = """
model = "llama-3.1-8b"
slo = ["ttft p99 <= 2 s", "tpot p99 <= 60 ms"]
[workload]
rate = "4 1/s"
duration = "4 h"
hourly = [1, 2, 3, 4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
tenants = { chat = 0.7, batch = 0.3 }
[workload.lengths]
input = { p50 = 400, p99 = 4000 }
output = { p50 = 150, p99 = 800 }
[search]
gpus = ["l4", "h100-sxm"]
[fleet]
prompt_classes = 2
slo = { batch = ["ttft p99 <= 60 s"] }
"""


@pytest.fixture
def scenario(tmp_path: Path) -> str:
    path = tmp_path / "scenario.toml"
    path.write_text(SCENARIO)
    return str(path)


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run(["fleet", *arguments, "--format", "json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_fleet_adds_up(scenario: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, scenario)
    best = found["best"]
    assert best["cost_usd"] == pytest.approx(
        best["rent_usd"] + best["starting_usd"] + best["power_usd"]
    )
    assert all(best["cost_usd"] <= one["cost_usd"] for one in found["singles"])
    assert len(found["classes"]) == 4
    slots = len(found["classes"][0]["mean_per_s"])
    served = sum(sum(map(sum, pool["shares"])) for pool in best["pools"])
    assert served == pytest.approx(4 * slots)
    assert found["scenario"]["fleet"]["slot_s"] == 3600


def test_options_lie_on_top(
    scenario: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    plot = tmp_path / "fleet.svg"
    options = ("--slot", "1.4 h", "--prompt-classes", "1", "--electricity", "0.12 USD/kWh")
    found = answer(capsys, scenario, *options, "--grid", "us", "--plot", str(plot))
    assert len(found["classes"]) == 2
    assert len(found["classes"][0]["mean_per_s"]) == 2
    assert found["best"]["power_usd"] == pytest.approx(
        found["best"]["energy_j"] * 0.12 / 3.6e6, rel=1e-6
    )
    drawn = plot.read_text(encoding="utf-8")
    hourly = found["best"]["cost_usd"] / (2 * found["slot_s"] / 3600)
    assert f">{hourly:,.2f} USD/h on average, " in drawn
    assert ">accelerators on<" in drawn
    assert run(["fleet", scenario]) == 0
    assert "best single type" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--slot", "1 m"), BAD_INPUT, "unit"),
        (("--slot", "1 s"), BAD_INPUT, "a minute at least"),
        (("--spot-share", "1.5"), BAD_INPUT, "fleet.spot_share is 1.5"),
        (("--clock", "0.1"), BAD_INPUT, "clock is 0.1"),
        (("--carbon-price", "0.1"), BAD_INPUT, "give --grid"),
        (("--slo", "ttft p99 <= 1 us"), INFEASIBLE, "no pool serves"),
    ],
)
def test_bad_options_are_refused(
    scenario: str, options: tuple[str, ...], code: int, message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert run(["fleet", scenario, *options]) == code
    assert message in capsys.readouterr().err


SMALL = """
model = "llama-3.1-8b"
slo = ["ttft p99 <= 1 s", "tpot p99 <= 40 ms"]
[workload]
rate = "0.5 1/s"
duration = "20 min"
lengths = { input = { p50 = 600, p99 = 3000 }, output = { p50 = 60, p99 = 200 } }
[search]
gpus = ["l40s"]
[fleet]
prompt_classes = 2
slot = "10 min"
"""


def test_busiest_slots_are_played(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "small.toml"
    path.write_text(SMALL, encoding="utf-8")
    assert run(["fleet", str(path), "--confirm", "1", "--format", "json"]) == 0
    played = json.loads(capsys.readouterr().out)["replay"]
    assert len(played["slots"]) == 1
    assert {one["name"].split()[1] for one in played["classes"]} == {"<", ">="}
    assert all(one["requests"] > 0 and one["target"] for one in played["classes"])
    assert run(["fleet", str(path), "--confirm", "1"]) == 0
    assert "Played, request by request" in capsys.readouterr().out
    assert run(["fleet", str(path), "--confirm", "3"]) == 2
    assert "1 to 2 can be played" in capsys.readouterr().err
