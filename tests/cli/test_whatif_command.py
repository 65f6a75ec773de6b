"""`inferometer whatif` as a user sees it."""

import json
from pathlib import Path

import pytest

from inferometer.cli.app import BAD_INPUT, run

ARGUMENTS = ["whatif", "examples/azure_llama70b.toml"]
ROOT = Path(__file__).parents[2]


def test_answer_and_plot(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    plot = tmp_path / "effects.svg"
    assert run([*ARGUMENTS, "--plot", str(plot), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    fp8 = next(one for one in found["what_if"]["alone"] if one["name"] == "weights fp8")
    assert fp8["state"]["cost_usd_per_h"] > 0
    assert found["what_if"]["base"]["replicas"] >= 1
    assert plot.read_text().startswith("<?xml")
    assert run([*ARGUMENTS, "--with", "weights fp8", "--with", "clocks"]) == 0
    assert "Together: weights fp8 + clocks" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--with", "magic"), "no lever 'magic'"),
        (("--deferrable", "2"), "--deferrable is 2"),
        (("--start", "-1"), "--start is -1"),
        (("--accepted", "1.5"), "speculation.acceptance is 1.5"),
        (("--smaller", "no-such-model"), "no-such-model"),
    ],
)
def test_bad_options_are_refused(
    options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(ROOT)
    assert run([*ARGUMENTS, *options]) == BAD_INPUT
    assert message in capsys.readouterr().err
