"""How the demo leaves when a part of it did not end well."""

import pytest

from inferometer.cli import app
from inferometer.cli.demo import leave


@pytest.mark.parametrize("code", [app.FAILED, app.BAD_INPUT, app.INFEASIBLE, app.INTERRUPTED])
def test_it_leaves_with_the_code_of_the_part(code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run([], lambda _: leave("optimise", code)) == code
    said = capsys.readouterr().err
    assert ("`optimise` did not end well" in said) == (code != app.INTERRUPTED)


def test_it_goes_on_after_a_part_that_ended_well() -> None:
    assert app.run([], lambda _: leave("plan", app.OK)) == app.OK


@pytest.mark.parametrize(
    "asked", [("--span", "nan"), ("--span", "0"), ("--requests", "0"), ("--rounds", "1")]
)
def test_what_a_later_part_would_refuse_is_refused_at_once(
    asked: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run(["demo", *asked]) == app.BAD_INPUT
    assert "--span above 0" in capsys.readouterr().err


def test_the_caches_to_walk_are_named_behind_one_option(capsys: pytest.CaptureFixture[str]) -> None:
    caches = ("--cache", "unified", "split", "--prefix-cache", "on", "off")
    assert app.run(["optimise", *caches, "--requests", "0"]) == app.BAD_INPUT
    assert "--requests must be at least 1" in capsys.readouterr().err  # all others were taken
    assert app.run(["optimise", "--cache", "both"]) == app.BAD_INPUT
    assert '"unified", "split"' in capsys.readouterr().err
